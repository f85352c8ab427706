"""Whatever the recipes give to the program is something that it takes."""

import re
import unittest

from project import DIST, LAYER, ROOT, expect, program

FILES = [*DIST.iterdir(), ROOT / LAYER / "README.md", ROOT / "buildroot/README.md", ROOT / "buildroot/package/sureplug/Config.in"]
# Of other programs.
OTHERS = {"--start", "--stop", "--test", "--quiet", "--pidfile", "--exec", "--background", "--make-pidfile", "--signal",
          "--update", "--commit"}


class Flags(unittest.TestCase):
    def test_the_program_has_each_of_them(self):
        help = "".join(expect(program(), "help", *topic) for topic in ([], ["run"]))
        known = set(re.findall(r"--[a-z][a-z-]*", help)) | OTHERS
        for path in FILES:
            for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text()):
                self.assertIn(flag, known, path)

    def test_commands(self):
        for path in FILES:
            for command in re.findall(r"`sureplug (?!help)([a-z]+)", path.read_text()):
                expect(program(), "help", command)


if __name__ == "__main__":
    unittest.main()
