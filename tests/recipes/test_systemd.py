"""The unit under a real systemd, in a container with the image as the recipe installs it."""

import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from container import Container
from project import DIST, LAYER, ROOT, expect, not_run, program, run, scratch
from test_yocto import image

UNIT = DIST / "sureplug.service"
# A hook that tries what the unit must prevent, and prints each result.
PROBE = """#!/usr/bin/python3
import ctypes, os, platform, socket

def finit_module():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall({"x86_64": 313, "aarch64": 273}[platform.machine()], -1, b"", 0):
        raise OSError(ctypes.get_errno(), "")

said = []
for name, attempt in {
    "state": lambda: open("/var/lib/board/written", "w").close(),
    "var": lambda: open("/var/lib/written", "w").close(),
    "etc": lambda: open("/etc/written", "w").close(),
    "node": lambda: os.mknod(f"/dev/made-{os.getpid()}", 0o20600, os.makedev(1, 3)),
    "inet": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "hostname": lambda: socket.sethostname("taken"),
    "module": finit_module,
}.items():
    try:
        attempt()
        said.append(f"{name}=done")
    except OSError as error:
        said.append(f"{name}={os.strerror(error.errno)}")
print(", ".join(said))
"""
STOPPED = {"var=Read-only file system", "etc=Read-only file system", "node=Read-only file system",
           "inet=Address family not supported by protocol", "hostname=Operation not permitted",
           "module=Operation not permitted"}


class Analyzed(unittest.TestCase):
    """systemd's analysis of the files, without starting anything."""

    def test_verify(self):
        folder = scratch() / "units"
        folder.mkdir()
        text = UNIT.read_text().replace("/usr/bin/sureplug", "/bin/true")
        (folder / "sureplug.service").write_text(text)
        # It always succeeds: its output decides.
        self.assertEqual(self.verify(folder / "sureplug.service"), "")
        (folder / "sureplug.service").write_text(text.replace("WatchdogSec=", "WatchdogSecs="))
        self.assertIn("WatchdogSecs", self.verify(folder / "sureplug.service"))
        mount = folder / "sureplug-mount@x.service"
        mount.write_text((DIST / "sureplug-mount@.service").read_text())
        self.assertEqual(self.verify(mount), "")

    def verify(self, unit):
        output = run("systemd-analyze", "verify", "--man=no", unit).stdout
        return "\n".join(line for line in output.splitlines() if "sureplug" in line)

    def exposure(self, *drop_ins):
        folder = Path(tempfile.mkdtemp(dir=scratch()))
        (folder / "sureplug.service.d").mkdir(parents=True)
        (folder / "sureplug.service").write_text(UNIT.read_text())
        for path in drop_ins:
            (folder / "sureplug.service.d" / path.name).write_text(path.read_text())
        output = run("systemd-analyze", "security", "--offline=true", "--no-pager", folder / "sureplug.service").stdout
        return float(re.search(r"exposure level for sureplug.service: ([\d.]+)", output).group(1))

    def test_exposure(self):
        self.assertLessEqual(self.exposure(), 2.5)

    def test_a_hook_takes_more(self):
        """A counter-check: the drop-ins are read, and the figure is the unit's."""
        self.assertGreater(self.exposure(DIST / "hook-mdev.conf"), self.exposure())


class Systemd(unittest.TestCase):
    """A container with an image of these packages, booted by systemd."""

    packages = ("sureplug",)

    @classmethod
    def setUpClass(cls):
        if os.geteuid():
            not_run("the unit under systemd", "namespaces need root")
        name = f"systemd-{cls.__name__}"
        folder = image(name, *cls.packages, DISTRO_FEATURES="systemd")
        cls.prepare(folder)
        cls.board = Container(name, folder, "/lib/systemd/systemd", "--system", "--log-target=journal")
        cls.addClassCleanup(cls.board.end)
        cls.board.wait_for(lambda: cls.board.sh("systemctl is-system-running") in ("running", "degraded"), "systemd")
        cls.board.sh("systemctl start systemd-journald")

    @classmethod
    def prepare(cls, folder):
        """Adds an integrator's files to the image."""

    def setUp(self):
        self.configure("")

    def tearDown(self):
        self.board.sh("systemctl stop sureplug; systemctl reset-failed sureplug")

    def configure(self, unit, arguments=""):
        self.board.write("/etc/systemd/system/sureplug.service.d/test.conf", unit)
        self.board.write("/etc/default/sureplug", f'SUREPLUG_ARGS="{arguments}"\n')
        self.board.sh("systemctl daemon-reload")

    def start(self):
        result = self.board.run("systemctl", "start", "sureplug")
        self.assertEqual(result.returncode, 0, result.stdout + self.journal())

    def show(self, name):
        return self.board.sh(f"systemctl show --value --property={name} sureplug")

    def journal(self):
        return self.board.sh("journalctl --sync; journalctl --unit=sureplug --output=cat --no-pager")

    def journal_of_this_start(self):
        self.board.sh("journalctl --sync")
        return self.board.sh(f"journalctl _SYSTEMD_INVOCATION_ID={self.show('InvocationID')} --output=cat --no-pager")

    def outcomes(self):
        """Returns the probe's output of its first run under the unit."""
        self.start()
        self.board.wait_for(lambda: "module=" in self.journal_of_this_start(), "what the hook says")
        return set(re.search(r"state=.*", self.journal_of_this_start())[0].split(", "))

    def pids(self):
        return self.board.sh("pidof sureplug").split()


class Started(Systemd):
    def test_start_and_stop(self):
        self.start()
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertEqual(self.pids(), [self.show("MainPID")])
        self.assertEqual(self.board.sh("stat -c '%A %U %G' /run/sureplug /run/sureplug/events"),
                         "drwxr-xr-x root sureplug\nsrw-rw---- root sureplug")
        self.board.sh("systemctl stop sureplug")
        self.assertEqual((self.show("ActiveState"), self.show("Result"), self.pids()), ("inactive", "success", []))

    def test_started_twice(self):
        self.start()
        before = self.pids()
        self.start()
        self.assertEqual(self.pids(), before)

    def test_restart(self):
        self.start()
        before = self.pids()
        self.assertEqual(self.board.run("systemctl", "restart", "sureplug").returncode, 0)
        self.assertEqual(len(self.pids()), 1)
        self.assertNotEqual(self.pids(), before)

    def test_killed(self):
        self.start()
        before = self.pids()
        self.board.sh("kill -KILL " + before[0])
        self.board.wait_for(lambda: self.show("ActiveState") == "active" and self.pids() not in (before, []), "a new daemon")

    def test_stuck(self):
        """The watchdog replaces a daemon that no longer reports."""
        self.configure("[Service]\nWatchdogSec=2s\n")
        self.start()
        before = self.pids()
        self.board.sh("kill -STOP " + before[0])
        self.board.wait_for(lambda: self.show("ActiveState") == "active" and self.pids() not in (before, []), "a new daemon", 30)

    def test_confined(self):
        self.start()
        status = self.board.sh(f"cat /proc/{self.show('MainPID')}/status")
        self.assertRegex(status, r"CapBnd:\t0{12}1000\n")
        self.assertRegex(status, r"NoNewPrivs:\t1\n")
        self.assertRegex(status, r"Seccomp:\t2\n")

    def test_an_event_comes_through(self):
        self.start()
        # This lock serialises the tests that raise uevents.
        expect("flock", "/sys/class/mem/null/uevent", "sh", "-c", "echo change > /sys/class/net/lo/uevent")
        self.board.wait_for(lambda: "change net /devices/virtual/net/lo" in self.journal(), "the event in the journal")

    def impossible_profile(self):
        """Returns flags for a larger buffer than net.core.rmem_max allows, lowering that if it allows any."""
        flags = ["--ports", "64", "--max-stall-ms", "300000"]
        wanted = json.loads(run(program(), "size", "--json", *flags).stdout)["wanted_bytes"]
        sysctl = Path("/proc/sys/net/core/rmem_max")
        found = sysctl.read_text()
        if wanted <= 2 * int(found):
            # This lock serialises the tests that depend on it.
            turn = open("/sys/class/mem/null/uevent")
            self.addCleanup(turn.close)
            fcntl.flock(turn, fcntl.LOCK_EX)
            self.addCleanup(sysctl.write_text, found)
            sysctl.write_text("2304")
        return " ".join(flags)

    def test_a_profile_that_the_kernel_does_not_give(self):
        """A clear message, and no restart loop that fills the log."""
        self.configure("[Service]\nCapabilityBoundingSet=\nRestartSec=100ms\n", self.impossible_profile())
        self.assertNotEqual(self.board.run("systemctl", "start", "sureplug").returncode, 0)
        self.board.wait_for(lambda: self.show("ActiveState") == "failed", "the end of the restarts")
        lines = self.journal().splitlines()
        said = [line for line in lines if "refused to start" in line]
        self.assertTrue(1 <= len(said) <= 3, "\n".join(lines))
        self.assertLess(int(self.show("NRestarts")), 4)

    def test_wrong_usage_is_not_tried_again(self):
        self.configure("", "--ports none")
        self.assertNotEqual(self.board.run("systemctl", "start", "sureplug").returncode, 0)
        self.board.wait_for(lambda: self.show("ActiveState") == "failed", "the end")
        self.assertEqual(self.show("NRestarts"), "0")
        self.assertIn("--ports", self.journal())



class Booted(Systemd):
    """The package enables it, and the image's boot starts it."""

    @classmethod
    def prepare(cls, folder):
        # `systemd_postinst` of the class `systemd` does this when an image is made.
        expect("systemctl", f"--root={folder}", "enable", "sureplug.service")
        units = folder / "etc/systemd/system"
        (units / "default.target").write_text("[Unit]\nDescription=The board\nWants=multi-user.target\n")
        # The host's files there do not belong to the board.
        for unit in Path("/lib/systemd/system").glob("multi-user.target.wants/*"):
            (units / unit.name).symlink_to("/dev/null")

    def setUp(self):
        """Leaves the image unchanged."""

    def test_the_service_comes_up_by_itself(self):
        self.board.wait_for(lambda: self.show("ActiveState") == "active", "the service")
        self.assertEqual(self.pids(), [self.show("MainPID")])
        self.assertEqual(self.board.run("sureplug", "status").returncode, 0)


def install(folder, path, text):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    (folder / path).chmod(0o755)


def drop_in(name):
    """The drop-in of that name that the layer's README has."""
    readme = (ROOT / LAYER / "README.md").read_text()
    begin = f"^```ini\n# /etc/systemd/system/sureplug.service.d/{name}.conf.*?\n"
    return re.search(begin + r"(.*?)^```$", readme, re.MULTILINE | re.DOTALL)[1]


class Hook(Systemd):
    """An image's own hook, with the drop-in of the layer's README."""

    @classmethod
    def prepare(cls, folder):
        install(folder, "usr/lib/board/hook", PROBE)

    def test_what_the_unit_stops_could_be_done_without_it(self):
        said = self.board.sh("mkdir -p /var/lib/board; /usr/lib/board/hook").split(", ")
        self.assertEqual([line for line in said if not line.startswith("module=")],
                         [f"{name}=done" for name in ("state", "var", "etc", "node", "inet", "hostname")])
        self.assertNotEqual(said[-1], "module=Operation not permitted")

    def test_confined(self):
        self.configure("", "--subsystem mem --hook /usr/lib/board/hook")
        self.board.sh("mkdir -p /var/lib/board")
        self.assertEqual(self.outcomes(), STOPPED | {"state=Read-only file system"})

    def test_drop_in_of_the_readme(self):
        self.configure(drop_in("hook"), "--subsystem mem")
        self.assertEqual(self.outcomes(), STOPPED | {"state=done"})
        self.assertEqual(self.board.sh("ls /var/lib/board/written"), "/var/lib/board/written")


class PackagedHook(Systemd):
    """A package's hook with its drop-in, and the same hook without it."""

    def without_drop_in(self, name):
        # This hides the package's drop-in: systemd.unit(5).
        self.board.sh(f"ln -s /dev/null /etc/systemd/system/sureplug.service.d/{name}.conf; systemctl daemon-reload")
        self.addCleanup(self.board.sh, f"rm /etc/systemd/system/sureplug.service.d/{name}.conf; systemctl daemon-reload")


class Mdev(PackagedHook):
    packages = "sureplug", "sureplug-mdev"

    @classmethod
    def prepare(cls, folder):
        (folder / "etc/mdev.conf").write_text("kmsg root:root 0640 =hooked/kmsg\n.* root:root 0600 !\n")

    def test_it_makes_nodes(self):
        self.configure("", "--subsystem mem")
        self.start()
        self.board.wait_for(lambda: "hooked" in self.board.sh("ls /dev"), "the node")
        self.assertEqual(self.board.sh("stat -c '%A %t:%T %U:%G' /dev/hooked/kmsg"), "crw-r----- 1:b root:root")

    def test_confined(self):
        self.board.sh("rm -rf /dev/hooked")
        self.configure("", "--subsystem mem --hook /usr/lib/sureplug/mdev")
        self.without_drop_in("mdev")
        self.start()
        self.board.wait_for(lambda: "mdev:" in self.journal_of_this_start(), "what mdev says")
        self.assertRegex(self.journal_of_this_start(), r"mdev: .*(Read-only file system|Operation not permitted|Permission denied)")
        self.assertNotIn("hooked", self.board.sh("ls /dev"))


def event(text):
    """Has the kernel raise an event, as `uevent_net_rcv_skb` in `lib/kobject_uevent.c` takes it."""
    # The tests that raise uevents take turns by this lock.
    with open("/sys/class/mem/null/uevent") as turn, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15) as kernel:
        fcntl.flock(turn, fcntl.LOCK_EX)
        text = text.encode()
        kernel.sendto(struct.pack("=IHHII", 16 + len(text), 16, 1, 0, 0) + text, (0, 0))


class Mounting(Systemd):
    """What a hook mounts is visible outside of the mount namespace of its unit. A loop device stands in for a partition."""

    def disk(self):
        """A loop device with a file system that has a file `hello`."""
        folder = Path(tempfile.mkdtemp(dir=scratch()))
        (folder / "files").mkdir()
        (folder / "files/hello").write_text("from the disk")
        expect("truncate", "--size=8M", folder / "disk")
        expect("mkfs.ext4", "-q", "-d", folder / "files", folder / "disk")
        device = expect("losetup", "--find", "--show", folder / "disk").strip()
        self.addCleanup(run, "losetup", "--detach", device)
        return Path(device).name, Path(f"/sys/class/block/{Path(device).name}/dev").read_text().strip()

    def hello(self, name):
        """What the first process, and so the rest of the system, reads on the disk."""
        return self.board.sh(f"cat /run/media/{name}/hello 2>/dev/null")

    def assert_mounted(self, name):
        self.board.wait_for(lambda: self.hello(name) == "from the disk",
                            f"the mount; {self.journal()}{self.board.sh(f'systemctl status sureplug-mount@{name}')}")
        self.assertRegex(self.board.sh(f"grep /run/media/{name} /proc/1/mounts"), r" rw,nosuid,nodev,")
        # It is in the namespace of the unit as well, where it was not made.
        self.assertNotEqual(*(self.board.sh(f"readlink /proc/{pid}/ns/mnt") for pid in (1, self.show("MainPID"))))

    def assert_gone(self, name):
        self.board.wait_for(lambda: self.board.sh(f"systemctl is-active sureplug-mount@{name}; ls /run/media") == "inactive",
                            f"the end of the mount; {self.board.sh(f'systemctl status sureplug-mount@{name}; ls /run/media')}")


class MountHook(Mounting):
    packages = "sureplug", "sureplug-mount"

    @classmethod
    def prepare(cls, folder):
        install(folder, "usr/lib/board/hook", "#!/bin/sh\nmkdir -p /run/sureplug/own && mount -t tmpfs tmpfs /run/sureplug/own\n")

    def test_what_a_hook_mounts_itself_is_visible_to_the_unit_alone(self):
        self.configure("[Service]\nCapabilityBoundingSet=CAP_SYS_ADMIN\nSystemCallFilter=@mount\n", "--subsystem mem --hook /usr/lib/board/hook")
        self.start()
        mounts = lambda pid: self.board.sh(f"grep -c ' /run/sureplug/own ' /proc/{pid}/mounts")
        self.board.wait_for(lambda: mounts(self.show("MainPID")) != "0", f"the mount; {self.journal()}")
        self.assertEqual(mounts(1), "0")

    def test_a_disk_is_mounted_and_unmounted(self):
        name, number = self.disk()
        # The kernel's sysfs shows the loop device where no hook looks for disks.
        path = f"/devices/platform/usb1/1-1/1-1:1.0/host0/block/{name}"
        major, minor = number.split(":")
        text = f"MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\nDEVTYPE=disk\n"
        self.board.sh(f"mknod /dev/{name} b {major} {minor}; mkdir -p /run/sys{path} /run/sys/class/block; "
                      f"printf '{text}' >/run/sys{path}/uevent; echo {number} >/run/sys{path}/dev; "
                      f"ln -s ../..{path} /run/sys/class/block/{name}")
        self.configure(drop_in("mount"), "--sysfs /run/sys")
        self.board.sh("systemctl restart sureplug")
        self.assert_mounted(name)
        remove = f"remove@{path}\0ACTION=remove\0DEVPATH={path}\0SUBSYSTEM=block\0" + text.replace("\n", "\0")
        # As it is when a user takes a disk out while it is in use.
        with subprocess.Popen(["nsenter", "-t", self.board.pid, "--mount", "--root", "sh", "-c", f"exec tail -f /run/media/{name}/hello"],
                              stdout=subprocess.DEVNULL) as user:
            self.board.sh(f"rm -r /run/sys{path} /run/sys/class/block/{name}")
            event(remove)
            self.assert_gone(name)
            user.kill()


class MountCommand(Mounting):
    packages = "sureplug", "sureplug-mdev", "sureplug-mount"

    @classmethod
    def prepare(cls, folder):
        readme = (ROOT / LAYER / "README.md").read_text()
        line = re.search(r"^sd\S+ (.* \*/usr/lib/sureplug/mount)$", readme, re.MULTILINE)[1].replace("root:disk", "root:root")
        (folder / "etc/mdev.conf").write_text(f"loop[0-9]+ {line}\n.* root:root 0600 !\n")

    def test_a_line_of_mdev_conf_mounts_a_disk(self):
        name, _ = self.disk()
        self.start()
        self.assert_mounted(name)
        # A `remove` of a device that stays: the settle scan adds it again.
        started = self.board.sh(f"systemctl show --value --property=InvocationID sureplug-mount@{name}")
        path = f"/devices/virtual/block/{name}"
        event(f"remove@{path}\0ACTION=remove\0DEVPATH={path}\0SUBSYSTEM=block\0DEVNAME={name}\0")
        self.board.wait_for(lambda: started != self.board.sh(f"systemctl show --value --property=InvocationID sureplug-mount@{name}"),
                            "the end of the mount")
        self.assert_mounted(name)


class Modprobe(PackagedHook):
    packages = "sureplug", "sureplug-modprobe"

    @classmethod
    def prepare(cls, folder):
        # The kernel may have no modules: the test is whether modprobe's system call reaches the kernel.
        install(folder, "usr/sbin/modprobe", PROBE)

    def test_it_may_load_modules(self):
        self.configure("", f"--subsystem {self.subsystem()}")
        outcomes = self.outcomes()
        self.assertNotIn("module=Operation not permitted", outcomes)
        # And nothing more.
        self.assertLessEqual(STOPPED - {"module=Operation not permitted"}, outcomes)

    def test_confined(self):
        self.configure("", f"--subsystem {self.subsystem()} --hook /usr/lib/sureplug/modprobe")
        self.without_drop_in("modprobe")
        self.assertLessEqual(STOPPED, self.outcomes())

    def subsystem(self):
        """A machine whose devices have a driver to load."""
        found = self.board.sh("ls -d /sys/bus/*/devices/*/modalias").splitlines()
        if not found:
            not_run("the hook for modprobe", "no device here has a MODALIAS")
        return found[0].split("/")[3]


if __name__ == "__main__":
    unittest.main()
