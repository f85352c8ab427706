"""In place of BitBake's hash equivalence server, which its package on PyPI leaves out: nothing here asks it."""


def is_valid_unihash(_):
    return True
