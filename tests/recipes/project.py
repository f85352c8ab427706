"""The project as the tests of its recipes see it: its tree, a scratch copy of its recipes, and what cannot run here."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# No bytecode is left in the clone: neither by this process and those that it starts, nor by what has imported this.
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
shutil.rmtree(Path(__file__).parent / "__pycache__", ignore_errors=True)
LAYER = Path("yocto/meta-sureplug")
RECIPE = LAYER / "recipes-support/sureplug"
PACKAGE = Path("buildroot/package/sureplug")
DIST = ROOT / "board/dist"


def run(*command, **options):
    """A command's result, with its output as text."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 900} | options
    return subprocess.run([str(word) for word in command], check=False, **options)


def expect(*command, **options):
    """The output of a command that has to succeed."""
    result = run(*command, **options)
    if result.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def not_run(test, why):
    """Says loudly that a test does not run here; where everything has to be tested, that is a failure."""
    print(f"NOT RUN: {test}: {why}", file=sys.stderr, flush=True)
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{test} must run here, but {why}")
    raise unittest.SkipTest(why)


@cache
def tree():
    """The files as they are now, committed or not, as a tree of git."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"GIT_INDEX_FILE": f"{scratch}/index"}
        expect("git", "-C", ROOT, "read-tree", "HEAD", env=environment)
        expect("git", "-C", ROOT, "add", "--all", env=environment)
        return expect("git", "-C", ROOT, "write-tree", env=environment).strip()


@cache
def version():
    """The version that the workspace has."""
    import tomllib
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


@cache
def scratch():
    """A folder that goes when the tests end."""
    import atexit
    folder = Path(tempfile.mkdtemp(prefix="sureplug-recipes-"))
    if "SUREPLUG_KEEP" not in os.environ:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def downloads():
    """A folder with the crates of Cargo.lock, as an image's build has fetched them."""
    expect("cargo", "fetch", "--quiet", "--locked", "--manifest-path", ROOT / "Cargo.toml")
    folder = scratch() / "downloads"
    folder.mkdir()
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for crate in home.glob("registry/cache/*/*.crate"):
        shutil.copy(crate, folder)
    return folder


@cache
def released():
    """A folder with a release of the tree as it is."""
    expect(ROOT / "tests/recipes/release", "--commit", tree(), scratch() / "released")
    return scratch() / "released"


@cache
def program():
    """The program of the tree as it is, from the release profile."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    expect("cargo", "build", "--quiet", "--locked", "--release", "--package", "sureplug-board", "--features", "small", cwd=ROOT)
    return target / "release/sureplug"
