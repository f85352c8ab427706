"""The unit under a real systemd, in a container that has the image as the recipe installs it."""

import os
import re
import tempfile
import unittest
from pathlib import Path

from container import Container
from project import DIST, expect, not_run, run, scratch
from test_yocto import image

UNIT = DIST / "sureplug.service"


class Analyzed(unittest.TestCase):
    """What systemd says of the files, without starting anything."""

    def test_verify(self):
        folder = scratch() / "units"
        folder.mkdir()
        text = UNIT.read_text().replace("/usr/bin/sureplug", "/bin/true")
        (folder / "sureplug.service").write_text(text)
        # It succeeds whatever it finds: what it prints counts.
        self.assertEqual(self.verify(folder), "")
        (folder / "sureplug.service").write_text(text.replace("WatchdogSec=", "WatchdogSecs="))
        self.assertIn("WatchdogSecs", self.verify(folder))

    def verify(self, folder):
        output = run("systemd-analyze", "verify", "--man=no", folder / "sureplug.service").stdout
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
        """So the drop-ins are read, and the figure is the unit's."""
        self.assertGreater(self.exposure(DIST / "hook-mdev.conf"), self.exposure())


class Started(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid():
            not_run("the unit under systemd", "namespaces need root")
        cls.board = Container("systemd", image("systemd", "sureplug", DISTRO_FEATURES="systemd"), "/lib/systemd/systemd", "--system", "--log-target=journal")
        cls.addClassCleanup(cls.board.end)
        cls.board.wait_for(lambda: cls.board.sh("systemctl is-system-running") in ("running", "degraded"), "systemd")
        cls.board.sh("systemctl start systemd-journald")

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

    def pids(self):
        return self.board.sh("pidof sureplug").split()

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
        """The watchdog: a daemon that says nothing any more is another one soon."""
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
        # The tests that raise uevents take turns by this lock.
        expect("flock", "/sys/class/mem/null/uevent", "sh", "-c", "echo change > /sys/class/net/lo/uevent")
        self.board.wait_for(lambda: "change net /devices/virtual/net/lo" in self.journal(), "the event in the journal")

    def test_a_profile_that_the_kernel_does_not_give(self):
        """A clear line, and no restart loop that fills the log."""
        self.configure("[Service]\nCapabilityBoundingSet=\nRestartSec=100ms\n", "--ports 16 --max-stall-ms 5000")
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


if __name__ == "__main__":
    unittest.main()
