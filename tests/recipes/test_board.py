"""An emulated board whose image is laid out as Buildroot's package installs it: the service comes up by itself."""

import os
import shutil
import subprocess
import unittest
from pathlib import Path

from project import ROOT, expect, not_run, scratch
from test_buildroot import make

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sureplug-tools/board"
# By the names of tests/board: the program of QEMU, its machine, and the build of tests/cross.
BOARDS = {
    "arm64": ("qemu-system-aarch64", ["-M", "virt", "-cpu", "cortex-a53"], "aarch64-static"),
    "armhf": ("qemu-system-arm", ["-M", "virt,highmem=off", "-cpu", "cortex-a15"], "armv7-static"),
}
# What Buildroot's skeleton has beside packages, as little of it as boots: system/skeleton, package/busybox/inittab.
INITTAB = "::sysinit:/etc/init.d/rcS\n"
RCS = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
/bin/busybox --install -s
for script in /etc/init.d/S??*; do
	"$script" start
done
"""
# After all services, what a person would look at.
LOOK = """#!/bin/sh
echo "look: $(/etc/init.d/S30sureplug status)"
echo "look: $(stat -c '%A %u %G' /run/sureplug/events)"
echo "look: $(sureplug list | head -n 1)"
/etc/init.d/S30sureplug restart
/etc/init.d/S30sureplug stop
echo "look: $(/etc/init.d/S30sureplug status)"
echo look: done
poweroff -f
"""


class Booted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("cpio") or os.geteuid():
            not_run("the image on a board", "it needs root, and cpio")
        expect(ROOT / "tests/board/fetch")

    def boot(self, board, name, **options):
        """The lines of the serial console until the board is off."""
        files = CACHE / f"bookworm-{board}"
        program = ROOT / expect(ROOT / "tests/cross", BOARDS[board][2]).split()[-1]
        _, image = make("install", image=f"{board}-{name}", **options)
        for folder in "bin", "sbin", "dev", "proc", "sys", "run", "tmp", "var", "root", "usr/bin", "usr/sbin":
            (image / folder).mkdir(parents=True, exist_ok=True)
        # What `cargo install --root` of Buildroot does.
        shutil.copy(program, image / "usr/bin/sureplug")
        shutil.copy(files / "busybox", image / "bin/busybox")
        users = make("print-SUREPLUG_USERS", image="users")[0].split()
        (image / "etc/group").write_text(f"root:x:0:\n{users[2]}:x:100:\n")
        (image / "etc/passwd").write_text("root::0:0::/root:/bin/sh\n")
        (image / "etc/inittab").write_text(INITTAB)
        (image / "var/run").symlink_to("../run")
        for link in "bin/sh", "init", "bin/mount":
            (image / link).symlink_to("/bin/busybox")
        for path, text in ("rcS", RCS), ("S99look", LOOK):
            (image / "etc/init.d" / path).write_text(text)
            (image / "etc/init.d" / path).chmod(0o755)
        os.mknod(image / "dev/console", 0o600 | 0o020000, os.makedev(5, 1))
        initramfs = scratch() / f"{board}-{name}.cpio"
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

    def test_the_service_comes_up_by_itself(self):
        for board in BOARDS:
            with self.subTest(board):
                said = self.boot(board, "up")
                self.assertIn("Starting sureplug: OK\n", said)
                self.assertRegex(said, r"look: sureplug is running \(pid \d+\)\n")
                self.assertIn("look: srw-rw---- 0 sureplug\n", said)
                self.assertIn("Stopping sureplug: OK\nStarting sureplug: OK\nStopping sureplug: OK\n", said)
                self.assertIn("look: sureplug is not running\nlook: done\n", said)

    def test_a_board_that_it_refuses_still_boots_and_says_why(self):
        said = self.boot("arm64", "refused", ARGS="--ports none")
        self.assertRegex(said, r"Starting sureplug: FAIL\nsureplug: --ports none")
        self.assertIn("look: done\n", said)


if __name__ == "__main__":
    unittest.main()
