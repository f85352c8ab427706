"""The init script under busybox's shell and start-stop-daemon, in a container with the image as the recipe installs it."""

import os
import shutil
import unittest

from container import Container
from project import not_run, run
from test_yocto import image

SCRIPT = "/etc/init.d/sureplug"


class Script(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid():
            not_run("the init script", "namespaces need root")
        folder = image("sysv", "sureplug", DISTRO_FEATURES="sysvinit")
        # This board has only busybox.
        applets = folder / "usr/busybox"
        applets.mkdir()
        busybox = shutil.which("busybox")
        for applet in run(busybox, "--list").stdout.split():
            (applets / applet).symlink_to(busybox)
        cls.board = Container("sysv", folder, "/usr/busybox/sleep", "1000000")
        cls.addClassCleanup(cls.board.end)

    def setUp(self):
        self.configure("")

    def tearDown(self):
        self.script("stop")
        self.assertEqual(self.pids(), [])

    def configure(self, arguments, *more):
        self.board.write("/etc/default/sureplug", "\n".join([f'SUREPLUG_ARGS="{arguments}"', *more, ""]))

    def script(self, action):
        """Runs it, and returns its exit code and output."""
        result = self.board.run("env", "PATH=/usr/busybox", "ash", SCRIPT, action)
        return result.returncode, result.stdout.strip()

    def pids(self):
        """Returns the daemon's processes, without zombies."""
        return [pid for pid in self.board.sh("pidof sureplug").split()
                if "Z" not in self.board.sh(f"cut -d' ' -f3 /proc/{pid}/stat")]

    def test_start_and_stop(self):
        self.assertEqual(self.script("status"), (3, "sureplug is not running"))
        self.assertEqual(self.script("start"), (0, "Starting sureplug: OK"))
        self.assertEqual(len(self.pids()), 1)
        self.assertEqual(self.script("status"), (0, f"sureplug is running (pid {self.pids()[0]})"))
        # The daemon is ready when the script prints OK.
        self.assertEqual(self.board.sh("stat -c '%A %U %G' /run/sureplug/events"), "srw-rw---- root sureplug")
        self.assertEqual(self.script("stop"), (0, "Stopping sureplug: OK"))
        self.assertEqual((self.pids(), self.board.sh("ls /run/sureplug.pid")), ([], "ls: cannot access '/run/sureplug.pid': No such file or directory"))

    def test_started_twice(self):
        self.script("start")
        before = self.pids()
        self.assertEqual(self.script("start"), (0, "Starting sureplug: OK (already running)"))
        self.assertEqual(self.pids(), before)

    def test_stopped_twice(self):
        self.assertEqual(self.script("stop"), (0, "Stopping sureplug: OK (not running)"))

    def test_restart_and_reload(self):
        self.script("start")
        for action in "restart", "reload":
            before = self.pids()
            self.assertEqual(self.script(action), (0, "Stopping sureplug: OK\nStarting sureplug: OK"))
            self.assertEqual(len(self.pids()), 1)
            self.assertNotEqual(self.pids(), before)

    def test_killed(self):
        self.script("start")
        self.board.sh(f"kill -KILL {self.pids()[0]}")
        self.board.wait_for(lambda: not self.pids(), "the end of the daemon")
        self.assertEqual(self.script("status"), (1, "sureplug has died"))
        self.assertEqual(self.script("start"), (0, "Starting sureplug: OK"))
        self.assertEqual(len(self.pids()), 1)

    def test_stuck(self):
        """A daemon that does not end on request is killed."""
        self.script("start")
        self.board.sh(f"kill -STOP {self.pids()[0]}")
        self.assertEqual(self.script("stop"), (0, "Stopping sureplug: OK"))
        self.assertEqual(self.pids(), [])

    def test_another_program_has_its_number(self):
        """A stale pid file does no harm to the process that has the number now."""
        self.board.sh("sleep 1000 >/dev/null 2>&1 & echo $! > /run/sureplug.pid")
        self.assertEqual(self.script("stop"), (0, "Stopping sureplug: OK (not running)"))
        self.assertNotEqual(self.board.sh("pidof sleep"), "")

    def test_bad_profile(self):
        self.configure("--ports 120 --port-device storage --max-stall-ms 600000")
        code, said = self.script("start")
        self.assertNotEqual(code, 0)
        self.assertRegex(said, r"\AStarting sureplug: FAIL\nsureplug: the receive buffer needs \d+ bytes")
        self.assertEqual(self.pids(), [])
        self.assertEqual(self.script("status"), (3, "sureplug is not running"))

    def test_wrong_usage(self):
        self.configure("--ports none")
        code, said = self.script("start")
        self.assertNotEqual(code, 0)
        self.assertRegex(said, r"\AStarting sureplug: FAIL\nsureplug: --ports none")

    def test_output(self):
        self.configure("", 'SUREPLUG_OUTPUT="/run/output"')
        self.assertEqual(self.script("start")[0], 0)
        self.assertIn("sureplug: receive buffer:", self.board.sh("cat /run/output"))

    def test_usage(self):
        code, said = self.script("dance")
        self.assertEqual((code, said), (1, f"Usage: {SCRIPT} {{start|stop|restart|reload|status}}"))


if __name__ == "__main__":
    unittest.main()
