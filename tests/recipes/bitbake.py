#!/usr/bin/env python3
"""Runs tasks of a recipe with BitBake's own library in one process, and prints variables of the recipe as JSON.

    bitbake.py --topdir DIR --layer LAYER --recipe FILE [--classes DIR]... [--set NAME=VALUE]... [--print NAME]... [TASK...]
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "yocto" / "stubs"))

import bb.build  # noqa: E402
import bb.data  # noqa: E402
import bb.event  # noqa: E402
import bb.fetch2  # noqa: E402
import bb.parse  # noqa: E402
import bb.utils  # noqa: E402


def parse(options):
    """The recipe's data, after its anonymous functions."""
    d = bb.data.init()
    d.setVar("TOPDIR", str(options.topdir))
    d.setVar("BBPATH", ":".join([*map(str, options.classes), str(options.layer)]))
    for name in ("PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"):
        if name in os.environ:
            d.setVar(name, os.environ[name])
            d.setVarFlag(name, "export", "1")
    bb.parse.init_parser(d)
    d = bb.parse.handle("conf/bitbake.conf", d, baseconfig=True)
    d.setVar("LAYERDIR", str(options.layer))
    d = bb.parse.handle(str(options.layer / "conf/layer.conf"), d, baseconfig=True)
    d.expandVarref("LAYERDIR")
    d.delVar("LAYERDIR")
    for assignment in options.set:
        name, value = assignment.split("=", 1)
        d.setVar(name, value)
    d.setVar("__bbclasstype", "global")
    bb.parse.BBHandler.inherit("base", "configuration", 0, d)
    bb.fetch2.fetcher_init(d)
    d.setVar("__bbclasstype", "recipe")
    return bb.parse.handle(str(options.recipe), d)[""]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topdir", type=Path, required=True)
    parser.add_argument("--layer", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--classes", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--print", action="append", default=[])
    parser.add_argument("tasks", nargs="*")
    options = parser.parse_args()
    # bb.fatal prints through this.
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s: %(message)s")
    options.classes = options.classes or [HERE / "yocto"]
    d = parse(options)
    if d.getVar("__SKIPPED"):
        for path, time in d.getVar("__depends", False):
            if not time:
                print(f"depends on the missing {path}")
        # BitBake prints this if something depends on the recipe.
        sys.exit(f"{d.getVar('PN')} was skipped: {d.getVar('__SKIPPED')}")
    for directory in ("T", "TMPDIR"):
        bb.utils.mkdirhier(d.getVar(directory))
    for task in options.tasks:
        for function in [*(d.getVarFlag(task, "prefuncs") or "").split(), task, *(d.getVarFlag(task, "postfuncs") or "").split()]:
            bb.build.exec_func(function, d)
    print(json.dumps({name: d.getVar(name) for name in options.print}))


if __name__ == "__main__":
    main()
