"""A small system in its own namespaces, with an image as the recipes install it."""

import subprocess
import time
from pathlib import Path

from project import ROOT, run, scratch


class Container:
    """A running system. `end` ends it with everything in it."""

    def __init__(self, name, image, *program):
        root = scratch() / f"container-{name}"
        root.mkdir()
        self.log = scratch() / f"container-{name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--cgroup", "--ipc", "--uts", "--kill-child",
                 ROOT / "tests/recipes/container", image, root, *program], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = None
        self.wait_for(self.find_first_process, "the first process")

    def find_first_process(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the container ended:\n{self.log.read_text()}")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not children or "container" in Path(f"/proc/{children[0]}/cmdline").read_text().split("\0")[1:2]:
            return False
        self.pid = children[0]
        # The preparations are finished when it is no longer a shell.
        return Path(f"/proc/{self.pid}/comm").read_text().strip() not in ("bash", "unshare", "container", "env")

    def wait_for(self, condition, what, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds} s; {self.log.read_text()}")

    def run(self, *command):
        """Runs a command in the system."""
        return run("nsenter", "-t", self.pid, "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--root",
                   "env", "-C", "/", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER=", *command, stdin=subprocess.DEVNULL, timeout=60)

    def sh(self, text):
        result = self.run("sh", "-c", text)
        return result.stdout.strip()

    def write(self, path, text):
        result = run("nsenter", "-t", self.pid, "--mount", "--root", "/bin/sh", "-c",
                     f"mkdir -p $(dirname {path}) && cat > {path}", input=text)
        assert result.returncode == 0, result.stdout

    def end(self):
        # unshare ignores SIGTERM; when it is killed, everything in the system ends.
        self.process.kill()
        self.process.wait()
