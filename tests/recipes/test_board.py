"""Emulated boards whose images have the recipes' layout: the service starts by itself.

With an init script, as Buildroot's package and Yocto's recipe install it. There is no systemd for these boards to be had
without an image; `test_systemd.Booted` boots one of this machine's architecture, in a container.
"""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from project import ROOT, expect, not_run, scratch
from test_buildroot import make
from test_yocto import bitbake
from test_yocto import image as installed_image

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sureplug-tools/board"
# By the names of tests/board: the program of QEMU, its machine, and the build of tests/cross.
BOARDS = {
    "arm64": ("qemu-system-aarch64", ["-M", "virt", "-cpu", "cortex-a53"], "aarch64-static"),
    "armhf": ("qemu-system-arm", ["-M", "virt,highmem=off", "-cpu", "cortex-a15"], "armv7-static"),
}
# The least that an image needs beside packages to boot.
INITTAB = "::sysinit:/etc/init.d/rcS\n"
RCS = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
/bin/busybox --install -s
for script in {scripts}; do
	"$script" start
done
"""
# In place of OpenEmbedded-Core's populate-volatile.sh: type, owner, group, mode and path of each directory.
VOLATILES = """#!/bin/sh
cat /etc/default/volatiles/* | while read -r type owner group mode path rest; do
	[ "$type" = d ] || continue
	mkdir -p "$path"
	chown "$owner:$group" "$path"
	chmod "$mode" "$path"
done
"""
# Prints what a person would check, after all services have started.
LOOK = """#!/bin/sh
echo "look: $({script} status)"
echo "look: $(stat -c '%A %u %G' /run/sureplug/events)"
echo "look: directory $(stat -c '%A %u %G' /run/sureplug)"
echo "look: $(sureplug list | head -n 1)"
{script} restart
{script} stop
echo "look: $({script} status)"
echo look: done
poweroff -f
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def buildroot_image(name, **options):
    """As the package installs it, in what Buildroot's skeleton has (system/skeleton, package/busybox/inittab)."""
    _, image = make("install", image=name, **options)
    group = make("print-SUREPLUG_USERS", image="users")[0].split()[2]
    write(image / "etc/init.d/rcS", RCS.format(scripts="/etc/init.d/S??*"))
    write(image / "etc/init.d/S99look", LOOK.format(script="/etc/init.d/S30sureplug"))
    return image, group


def yocto_image(name):
    """As the recipe installs it with sysvinit, with the links that update-rc.d makes (initscripts, sysvinit)."""
    image = installed_image(name, "sureplug", DISTRO_FEATURES="sysvinit")
    shown = bitbake(show=["GROUPADD_PARAM:sureplug", "INITSCRIPT_NAME", "INITSCRIPT_PARAMS"])[1]
    sequence, level = re.search(r"start (\d\d) (\S) \.", shown["INITSCRIPT_PARAMS"]).groups()
    folder = image / f"etc/rc{level}.d"
    folder.mkdir()
    (folder / f"S{sequence}{shown['INITSCRIPT_NAME']}").symlink_to(f"../init.d/{shown['INITSCRIPT_NAME']}")
    write(folder / "S37populate-volatile.sh", VOLATILES)
    write(folder / "S99look", LOOK.format(script=f"/etc/init.d/{shown['INITSCRIPT_NAME']}"))
    write(image / "etc/init.d/rcS", RCS.format(scripts="/etc/rcS.d/S??*"))
    return image, shown["GROUPADD_PARAM:sureplug"].split()[-1]


class Booted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("cpio") or os.geteuid():
            not_run("the image on a board", "it needs root, and cpio")
        expect(ROOT / "tests/board/fetch")

    def boot(self, board, image, group):
        """The lines of the serial console until the board is off."""
        files = CACHE / f"bookworm-{board}"
        program = ROOT / expect(ROOT / "tests/cross", BOARDS[board][2]).split()[-1]
        for folder in "bin", "sbin", "dev", "proc", "sys", "run", "tmp", "var", "root", "usr/bin", "usr/sbin":
            (image / folder).mkdir(parents=True, exist_ok=True)
        # The path of the program in either, for this board.
        shutil.copy(program, image / "usr/bin/sureplug")
        shutil.copy(files / "busybox", image / "bin/busybox")
        (image / "etc/group").write_text(f"root:x:0:\n{group}:x:100:\n")
        (image / "etc/passwd").write_text("root::0:0::/root:/bin/sh\n")
        (image / "etc/inittab").write_text(INITTAB)
        (image / "var/run").symlink_to("../run")
        for link in "bin/sh", "init", "bin/mount":
            (image / link).symlink_to("/bin/busybox")
        os.mknod(image / "dev/console", 0o600 | 0o020000, os.makedev(5, 1))
        initramfs = scratch() / f"{image.parent.name}-{image.name}.cpio"
        with initramfs.open("wb") as out:
            subprocess.run("find . | cpio --quiet -o -H newc", shell=True, cwd=image, check=True, stdout=out)
        return self.qemu(board, files / "vmlinuz", initramfs)

    def qemu(self, board, kernel, initramfs):
        name, machine, _ = BOARDS[board]
        program = shutil.which(name)
        environment = dict(os.environ)
        arguments = []
        if not program:
            unpacked = CACHE / "qemu"
            program = unpacked / "usr/bin" / name
            environment["LD_LIBRARY_PATH"] = ":".join(str(unpacked / folder) for folder in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
            arguments = ["-L", str(unpacked / "usr/share/qemu")]
        result = subprocess.run(
            [program, *arguments, *machine, "-m", "512", "-nodefaults", "-display", "none", "-no-reboot",
             "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyAMA0 quiet"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180, check=False)
        return result.stdout.decode(errors="replace").replace("\r", "")

    def assert_up(self, said):
        self.assertIn("Starting sureplug: OK\n", said)
        self.assertRegex(said, r"look: sureplug is running \(pid \d+\)\n")
        self.assertIn("look: srw-rw---- 0 sureplug\n", said)
        self.assertIn("Stopping sureplug: OK\nStarting sureplug: OK\nStopping sureplug: OK\n", said)
        self.assertIn("look: sureplug is not running\nlook: done\n", said)

    def test_with_buildroot_the_service_comes_up_by_itself(self):
        for board in BOARDS:
            with self.subTest(board):
                self.assert_up(self.boot(board, *buildroot_image(f"{board}-up")))

    def test_with_yocto_the_service_comes_up_by_itself(self):
        for board in BOARDS:
            with self.subTest(board):
                said = self.boot(board, *yocto_image(f"yocto-{board}"))
                self.assert_up(said)
                # From the volatiles: the init script would have left it to root.
                self.assertIn("look: directory drwxr-xr-x 0 sureplug\n", said)

    def test_a_board_that_it_refuses_still_boots_and_says_why(self):
        said = self.boot("arm64", *buildroot_image("refused", ARGS="--ports none"))
        self.assertRegex(said, r"Starting sureplug: FAIL\nsureplug: --ports none")
        self.assertIn("look: done\n", said)


if __name__ == "__main__":
    unittest.main()
