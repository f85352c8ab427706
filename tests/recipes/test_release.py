"""What a release consists of, and that everything names the same one."""

import os
import re
import tarfile
import tomllib
import unittest

from project import LAYER, PACKAGE, RECIPE, ROOT, expect, program, released, run, scratch, tree, version

RELEASE = ROOT / "tests/recipes/release"


class Archives(unittest.TestCase):
    def test_the_same_bytes_twice(self):
        for folder in "one", "two":
            expect(RELEASE, "--commit", tree(), scratch() / folder, env=os.environ | {"TZ": "Asia/Tokyo" if folder == "two" else "UTC"})
        for name in sorted(path.name for path in (scratch() / "one").iterdir()):
            self.assertEqual((scratch() / "one" / name).read_bytes(), (scratch() / "two" / name).read_bytes(), name)

    def test_it_holds_what_a_build_needs_and_no_recipe(self):
        with tarfile.open(released() / f"downloads/sureplug-{version()}.tar.gz") as tar:
            members = tar.getmembers()
        tops = {member.name.split("/")[1] for member in members if "/" in member.name}
        self.assertEqual(tops, {"CHANGELOG.md", "CONTRIBUTING.md", "Cargo.lock", "Cargo.toml", "LICENSE-APACHE",
                                "LICENSE-MIT", "README.md", "board", "core"})
        self.assertEqual({(member.uid, member.gid, member.mode & 0o022) for member in members}, {(0, 0, 0)})

    def test_the_vendored_one_builds_without_a_network_or_a_registry(self):
        folder = scratch() / "vendored"
        folder.mkdir()
        expect("tar", "xzf", released() / f"downloads/sureplug-{version()}-vendored.tar.gz", "-C", folder)
        # What Buildroot looks for, to leave an archive as it is.
        listed = expect("tar", "tzf", released() / f"downloads/sureplug-{version()}-vendored.tar.gz")
        self.assertRegex(listed, re.compile(r"^[^/]*/VENDOR", re.MULTILINE))
        environment = os.environ | {"CARGO_HOME": str(scratch() / "no-registry"), "CARGO_TARGET_DIR": str(scratch() / "vendored-target")}
        expect("cargo", "check", "--offline", "--locked", cwd=folder / f"sureplug-{version()}/board", env=environment)


class OneVersion(unittest.TestCase):
    def test_recipes_changelog_and_program_agree(self):
        recipes = [path.name for path in (ROOT / RECIPE).glob("*.bb")]
        self.assertEqual(recipes, [f"sureplug_{version()}.bb"])
        makefile = (ROOT / PACKAGE / "sureplug.mk").read_text()
        self.assertEqual(re.findall(r"^SUREPLUG_VERSION = (.*)$", makefile, re.MULTILINE), [version()])
        self.assertEqual(expect(program(), "--version").split()[1], version())
        changelog = (ROOT / "CHANGELOG.md").read_text()
        heading = re.search(r"^## \[(.*?)\]", changelog, re.MULTILINE).group(1)
        if heading == "Unreleased":
            self.assertIn(f"Becomes {version()}.", changelog)
        else:
            self.assertEqual(heading, version())

    def test_nothing_else_of_the_recipes_names_the_version(self):
        allowed = {RECIPE / f"sureplug_{version()}.bb", PACKAGE / "sureplug.mk", PACKAGE / "sureplug.hash"}
        for folder in "yocto", "buildroot", "board/dist":
            for path in (ROOT / folder).rglob("*"):
                if not path.is_file() or path.relative_to(ROOT) in allowed or path.name.endswith("-crates.inc"):
                    continue
                self.assertNotRegex(path.read_text(), rf"sureplug[-_ ]{re.escape(version())}\b", path)
        self.assertNotIn(version(), (ROOT / RECIPE / f"sureplug_{version()}.bb").read_text())

    def test_checksums_of_a_version_that_is_released(self):
        differing = run(RELEASE, "--commit", tree(), "--check", scratch() / "check")
        changelog = (ROOT / "CHANGELOG.md").read_text()
        if re.search(rf"^## \[{re.escape(version())}\]", changelog, re.MULTILINE):
            self.assertEqual(differing.returncode, 0, differing.stdout)
        elif differing.returncode:
            print(f"{version()} is not released; to build this tree, run tests/recipes/release --update:\n{differing.stdout}")

    def test_the_check_sees_another_archive(self):
        recipe = released() / RECIPE / f"sureplug_{version()}.bb"
        text = recipe.read_text()
        try:
            recipe.write_text(re.sub(r'(sha256sum\] = ")(.)', lambda found: found[1] + ("0" if found[2] != "0" else "1"), text))
            differing = run(RELEASE, "--commit", tree(), "--recipes", released(), "--check", scratch() / "check")
            self.assertEqual(differing.returncode, 1, differing.stdout)
            self.assertIn(f"{RECIPE}/sureplug_{version()}.bb differs", differing.stdout)
        finally:
            recipe.write_text(text)


class Crates(unittest.TestCase):
    def test_the_list_is_the_lock_files(self):
        """Drift: whoever changes Cargo.lock makes the list again."""
        listed = (ROOT / RECIPE / "sureplug-crates.inc").read_text()
        wanted = (released() / RECIPE / "sureplug-crates.inc").read_text()
        self.assertEqual(listed, wanted, "run tests/recipes/release --update")
        locked = [package for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"] if "source" in package]
        self.assertEqual(listed.count("crate://crates.io/"), len(locked))
        for package in locked:
            self.assertIn(f'SRC_URI[{package["name"]}-{package["version"]}.sha256sum] = "{package["checksum"]}"', listed)


class Layer(unittest.TestCase):
    def test_it_says_for_which_series_it_is(self):
        self.assertIn('LAYERSERIES_COMPAT_sureplug = "whinlatter wrynose"', (ROOT / LAYER / "conf/layer.conf").read_text())


if __name__ == "__main__":
    unittest.main()
