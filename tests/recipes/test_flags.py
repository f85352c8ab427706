"""The program has every flag and command that the recipes use."""

import re
import unittest

from project import DIST, LAYER, ROOT, expect, program, run

FILES = [*DIST.iterdir(), ROOT / LAYER / "README.md", ROOT / "buildroot/README.md", ROOT / "buildroot/package/sureplug/Config.in"]
# Flags of other programs.
OTHERS = {"--start", "--stop", "--test", "--quiet", "--pidfile", "--exec", "--background", "--make-pidfile", "--signal",
          "--update", "--commit", "--site", "--help", "--format", "--strip-components"}


class Flags(unittest.TestCase):
    def test_the_program_has_each_of_them(self):
        help = "".join(expect(program(), "help", *topic) for topic in ([], ["run"]))
        known = set(re.findall(r"--[a-z][a-z-]*", help)) | OTHERS
        for path in FILES:
            for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text()):
                self.assertIn(flag, known, path)

    def test_what_an_image_may_state(self):
        """Exactly the flags of `sureplug run`."""
        help = expect(program(), "help") + expect(program(), "help", "run")
        flags = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help, re.MULTILINE)
        self.assertGreater(len(flags), 20)
        expect(DIST / "check-args", " ".join(flags))
        for flag in flags:
            self.assertNotEqual(run(DIST / "check-args", flag + "x").returncode, 0, flag)

    def test_commands(self):
        for path in FILES:
            for command in re.findall(r"`sureplug (?!help)([a-z]+)", path.read_text()):
                expect(program(), "help", command)


if __name__ == "__main__":
    unittest.main()
