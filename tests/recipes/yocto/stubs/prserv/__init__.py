"""In place of BitBake's server of package revisions, which its package on PyPI leaves out: nothing here asks it."""
