"""Buildroot's external tree: its options with kconfiglib, its package's make code with make, and the required style."""

import hashlib
import json
import os
import re
import shutil
import stat
import unittest
from functools import cache
from pathlib import Path

import kconfiglib

from project import LAYER, RECIPE, ROOT, expect, program, released, run, scratch, version

TREE = ROOT / "buildroot"
PREFIX = "BR2_PACKAGE_SUREPLUG"
# Buildroot's own definitions, as far as the package needs them: package/rustc/Config.in.host, arch/Config.in,
# package/busybox/Config.in, package/kmod/Config.in, Config.in.
KCONFIG = """
config BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS
	bool "rust"
	default y

config BR2_USE_MMU
	bool "mmu"
	default y

config BR2_PACKAGE_HOST_RUSTC
	bool

config BR2_PACKAGE_BUSYBOX
	bool "busybox"
	default y

config BR2_PACKAGE_KMOD
	bool "kmod"

config BR2_PACKAGE_KMOD_TOOLS
	bool "kmod utilities"
	depends on BR2_PACKAGE_KMOD

config BR2_INIT_SYSTEMD
	bool "systemd"

config BR2_ENABLE_DEBUG
	bool "debug"

config BR2_DEFCONFIG
	string "defconfig"

source "$BR2_EXTERNAL_SUREPLUG_PATH/Config.in"
"""
# The definitions of Buildroot's make files, as far as the package uses them: package/Makefile.in, package/pkg-utils.mk,
# package/pkg-generic.mk.
MAKEFILE = """
include $(CONFIG)
BR2_CONFIG = $(CONFIG)
qstrip = $(strip $(subst ",,$(1)))
INSTALL = install
KCONFIG_ENABLE_OPT = @echo $(1)
SUREPLUG_PKGDIR = $(BR2_EXTERNAL_SUREPLUG_PATH)/package/sureplug
SUREPLUG_DL_DIR = $(DL_DIR)/sureplug
cargo-package =
include $(BR2_EXTERNAL_SUREPLUG_PATH)/external.mk
install:
	$(foreach hook,$(SUREPLUG_POST_INSTALL_TARGET_HOOKS),$(call $(hook))$(newline))
	$(SUREPLUG_INSTALL_INIT_$(INIT))
install: override @D = $(SOURCE)
check:
	$(foreach hook,$(SUREPLUG_PRE_BUILD_HOOKS),$(call $(hook))$(newline))
check: override @D = $(SOURCE)
download:
	$(foreach hook,$(SUREPLUG_PRE_DOWNLOAD_HOOKS),$(call $(hook))$(newline))
print-%:
	$(info $($*))@:
print-%: override @D = $(SOURCE)
fixups:
	$(SUREPLUG_LINUX_CONFIG_FIXUPS)
busybox-fixups:
	$(SUREPLUG_BUSYBOX_CONFIG_FIXUPS)
define newline


endef
"""
SYSV = """
-rw-r--r-- /etc/default/sureplug
-rwxr-xr-x /etc/init.d/S30sureplug
"""
SYSTEMD = """
-rw-r--r-- /etc/default/sureplug
-rw-r--r-- /usr/lib/systemd/system/sureplug.service
-rw-r--r-- /usr/lib/tmpfiles.d/sureplug.conf
"""


def listed(text):
    return sorted(tuple(line.split()) for line in text.strip().splitlines())


def configuration(**values):
    """Returns the options after Kconfig has evaluated them, with these set."""
    (scratch() / "Kconfig").write_text(KCONFIG)
    os.environ["BR2_EXTERNAL_SUREPLUG_PATH"] = str(TREE)
    options = kconfiglib.Kconfig(str(scratch() / "Kconfig"), warn_to_stderr=False)
    for name, value in {"BR2_PACKAGE_SUREPLUG": "y", **values}.items():
        options.syms[name if name.startswith("BR2_") else f"{PREFIX}_{name}"].set_value(value)
    return options


def make(target, init="SYSV", image="image", tree=None, source=ROOT, **values):
    """Runs a target with the package's make code under these options. Returns its output and the image."""
    folder = scratch() / "make" / image
    folder.mkdir(parents=True, exist_ok=True)
    # As the kernel's Kconfig writes it with an empty CONFIG_=, which Buildroot sets.
    options = configuration(**values)
    lines = [symbol.config_string.removeprefix("CONFIG_") for symbol in options.unique_defined_syms]
    (folder / "config").write_text("".join(lines))
    (folder / "Makefile").write_text(MAKEFILE)
    output = expect("make", "--no-print-directory", "-s", "-C", folder, f"CONFIG={folder}/config", f"INIT={init}", f"SOURCE={source}",
                    f"TARGET_DIR={folder}/target", f"DL_DIR={folder}/dl", f"BR2_EXTERNAL_SUREPLUG_PATH={tree or TREE}", target)
    return output, folder / "target"


def installed(**arguments):
    _, target = make("install", **arguments)
    return sorted((stat.filemode(path.stat().st_mode), "/" + str(path.relative_to(target)))
                  for path in target.rglob("*") if not path.is_dir())


def cargo_environment(source=ROOT, **values):
    """Returns the variables of SUREPLUG_CARGO_ENV as the shell passes them to cargo."""
    output, _ = make("print-SUREPLUG_CARGO_ENV", image="environment", source=source, **values)
    shown = expect("sh", "-c", f"env -i {output.strip()} /usr/bin/env")
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line and not line.startswith(("PWD", "SHLVL", "_=")))


def copied_tree(name):
    """Returns a copy of the external tree, with the files that it links to."""
    return Path(shutil.copytree(TREE, scratch() / f"tree-{name}"))


class Options(unittest.TestCase):
    def symbol(self, options, name):
        return options.syms[f"{PREFIX}_{name}"]

    def test_defaults_are_the_programs(self):
        options = configuration()
        defaults = {name: self.symbol(options, name).str_value
                    for name in ("USB_PORTS", "PORT_DEVICE", "DEVICES_PER_PORT", "MAX_STALL_MS", "DEVPATH_MAX", "SUBSYSTEMS", "ARGS", "GPIO")}
        self.assertEqual(defaults, {"USB_PORTS": "", "PORT_DEVICE": "storage", "DEVICES_PER_PORT": "", "MAX_STALL_MS": "1000",
                                    "DEVPATH_MAX": "96", "SUBSYSTEMS": "", "ARGS": "", "GPIO": "n"})
        size = json.loads(run(program(), "size", "--json").stdout)
        self.assertEqual((size["port_device"], size["max_stall_ms"]), ("storage", 1000))

    def test_kconfig_replaces_no_value(self):
        """Kconfig would do so silently; `Build.test_values` checks that the build rejects such values."""
        for symbol in configuration().unique_defined_syms:
            self.assertNotIn(symbol.orig_type, (kconfiglib.INT, kconfiglib.HEX), symbol.name)
        for name in "USB_PORTS", "DEVICES_PER_PORT", "MAX_STALL_MS", "DEVPATH_MAX":
            for value in "-1", "0", "128", "600001", "four", "04", "1 000", "0x4":
                self.assertEqual(cargo_environment(**{name: value}).get(f"SUREPLUG_{name}"), value)
            self.assertNotIn(f"SUREPLUG_{name}", cargo_environment(**{name: ""}))

    def test_every_device_of_the_choice_is_one_of_the_program(self):
        options = configuration()
        choice = [symbol.name for symbol in options.unique_defined_syms if f"{PREFIX}_PORT_DEVICE_" in symbol.name and symbol.choice]
        self.assertEqual(len(choice), 13)
        for name in choice:
            output, _ = make("print-SUREPLUG_PORT_DEVICE", image="device", **{name: "y"})
            code = run(program(), "size", "--port-device", output.strip()).returncode
            self.assertIn(code, (0, 1), output)

    def test_dependencies(self):
        options = configuration(BR2_PACKAGE_HOST_RUSTC_TARGET_ARCH_SUPPORTS="n")
        self.assertEqual(options.syms[PREFIX].str_value, "n")
        options = configuration(BR2_USE_MMU="n")
        self.assertEqual(options.syms[PREFIX].str_value, "n")
        options = configuration()
        self.assertEqual(options.syms["BR2_PACKAGE_HOST_RUSTC"].str_value, "y")
        options = configuration(BR2_PACKAGE_BUSYBOX="n", HOOK_MDEV="y")
        self.assertEqual(options.syms[f"{PREFIX}_HOOK_MDEV"].str_value, "n")
        for busybox, kmod, is_offered in ("n", "n", "n"), ("y", "n", "y"), ("n", "y", "y"), ("y", "y", "y"):
            options = configuration(BR2_PACKAGE_BUSYBOX=busybox, BR2_PACKAGE_KMOD=kmod, HOOK_MODPROBE="y")
            self.assertEqual(options.syms[f"{PREFIX}_HOOK_MODPROBE"].str_value, is_offered, (busybox, kmod))
            # Without busybox, kmod provides modprobe.
            self.assertEqual(options.syms["BR2_PACKAGE_KMOD_TOOLS"].str_value, "y" if (busybox, kmod) == ("n", "y") else "n")
        self.assertEqual(options.syms[f"{PREFIX}_PORT_DEVICE_FIGURES"].visibility, 0)

    def test_every_option_has_help(self):
        for symbol in configuration().unique_defined_syms:
            for node in symbol.nodes:
                if symbol.name.startswith(PREFIX) and node.prompt and not symbol.name.endswith("HOOK_NONE"):
                    self.assertTrue(node.help, symbol.name)

    def test_warnings(self):
        self.assertEqual(configuration().warnings, [])

    def test_defconfigs_set_only_what_there_is(self):
        options = configuration()
        for path in (TREE / "configs").iterdir():
            lines = path.read_text().splitlines()
            self.assertIn("BR2_DOWNLOAD_FORCE_CHECK_HASHES=y", lines, path)
            for line in lines:
                name, _, value = line.partition("=")
                if not name.startswith(PREFIX):
                    continue
                self.assertIn(name, options.syms, path)
                if options.syms[name].orig_type == kconfiglib.STRING:
                    value = re.fullmatch('"(.*)"', value)[1]
                options.syms[name].set_value(value)
                self.assertEqual(options.syms[name].str_value, value, line)
            self.assertIn(f"{PREFIX}=y", lines)


class Image(unittest.TestCase):
    maxDiff = None

    def test_with_an_init_script(self):
        self.assertEqual(installed(image="sysv"), listed(SYSV))

    def test_with_systemd(self):
        self.assertEqual(installed(image="systemd", init="SYSTEMD"), listed(SYSTEMD))

    def test_hooks(self):
        self.assertEqual(installed(image="modprobe", HOOK_MODPROBE="y"),
                         listed(SYSV + "-rw-r--r-- /etc/default/sureplug-modprobe\n-rwxr-xr-x /usr/lib/sureplug/modprobe"))
        self.assertEqual(installed(image="mdev", init="SYSTEMD", HOOK_MDEV="y"),
                         listed(SYSTEMD + "-rw-r--r-- /etc/default/sureplug-mdev\n-rwxr-xr-x /usr/lib/sureplug/mdev\n"
                                "-rw-r--r-- /usr/lib/systemd/system/sureplug.service.d/mdev.conf"))

    def test_mounts(self):
        self.assertEqual(installed(image="mount", init="SYSTEMD", MOUNT="y", BR2_INIT_SYSTEMD="y"),
                         listed(SYSTEMD + "-rwxr-xr-x /usr/lib/sureplug/mount\n"
                                "-rw-r--r-- /usr/lib/systemd/system/sureplug-mount@.service"))
        self.assertEqual(configuration(MOUNT="y").syms[f"{PREFIX}_MOUNT"].str_value, "n")

    def test_hooks_get_what_they_run_from_busybox(self):
        def fixups(**values):
            return make("busybox-fixups", image="busybox", **values)[0].split()

        self.assertEqual(fixups(), [])
        self.assertEqual(fixups(HOOK_MODPROBE="y"), ["CONFIG_MODPROBE"])
        self.assertEqual(fixups(HOOK_MODPROBE="y", BR2_PACKAGE_KMOD="y", BR2_PACKAGE_KMOD_TOOLS="y"), [])
        self.assertEqual(fixups(HOOK_MDEV="y"), ["CONFIG_MODPROBE", "CONFIG_MDEV", "CONFIG_FEATURE_MDEV_CONF"])
        self.assertEqual(fixups(HOOK_MDEV="y", BR2_PACKAGE_KMOD="y", BR2_PACKAGE_KMOD_TOOLS="y"),
                         ["CONFIG_MDEV", "CONFIG_FEATURE_MDEV_CONF"])

    def test_sysctl(self):
        self.assertEqual(installed(image="sysctl", SYSCTL="y"), listed(SYSV + "-rw-r--r-- /etc/sysctl.d/50-sureplug.conf"))

    def test_flags_of_the_image(self):
        flags = "--max-stall-ms 2000 --port-device custom:21x520+20x520@1400"
        _, target = make("install", image="flags", ARGS=flags)
        self.assertEqual(expect("sh", "-c", f'. {target}/etc/default/sureplug; echo "$SUREPLUG_ARGS"').strip(), flags)

    def test_a_missing_file_is_seen(self):
        """A counter-check of the tests above."""
        tree = copied_tree("broken")
        makefile = tree / "package/sureplug/sureplug.mk"
        makefile.write_text(makefile.read_text().replace("/etc/init.d/S30sureplug", "/etc/init.d/S30sureplugd"))
        self.assertNotEqual(installed(image="broken", tree=tree), listed(SYSV))

    def test_the_group_is_the_one_that_the_daemon_is_given(self):
        output, _ = make("print-SUREPLUG_USERS", image="users")
        self.assertEqual(output.split()[:4], ["-", "-", "sureplug", "-1"])
        self.assertEqual(output.split()[4:8], ["*", "-", "-", "-"])

    def test_the_kernels_options_are_the_same_as_in_yocto(self):
        output, _ = make("fixups", image="fixups")
        fragment = (ROOT / LAYER / "recipes-kernel/linux/files/sureplug.cfg").read_text()
        self.assertEqual(output.split(), re.findall(r"^(CONFIG_\w+)=y$", fragment, re.MULTILINE))


class Build(unittest.TestCase):
    def test_the_release_profile_is_ours_again(self):
        import tomllib
        environment = cargo_environment()
        ours = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]["release"]
        restored = {name: environment[f"CARGO_PROFILE_RELEASE_{name.upper().replace('-', '_')}"]
                    for name in ("opt-level", "lto", "codegen-units")}
        self.assertEqual(restored, {name: str(ours[name]) for name in restored})
        # Buildroot does not override these two.
        self.assertEqual(set(ours) - set(restored), {"panic", "strip"})

    def test_a_debug_build_has_buildroots_optimisation(self):
        environment = cargo_environment(BR2_ENABLE_DEBUG="y")
        profile = {name: value for name, value in environment.items() if name.startswith("CARGO_PROFILE_")}
        self.assertEqual(profile, {"CARGO_PROFILE_RELEASE_STRIP": "none"})

    def test_no_path_of_the_build_is_in_the_program(self):
        folder = scratch() / "build-path"
        folder.mkdir()
        expect("tar", "xzf", released() / f"sureplug-{version()}-vendored.tar.gz", "-C", folder, "--strip-components=1")
        expect("cargo", "build", "--quiet", "--offline", "--locked", "--release", cwd=folder / "board",
               env=os.environ | {"CARGO_TARGET_DIR": str(folder / "target"), "CARGO_HOME": str(folder / "home")} | cargo_environment(source=folder))
        built = (folder / "target/release/sureplug").read_bytes()
        self.assertNotIn(str(folder).encode(), built)
        # Without the flag it contains the paths of the crates.
        self.assertIn(b"/registry/src/", program().read_bytes())

    def test_arm_keeps_the_flag_that_buildroot_gives_it(self):
        output, _ = make("print-SUREPLUG_RUSTFLAGS", image="arm", BR2_ENABLE_DEBUG="n")
        self.assertNotIn("--allow-multiple-definition", output)
        os.environ["NORMALIZED_ARCH"] = "arm"
        self.addCleanup(os.environ.pop, "NORMALIZED_ARCH")
        output, _ = make("print-SUREPLUG_RUSTFLAGS", image="arm")
        self.assertIn("-Clink-arg=-Wl,--allow-multiple-definition", output)
        self.assertIn(f"--remap-path-prefix={ROOT}=sureplug", output)

    def test_the_board(self):
        environment = cargo_environment(USB_PORTS="7", PORT_DEVICE_CUSTOM="y", PORT_DEVICE_FIGURES="9x400@700", DEVICES_PER_PORT="3",
                                        MAX_STALL_MS="2500", DEVPATH_MAX="120", SUBSYSTEMS="usb block")
        board = {name: value for name, value in environment.items() if name.startswith("SUREPLUG_")}
        self.assertEqual(board, {"SUREPLUG_USB_PORTS": "7", "SUREPLUG_PORT_DEVICE": "custom:9x400@700", "SUREPLUG_DEVICES_PER_PORT": "3",
                                 "SUREPLUG_MAX_STALL_MS": "2500", "SUREPLUG_DEVPATH_MAX": "120", "SUREPLUG_SUBSYSTEMS": "usb block"})

    def test_values(self):
        """A bad value ends the build with a message that names it. One build names all bad values."""
        ports = "SUREPLUG_USB_PORTS must be a whole number from 1 to 127"
        stall = "SUREPLUG_MAX_STALL_MS must be a whole number of milliseconds from 1 to 600000"
        devpath = "SUREPLUG_DEVPATH_MAX must be a whole number of bytes from 16 to 1000"
        device = "SUREPLUG_PORT_DEVICE must be hub, mouse"
        subsystems = "SUREPLUG_SUBSYSTEMS must be at most 16 names of subsystems"
        custom = {"PORT_DEVICE_CUSTOM": "y"}
        for options, sentences in [
            ({"USB_PORTS": "128", "MAX_STALL_MS": "0", "DEVPATH_MAX": "15", "SUBSYSTEMS": "usb all"}, [ports, stall, devpath, subsystems]),
            ({"USB_PORTS": "0", "MAX_STALL_MS": "600001", "DEVPATH_MAX": "1001"}, [ports, stall, devpath]),
            ({"USB_PORTS": "-1", "MAX_STALL_MS": "1s", "DEVPATH_MAX": "0x60"}, [ports, stall, devpath]),
            ({"USB_PORTS": "four", "SUBSYSTEMS": "a-name-of-more-than-thirty-two-bytes"}, [ports, subsystems]),
            (custom | {"PORT_DEVICE_FIGURES": "lots"}, [device]),
            (custom | {"PORT_DEVICE_FIGURES": "0x180@900"}, [device]),
            ({"PORT_DEVICE_HUB8": "y", "USB_PORTS": "15"}, ["exceeds the 127 of a USB bus"]),
            ({"USB_PORTS": "127", "MAX_STALL_MS": "600000"}, ["together need a larger buffer than a socket can have"]),
        ]:
            built = run("cargo", "build", "--locked", "--release", "--package", "sureplug-board", cwd=ROOT,
                        env=os.environ | cargo_environment(**options) | {"CARGO_TERM_COLOR": "never"})
            self.assertNotEqual(built.returncode, 0, options)
            for sentence in sentences:
                self.assertIn(sentence, built.stdout, options)

    def test_flags(self):
        make("check", image="good-flags", ARGS="--max-stall-ms 2000 --oom-score-adj -900 --led-gpio /dev/gpiochip0:17 -v")
        for flags in "--nonsense", "-x", "--ports '4'", '--log "/dev/ttyS1"':
            with self.assertRaisesRegex(AssertionError, "SUREPLUG_ARGS must be flags of `sureplug run`, "):
                make("check", image="bad-flags", ARGS=flags)

    def test_a_value_without_quotes_ends_the_build(self):
        """Only the defconfig shows it: Kconfig gives the option its default."""
        defconfig = scratch() / "quotes_defconfig"
        named = {"BR2_DEFCONFIG": str(defconfig)}
        defconfig.write_text(f'# A comment.\nBR2_ARGS=4\n{PREFIX}=y\n{PREFIX}_GPIO=n\n{PREFIX}_USB_PORTS="4"\n{PREFIX}_ARGS=""\n')
        make("check", image="quotes", **named)
        for value in "4", "four", "y4", '"4', "":
            line = f"{PREFIX}_USB_PORTS={value}"
            defconfig.write_text(f"{line}\n")
            with self.assertRaisesRegex(AssertionError, f"{re.escape(line)}\n(.*\n)*sureplug: put the values above in quotes"):
                make("check", image="no-quotes", **named)

    def test_what_is_not_stated_is_not_there(self):
        self.assertEqual({"SUREPLUG_USB_PORTS", "SUREPLUG_SUBSYSTEMS"} & set(cargo_environment()), set())

    def test_features(self):
        for name in "BUILD", "INSTALL":
            self.assertEqual(make(f"print-SUREPLUG_CARGO_{name}_OPTS", image="plain")[0].split(), ["--features", "small"])
            self.assertEqual(make(f"print-SUREPLUG_CARGO_{name}_OPTS", image="gpio", GPIO="y")[0].split(),
                             ["--features", "small", "--features", "gpio"])


class Download(unittest.TestCase):
    """This tree's archive needs no checksum; a server's needs a release's hash file."""

    def download(self, site, tree=None, image="download"):
        output, _ = make("download", image=image, tree=tree, SITE=site)
        return output

    def test_the_archive_of_the_tree_replaces_an_earlier_one(self):
        site, copy = scratch() / "site", scratch() / f"make/download/dl/sureplug/sureplug-{version()}-vendored.tar.gz"
        site.mkdir()
        for content in "one", "two":
            (site / copy.name).write_text(content)
            self.download(f"file://{site}")
            self.assertEqual(copy.read_text(), content)

    def test_the_tree_has_no_checksum_of_itself(self):
        self.assertEqual(list(TREE.rglob("*.hash")), [])
        self.assertNotIn("SRC_URI[sha256sum]", (ROOT / RECIPE / f"sureplug_{version()}.bb").read_text())

    def test_a_missing_archive_is_named_with_the_command_that_makes_it(self):
        sentence = f"/nowhere/sureplug-{version()}-vendored.tar.gz is missing: make it with {ROOT}/tests/recipes/release /nowhere"
        with self.assertRaisesRegex(AssertionError, re.escape(sentence)):
            self.download("file:///nowhere", image="missing")

    def test_a_server_needs_the_hash_file_of_a_release(self):
        with self.assertRaisesRegex(AssertionError, "copy the release's sureplug.hash to package/sureplug"):
            self.download("https://sureplug.invalid", image="server")
        tree = copied_tree("pinned")
        shutil.copy(released() / "sureplug.hash", tree / "package/sureplug")
        self.download("https://sureplug.invalid", tree=tree, image="server")


class Style(unittest.TestCase):
    """The rules of `check-package`, as far as they can be checked without it."""

    @staticmethod
    @cache
    def files():
        return [path for path in TREE.rglob("*") if path.is_file() and path.name != "README.md"]

    def test_lines(self):
        for path in self.files():
            text = path.read_text()
            self.assertTrue(text.endswith("\n") and not text.endswith("\n\n"), path)
            if path.suffix != ".py":
                self.assertNotIn("\n\n\n", text, path)
            for number, line in enumerate(text.splitlines(), 1):
                self.assertEqual(line, line.rstrip(), f"{path}:{number}")
                if path.suffix in (".mk", ".hash") or path.name == "Config.in":
                    self.assertNotRegex(line, r"^ +", f"{path}:{number}")

    def test_nothing_is_executable(self):
        for path in self.files():
            if not path.suffix == ".py":
                self.assertFalse(os.access(path, os.X_OK) and path.stat().st_mode & 0o111, path)

    def test_help_is_indented_by_a_tab_and_two_blanks_and_short(self):
        inside = False
        for number, line in enumerate((TREE / "package/sureplug/Config.in").read_text().splitlines(), 1):
            if line.strip() == "help":
                inside = True
            elif line and not line.startswith("\t"):
                inside = False
            elif inside and line:
                self.assertRegex(line, r"^\t  .{1,62}$", f"Config.in:{number}")

    def test_attributes_are_in_their_order(self):
        order = ["bool", "string", "int", "prompt", "default", "range", "depends", "select", "help"]
        last = 0
        for number, line in enumerate((TREE / "package/sureplug/Config.in").read_text().splitlines(), 1):
            word = line.strip().split(" ")[0]
            if not line.startswith("\t"):
                last = 0
            elif word in order and not line.startswith("\t  "):
                self.assertGreaterEqual(order.index(word), last, f"Config.in:{number}")
                last = order.index(word)

    def test_the_makefile_begins_with_its_name(self):
        lines = (TREE / "package/sureplug/sureplug.mk").read_text().splitlines()
        self.assertEqual(lines[:6], ["#" * 80, "#", "# sureplug", "#", "#" * 80, ""])
        for line in lines:
            self.assertNotRegex(line, r"^(ifdef|ifndef)")
            for name in re.findall(r"^(\w+) [:+?]?=", line):
                self.assertTrue(name.startswith("SUREPLUG_"), name)

    def test_hashes_of_a_release(self):
        lines = (released() / "sureplug.hash").read_text().splitlines()
        names = {}
        for line in lines[1:]:
            checksum, name = re.fullmatch(r"sha256  ([0-9a-f]{64})  (\S+)", line).groups()
            names[name] = checksum
        archive = f"sureplug-{version()}-vendored.tar.gz"
        files = {archive: released() / archive, "LICENSE-APACHE": ROOT / "LICENSE-APACHE", "LICENSE-MIT": ROOT / "LICENSE-MIT"}
        self.assertEqual(names, {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()})

    def test_the_init_script(self):
        path = TREE / "package/sureplug/S30sureplug"
        text = path.read_text()
        self.assertIn('\nDAEMON="sureplug"\nPIDFILE="/var/run/$DAEMON.pid"\n', text)
        for line in text.splitlines():
            self.assertNotRegex(line, r"^\t* ")
        expect("shellcheck", path)
        expect("busybox", "ash", "-n", path)

    def test_the_runtime_test_is_python(self):
        for path in TREE.rglob("*.py"):
            compile(path.read_text(), str(path), "exec")

    def test_external_desc(self):
        self.assertRegex((TREE / "external.desc").read_text(), r"^name: SUREPLUG\ndesc: .*\n$")


if __name__ == "__main__":
    unittest.main()
