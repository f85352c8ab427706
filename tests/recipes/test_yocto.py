"""The layer's recipe, run by BitBake's own parser, fetcher and task functions for the host's architecture."""

import fnmatch
import hashlib
import itertools
import json
import os
import re
import shutil
import stat
import sys
import tomllib
import unittest
from functools import cache
from pathlib import Path

from project import LAYER, RECIPE, ROOT, downloads, expect, not_run, program, released, run, scratch, version

BITBAKE = ROOT / "tests/recipes/bitbake.py"
# BitBake passes none of these on: they would change what cargo does.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_", "RUSTFLAGS", "SUREPLUG_"))}
OELINT = {
    # Rule: justification.
    "oelint.vars.homepageping": "it asks the network",
    "oelint.var.bbclassextend": "a daemon for a board is of no use on the build machine",
    "oelint.var.mandatoryvar.HOMEPAGE": "there is no page yet",
    "oelint.var.suggestedvar.BUGTRACKER": "there is no page yet",
    "oelint.vars.noncoreoverride": "the kernel's append does nothing unless an image sets SUREPLUG_KERNEL_CONFIG",
    "oelint.vars.multilineident": "four spaces, as the layer has them everywhere",
}
# Impossible boards, and the message that ends the build.
BAD_VALUES = [
    ("USB_PORTS", ["none", "0", "128", "-1", "4 ports"], "SUREPLUG_USB_PORTS must be a whole number from 1 to 127"),
    ("PORT_DEVICE", ["floppy", "Storage", "custom:0x180@900"], "SUREPLUG_PORT_DEVICE must be hub, mouse"),
    ("DEVICES_PER_PORT", ["none", "0", "128", "21 devices"], "SUREPLUG_DEVICES_PER_PORT must be a whole number from 1 to 127"),
    ("MAX_STALL_MS", ["0", "600001", "1s"], "SUREPLUG_MAX_STALL_MS must be a whole number of milliseconds from 1 to 600000"),
    ("DEVPATH_MAX", ["9999", "15"], "SUREPLUG_DEVPATH_MAX must be a whole number of bytes from 16 to 1000"),
    ("SUBSYSTEMS", ["usb all", "usb a/b", "a-name-of-more-than-thirty-two-bytes", "a b c d e f g h i j k l m n o p q"],
     "SUREPLUG_SUBSYSTEMS must be at most 16 names of subsystems"),
]
BAD_FLAGS = ["--nonsense", "--ports 4 -x", "--port=4", "--hook '/bin/true'", '--log "/dev/ttyS1"', "--hook $HOOK"]
# The image by package: mode, owner and group, path. `-` means no package, which is an error.
COMMON = """
sureplug          -rw-r--r-- root root /etc/default/sureplug
sureplug          -rwxr-xr-x root root /usr/bin/sureplug
sureplug-doc      -rw-r--r-- root root /usr/share/doc/sureplug/CHANGELOG.md
sureplug-doc      -rw-r--r-- root root /usr/share/doc/sureplug/FOOTPRINT.md
sureplug-doc      -rw-r--r-- root root /usr/share/doc/sureplug/JSON.md
sureplug-doc      -rw-r--r-- root root /usr/share/doc/sureplug/MANUAL.md
sureplug-doc      -rw-r--r-- root root /usr/share/doc/sureplug/PROTOCOL.md
sureplug-doc      -rw-r--r-- root root /usr/share/doc/sureplug/README.md
sureplug-mdev     -rw-r--r-- root root /etc/default/sureplug-mdev
sureplug-modprobe -rw-r--r-- root root /etc/default/sureplug-modprobe
sureplug-mdev     -rwxr-xr-x root root /usr/lib/sureplug/mdev
sureplug-modprobe -rwxr-xr-x root root /usr/lib/sureplug/modprobe
sureplug-sysctl   -rw-r--r-- root root /usr/lib/sysctl.d/50-sureplug.conf
"""
SYSTEMD = COMMON + """
sureplug          -rw-r--r-- root root /usr/lib/systemd/system/sureplug.service
sureplug          -rw-r--r-- root root /usr/lib/tmpfiles.d/sureplug.conf
sureplug-mdev     -rw-r--r-- root root /usr/lib/systemd/system/sureplug.service.d/mdev.conf
sureplug-mount    -rw-r--r-- root root /usr/lib/systemd/system/sureplug-mount@.service
sureplug-mount    -rwxr-xr-x root root /usr/lib/sureplug/mount
sureplug-modprobe -rw-r--r-- root root /usr/lib/systemd/system/sureplug.service.d/modprobe.conf
"""
SYSVINIT = COMMON + """
sureplug          -rw-r--r-- root root /etc/default/volatiles/50_sureplug
sureplug          -rwxr-xr-x root root /etc/init.d/sureplug
"""


def bitbake(*tasks, layer=None, topdir="bitbake", show=(), **variables):
    """Runs tasks of the recipe. Returns the result and the variables to show."""
    variables = {"DL_DIR": downloads(), "DISTRO_FEATURES": "systemd"} | ({"SUREPLUG_TREE": ROOT} if layer else {}) | variables
    layer = layer or ROOT / LAYER
    recipe = layer / f"recipes-support/sureplug/sureplug_{version()}.bb"
    assignments = [word for name, value in variables.items() for word in ("--set", f"{name}={value}")]
    prints = [word for name in show for word in ("--print", name)]
    result = run(sys.executable, BITBAKE, "--topdir", scratch() / topdir, "--layer", layer, "--recipe", recipe,
                 *assignments, *prints, *tasks, env=ENVIRONMENT)
    return result, json.loads(result.stdout.splitlines()[-1]) if result.returncode == 0 else None


def changed_layer(name, change):
    """Returns a copy of the layer with a change to its recipe or a file beside it."""
    layer = scratch() / f"layer-{name}"
    shutil.rmtree(layer, ignore_errors=True)
    shutil.copytree(ROOT / LAYER, layer)
    changed = 0
    for path in (layer / "recipes-support/sureplug").iterdir():
        text = change(path.name, path.read_text())
        changed += text != path.read_text()
        path.write_text(text)
    assert changed, f"{name} changes nothing"
    return layer


def split(image, shown):
    """Returns the installed files by package, split as by OpenEmbedded-Core: the first package whose FILES match."""
    packages = shown["PACKAGES"].split()
    # The class `systemd` adds the units of SYSTEMD_SERVICE.
    units = {name: shown.get(f"SYSTEMD_SERVICE:{name}") or "" for name in packages}
    lines = []
    for path in sorted(image.rglob("*")):
        if path.is_dir():
            continue
        name = "/" + str(path.relative_to(image))
        package = "-"
        for candidate in packages:
            patterns = (shown[f"FILES:{candidate}"] or "").split()
            patterns += [f"/usr/lib/systemd/system/{unit}" for unit in units[candidate].split()]
            if any(fnmatch.fnmatch(name, pattern) or name.startswith(pattern.rstrip("/") + "/") for pattern in patterns):
                package = candidate
                break
        status = path.lstat()
        owner = {0: "root"}.get(status.st_uid, str(status.st_uid)), {0: "root"}.get(status.st_gid, str(status.st_gid))
        lines.append((package, stat.filemode(status.st_mode), *owner, name))
    return lines


def listed(text):
    return sorted(tuple(line.split()) for line in text.strip().splitlines() if line)


def files_shown(layer=None, **variables):
    _, shown = bitbake(layer=layer, show=["PACKAGES"], **variables)
    names = [f"{what}:{package}" for package in shown["PACKAGES"].split() for what in ("FILES", "SYSTEMD_SERVICE")]
    return bitbake(layer=layer, show=["PACKAGES", *names], **variables)[1]


@cache
def built():
    """Builds the recipe with systemd, and returns its directory."""
    result, _ = bitbake("do_fetch", "do_unpack", "do_configure", "do_compile", "do_install")
    assert result.returncode == 0, result.stdout
    return scratch() / "bitbake/tmp/recipes/sureplug"


def installed(layer=None, **variables):
    """Returns the files of do_install, split by package. The next call uses the same directory."""
    built()
    result, _ = bitbake("do_install", layer=layer, **variables)
    assert result.returncode == 0, result.stdout
    return sorted(split(built() / "image", files_shown(layer, **variables)))


def image(name, *packages, **variables):
    """Returns a directory with only the files of these packages."""
    folder = scratch() / name
    for package, *_, path in installed(**variables):
        if package in packages:
            (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(built() / "image" / path[1:], folder / path[1:])
    return folder


class Installed(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if os.geteuid():
            not_run("the owners of installed files", "installing for root needs root")

    def test_with_systemd(self):
        self.assertEqual(installed(DISTRO_FEATURES="systemd"), listed(SYSTEMD))

    def test_with_sysvinit(self):
        self.assertEqual(installed(DISTRO_FEATURES="sysvinit"), listed(SYSVINIT))

    def test_the_units_that_the_recipe_names_are_there(self):
        installed(DISTRO_FEATURES="systemd")
        self.assertEqual(missing_units(), [])

    def test_flags_of_the_image(self):
        installed(SUREPLUG_ARGS="--max-stall-ms 2000 --port-device custom:21x520+20x520@1400")
        text = (built() / "image/etc/default/sureplug").read_text()
        self.assertEqual(text.count("SUREPLUG_ARGS="), 1)
        wanted = "--max-stall-ms 2000 --port-device custom:21x520+20x520@1400"
        self.assertEqual(expect("sh", "-c", f'. {built()}/image/etc/default/sureplug; echo "$SUREPLUG_ARGS"').strip(), wanted)


def missing_units(layer=None):
    shown = bitbake(layer=layer, show=["SYSTEMD_SERVICE:sureplug"])[1]
    return [unit for unit in shown["SYSTEMD_SERVICE:sureplug"].split()
            if not (built() / "image/usr/lib/systemd/system" / unit).exists()]


class Broken(unittest.TestCase):
    """Counter-checks of the tests above."""

    @classmethod
    def setUpClass(cls):
        Installed.setUpClass()

    def test_files(self):
        layer = changed_layer("files", lambda _, text: text.replace("    ${nonarch_libdir}/sureplug/modprobe \\\n", ""))
        self.assertNotEqual(installed(layer), listed(SYSTEMD))
        layer = changed_layer("no-files", lambda _, text: text.replace('FILES:${PN} += "${nonarch_libdir}/tmpfiles.d"', ""))
        self.assertIn("-", {line[0] for line in installed(layer)})

    def test_checksum_of_a_crate(self):
        layer = changed_layer("crate", lambda _, text: re.sub(r'(nix-[\d.]*\.sha256sum\] = ")[0-9a-f]{4}', r"\g<1>0000", text))
        self.fetch_finds_a_bad_checksum("crate", layer=layer)

    def fetch_finds_a_bad_checksum(self, name, **variables):
        folder = scratch() / f"downloads-{name}"
        shutil.copytree(downloads(), folder, ignore=shutil.ignore_patterns("*.done"))
        if name == "archive":
            shutil.copy(released() / f"sureplug-{version()}.tar.gz", folder)
        result, _ = bitbake("do_fetch", topdir=f"bitbake-{name}", DL_DIR=folder, **variables)
        self.assertNotEqual(result.returncode, 0)
        # BitBake renames a file with a wrong checksum, and would fetch it again.
        self.assertEqual(len(list(folder.glob("*_bad-checksum_*"))), 1, result.stdout)

    def test_checksum_of_an_archive_from_a_server(self):
        layer = released_layer("served", lambda text: re.sub(r'(SRC_URI\[sha256sum\] = ")[0-9a-f]{4}', r"\g<1>0000", text))
        self.fetch_finds_a_bad_checksum("archive", layer=layer, SUREPLUG_SITE="https://sureplug.invalid")

    def test_checksum_of_an_archive_in_a_directory(self):
        layer = released_layer("kept", lambda text: re.sub(r'(SRC_URI\[sha256sum\] = ")[0-9a-f]{4}', r"\g<1>0000", text))
        result, _ = bitbake("do_fetch", layer=layer, topdir="bitbake-kept")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("this recipe is for another archive", result.stdout)

    def test_name_of_the_unit(self):
        layer = changed_layer("unit", lambda _, text: text.replace('= "sureplug.service"', '= "sureplugd.service"'))
        installed()
        self.assertEqual(missing_units(layer), ["sureplugd.service"])

    def test_crate_list(self):
        layer = changed_layer("crates", lambda _, text: re.sub(r".*rtrb[/-].*\n", "", text))
        result, _ = bitbake("do_fetch", "do_unpack", "do_configure", "do_compile", layer=layer, topdir="bitbake-crates")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("rtrb", result.stdout)

    def test_values(self):
        """A bad value ends the build with a message that names it. One build names all bad values."""
        built()
        for bad in itertools.zip_longest(*([(name, value, sentence) for value in values] for name, values, sentence in BAD_VALUES)):
            self.assert_no_build(list(filter(None, bad)))

    def test_flags(self):
        """They are checked before anything is compiled."""
        built()
        for flags in BAD_FLAGS:
            self.assert_no_build([("ARGS", flags, "SUREPLUG_ARGS must be flags of `sureplug run`, ")])

    def assert_no_build(self, bad):
        result, _ = bitbake("do_compile", **{f"SUREPLUG_{name}": value for name, value, _ in bad})
        self.assertNotEqual(result.returncode, 0, bad)
        for _, _, sentence in bad:
            self.assertIn(sentence, result.stdout, bad)


def released_layer(name, change=lambda text: text):
    """Returns a copy of the layer with a release's recipe instead of the tree's."""
    layer = scratch() / f"layer-{name}"
    shutil.copytree(ROOT / LAYER, layer)
    recipe = f"sureplug_{version()}.bb"
    (layer / "recipes-support/sureplug" / recipe).write_text(change((released() / recipe).read_text()))
    return layer


class Kernel(unittest.TestCase):
    """The append for linux-yocto: a layer alone must not change the hash of a recipe (`yocto-check-layer`)."""

    def sources(self, **variables):
        layer = scratch() / "layer-kernel"
        shutil.rmtree(layer, ignore_errors=True)
        shutil.copytree(ROOT / LAYER, layer)
        # BitBake appends it to the recipe; to be required, it needs another name.
        append = layer / "recipes-kernel/linux/linux-yocto_%.bbappend"
        append.rename(append.with_name("append.inc"))
        recipe = 'SRC_URI = "file://defconfig"\nrequire recipes-kernel/linux/append.inc\n'
        (layer / f"recipes-support/sureplug/sureplug_{version()}.bb").write_text(recipe)
        shown = bitbake(layer=layer, show=["SRC_URI", "FILESEXTRAPATHS"], **variables)[1]
        return shown["SRC_URI"], shown["FILESEXTRAPATHS"]

    def test_it_changes_nothing_unless_an_image_asks(self):
        self.assertEqual(self.sources(), ("file://defconfig", None))
        self.assertEqual(self.sources(SUREPLUG_KERNEL_CONFIG="0"), ("file://defconfig", None))

    def test_an_image_that_asks_gets_the_options(self):
        uri, paths = self.sources(SUREPLUG_KERNEL_CONFIG="1")
        self.assertEqual(uri.split(), ["file://defconfig", "file://sureplug.cfg"])
        self.assertTrue((Path(paths.split(":")[0]) / "sureplug.cfg").exists(), paths)


class Sources(unittest.TestCase):
    """The sources: the tree around the layer, or a release's archive."""

    def unpacked(self, topdir, **variables):
        result, _ = bitbake("do_fetch", "do_unpack", topdir=topdir, **variables)
        self.assertEqual(result.returncode, 0, result.stdout)
        return scratch() / topdir / f"tmp/recipes/sureplug/sources/sureplug-{version()}"

    def files(self, folder):
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def test_by_default_the_tree_around_the_layer(self):
        tree = scratch() / "tree"
        for part in "core", "board", "yocto":
            shutil.copytree(ROOT / part, tree / part, symlinks=True)
        for part in "Cargo.toml", "Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT", "CHANGELOG.md":
            shutil.copy(ROOT / part, tree)
        # A change without a commit or a checksum.
        (tree / "board/src/main.rs").write_text("// Changed.\n" + (tree / "board/src/main.rs").read_text())
        found = self.files(self.unpacked("bitbake-tree", layer=tree / LAYER, SUREPLUG_TREE=tree))
        wanted = {name: content for name, content in self.files(tree).items() if not name.startswith("yocto/")}
        self.assertEqual(found, wanted)
        # And without the variable, by the layer's path.
        self.assertEqual(bitbake(show=["SUREPLUG_TREE"])[1]["SUREPLUG_TREE"], str(ROOT))
        self.assertEqual(sorted(self.files(self.unpacked("bitbake-own"))), sorted(wanted))

    def test_a_release(self):
        layer = released_layer("release")
        found = self.files(self.unpacked("bitbake-release", layer=layer))
        self.assertEqual(found["board/src/main.rs"], (ROOT / "board/src/main.rs").read_bytes())
        self.assertIn("Cargo.lock", found)

    def test_a_layer_without_its_tree_is_skipped_with_a_sentence(self):
        layer = changed_layer("alone", lambda name, text: text + "\n")
        result, _ = bitbake("do_fetch", layer=layer, SUREPLUG_TREE=scratch())
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("keep the layer in its tree, set SUREPLUG_TREE to the tree's path, or take the recipe of a release", result.stdout)
        self.assertNotIn("Traceback", result.stdout)

    def test_a_missing_archive_is_named_with_the_command_that_makes_it(self):
        result, _ = bitbake("do_fetch", layer=released_layer("missing"), SUREPLUG_SITE="file:///nowhere/release")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"/nowhere/release/sureplug-{version()}.tar.gz is missing: make it with ", result.stdout)
        self.assertIn("/tests/recipes/release /nowhere/release", result.stdout)
        self.assertNotIn("Traceback", result.stdout)

    def test_a_skipped_recipe_is_parsed_again_when_the_missing_file_appears(self):
        """BitBake's cache compares the times of these files; 0 if one was missing."""
        manifest = str(scratch() / "appears/board/Cargo.toml")
        archive = f"/nowhere/release/sureplug-{version()}.tar.gz"
        for name, missing, layer, variables in [
            ("tree", manifest, changed_layer("appears", lambda name, text: text + "\n"), {"SUREPLUG_TREE": scratch() / "appears"}),
            ("archive", archive, released_layer("appears-archive"), {"SUREPLUG_SITE": "file:///nowhere/release"}),
        ]:
            result, _ = bitbake(layer=layer, **variables)
            self.assertIn(f"depends on the missing {missing}\n", result.stdout, name)

    def test_an_old_rust_is_skipped_with_a_sentence(self):
        for variable, value, is_skipped in [
            ("PREFERRED_VERSION_cargo-native", "1.75%", True), ("PREFERRED_VERSION_cargo-native", "1.86.0%", True),
            ("RUSTVERSION", "1.75%", True), ("PREFERRED_VERSION_cargo-native", "1.87.0", False),
            ("PREFERRED_VERSION_cargo-native", "1.90.0%", False), ("RUSTVERSION", "2.0%", False),
        ]:
            result, _ = bitbake(**{variable: value})
            self.assertEqual(result.returncode != 0, is_skipped, f"{variable}={value}: {result.stdout}")
            if is_skipped:
                self.assertIn(f"sureplug needs Rust 1.87 or later, and this build prefers {value.rstrip('%')}: ", result.stdout)
                self.assertNotIn("Traceback", result.stdout)

    def test_the_oldest_rust_is_the_workspaces(self):
        workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
        self.assertEqual(bitbake(show=["SUREPLUG_RUST"])[1], {"SUREPLUG_RUST": workspace["rust-version"]})


class Debugging(unittest.TestCase):
    def test_the_debug_package_has_lines_of_ours(self):
        lines = expect("readelf", "--debug-dump=decodedline", built() / "build/target/release/sureplug")
        for name in "main.rs", "lib.rs":
            self.assertRegex(lines, rf"(?m)^{re.escape(name)} +\d+ ")
        self.assertRegex(lines, r"board/src/\S*main\.rs|board/src")

    def test_the_spdx_names_no_crate_of_the_recipe(self):
        # The classes `cargo_common` and `create-spdx` set this.
        urls = "pkg:cargo/sureplug@%s pkg:yocto/sureplug/sureplug@%s" % (version(), version())
        shown = bitbake(show=["SPDX_PACKAGE_URLS"], SPDX_PACKAGE_URLS=urls)[1]["SPDX_PACKAGE_URLS"]
        self.assertEqual(shown.split(), [f"pkg:yocto/sureplug/sureplug@{version()}"])


class Board(unittest.TestCase):
    def test_an_image_states_its_board(self):
        built()
        result, _ = bitbake("do_compile", SUREPLUG_USB_PORTS="7", SUREPLUG_PORT_DEVICE="keyboard",
                            SUREPLUG_MAX_STALL_MS="2500", SUREPLUG_DEVPATH_MAX="120")
        self.assertEqual(result.returncode, 0, result.stdout)
        size = json.loads(run(built() / "build/target/release/sureplug", "size", "--json").stdout)
        stated = {name: size[name] for name in ("ports_stated", "ports", "port_device", "max_stall_ms", "devpath_max_bytes")}
        self.assertEqual(stated, {"ports_stated": True, "ports": 7, "port_device": "keyboard", "max_stall_ms": 2500,
                                  "devpath_max_bytes": 120})

    def test_an_image_that_states_nothing(self):
        built()
        result, _ = bitbake("do_compile")
        self.assertEqual(result.returncode, 0, result.stdout)
        size = json.loads(run(built() / "build/target/release/sureplug", "size", "--json").stdout)
        self.assertEqual((size["ports_stated"], size["port_device"]), (False, "storage"))

    def test_gpio(self):
        """The feature is built from the listed crates; without it the program does not have the flag."""
        built()
        result, _ = bitbake("do_compile", PACKAGECONFIG="small gpio")
        self.assertEqual(result.returncode, 0, result.stdout)
        for sureplug, said in [(built() / "build/target/release/sureplug", "--led-gpio nothing: write CHIP:LINE"),
                               (program(), "unknown option `--led-gpio`")]:
            self.assertIn(said, run(sureplug, "run", "--led-gpio", "nothing").stdout)


class Style(unittest.TestCase):
    def test_oelint(self):
        files = [path for path in (ROOT / LAYER).rglob("*") if path.suffix in (".bb", ".bbappend") or path.name == "layer.conf"]
        constants = ROOT / "tests/recipes/yocto/oelint.json"
        result = run(shutil.which("oelint-adv") or (os.path.dirname(sys.executable) + "/oelint-adv"), "--quiet",
                     "--release", "wrynose", f"--constantmods=+{constants}",
                     *[word for rule in OELINT for word in ("--suppress", rule)], *files)
        # The list of crates has the style of its generator.
        findings = [line for line in result.stdout.splitlines() if "sureplug-crates.inc" not in line and line.strip()]
        self.assertEqual(findings, [])

    def test_oelint_sees_a_mistake(self):
        layer = changed_layer("oelint", lambda _, text: text.replace('SECTION = "base"', 'SECTON = "base"'))
        result = run(os.path.dirname(sys.executable) + "/oelint-adv", "--quiet", "--release", "wrynose",
                     layer / f"recipes-support/sureplug/sureplug_{version()}.bb")
        self.assertIn("SECTON", result.stdout)

    def test_licence_files_are_those_that_the_recipe_knows(self):
        checksums = bitbake(show=["LIC_FILES_CHKSUM"])[1]["LIC_FILES_CHKSUM"].split()
        self.assertEqual(len(checksums), 2)
        for entry in checksums:
            name, md5 = re.fullmatch(r"file://(.*);md5=(.*)", entry).groups()
            self.assertEqual(hashlib.md5((ROOT / name).read_bytes()).hexdigest(), md5, name)

    def test_the_group_is_the_one_that_the_daemon_is_given(self):
        shown = bitbake(show=["GROUPADD_PARAM:sureplug", "USERADD_PACKAGES"])[1]
        self.assertEqual(shown, {"GROUPADD_PARAM:sureplug": "--system sureplug", "USERADD_PACKAGES": "sureplug"})

    def test_variables_are_documented(self):
        recipe = "".join(path.read_text() for path in [*(ROOT / RECIPE).glob("*.bb"), *(ROOT / RECIPE).glob("sureplug*.inc")])
        readme = (ROOT / LAYER / "README.md").read_text()
        for name in re.findall(r"^(SUREPLUG_\w+) \?=", recipe, re.MULTILINE):
            self.assertIn(f"`{name}`", readme)


if __name__ == "__main__":
    unittest.main()
