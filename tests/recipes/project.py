"""The project for the recipes' tests: its tree, a scratch copy of its recipes, and the report of tests that cannot run."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Leaves no bytecode in the clone: of this process, of those that it starts, and of modules that import this one.
sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
shutil.rmtree(Path(__file__).parent / "__pycache__", ignore_errors=True)
LAYER = Path("yocto/meta-sureplug")
RECIPE = LAYER / "recipes-support/sureplug"
PACKAGE = Path("buildroot/package/sureplug")
DIST = ROOT / "board/dist"


def run(*command, **options):
    """Runs a command and returns its result, with its output as text."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 900} | options
    return subprocess.run([str(word) for word in command], check=False, **options)


def expect(*command, **options):
    """Returns the output of a command that must succeed."""
    result = run(*command, **options)
    if result.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def not_run(test, why):
    """Reports loudly that a test cannot run here. If every test must run, this is a failure."""
    print(f"NOT RUN: {test}: {why}", file=sys.stderr, flush=True)
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{test} must run here, but {why}")
    raise unittest.SkipTest(why)


@cache
def tree():
    """Returns the current files, committed or not, as a git tree."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"GIT_INDEX_FILE": f"{scratch}/index"}
        expect("git", "-C", ROOT, "read-tree", "HEAD", env=environment)
        expect("git", "-C", ROOT, "add", "--all", env=environment)
        return expect("git", "-C", ROOT, "write-tree", env=environment).strip()


@cache
def version():
    """Returns the version of the workspace."""
    import tomllib
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


@cache
def scratch():
    """Returns a directory that is removed when the tests end."""
    import atexit
    folder = Path(tempfile.mkdtemp(prefix="sureplug-recipes-"))
    if "SUREPLUG_KEEP" not in os.environ:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def downloads():
    """Returns a directory with the crates of Cargo.lock, as an image's build has fetched them."""
    expect("cargo", "fetch", "--quiet", "--locked", "--manifest-path", ROOT / "Cargo.toml")
    folder = scratch() / "downloads"
    folder.mkdir()
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for crate in home.glob("registry/cache/*/*.crate"):
        shutil.copy(crate, folder)
    return folder


@cache
def released():
    """Returns a directory with a release of the current tree."""
    expect(ROOT / "tests/recipes/release", "--commit", tree(), scratch() / "released")
    return scratch() / "released"


@cache
def program():
    """Returns the program of the current tree, built with the release profile."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    expect("cargo", "build", "--quiet", "--locked", "--release", "--package", "sureplug-board", "--features", "small", cwd=ROOT)
    return target / "release/sureplug"
