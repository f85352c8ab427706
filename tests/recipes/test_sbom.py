"""The linked crates and their licences."""

import json
import re
import tomllib
import unittest

from project import ROOT, expect

SBOM = ROOT / "tests/recipes/sbom"


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = expect(SBOM, "--features", "gpio")
        cls.bom = json.loads(cls.text)

    def test_it_says_what_it_is_of(self):
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        subject = self.bom["metadata"]["component"]
        self.assertEqual((self.bom["bomFormat"], subject["name"], subject["version"]), ("CycloneDX", "sureplug", version))
        self.assertEqual(self.text, expect(SBOM, "--features", "gpio"))

    def test_what_is_linked_is_there_and_what_builds_is_not(self):
        names = {component["name"] for component in self.bom["components"]}
        # Every package with code in the program.
        self.assertLessEqual({"heapless", "lexopt", "libc", "memchr", "nix", "nom", "rtrb", "sureplug-core"}, names)
        self.assertEqual(names & {"autocfg", "cfg_aliases", "proc-macro2", "quote", "syn", "defmt"}, set())
        self.assertNotIn("gpiocdev", {component["name"] for component in json.loads(expect(SBOM))["components"]})
        self.assertIn("gpiocdev", names)

    def test_checksums_are_the_lock_files(self):
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
        wanted = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
        for component in self.bom["components"]:
            found = component.get("hashes", [{"content": None}])[0]["content"]
            self.assertEqual(found, wanted[component["name"], component["version"]], component["name"])

    def test_licences_are_those_that_an_image_may_have(self):
        allowed = set(tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"])
        for component in self.bom["components"]:
            expression = component["licenses"][0]["expression"]
            self.assertTrue(set(re.split(r" OR ", expression.replace("(", "").replace(")", ""))) & allowed, component)


if __name__ == "__main__":
    unittest.main()
