"""The contents of a release, and one version everywhere."""

import ast
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import unittest
from pathlib import Path

from project import LAYER, PACKAGE, RECIPE, ROOT, downloads, expect, program, released, run, scratch, tree, version

RELEASE = ROOT / "tests/recipes/release"


class Archives(unittest.TestCase):
    def test_the_same_bytes_twice(self):
        # In another time zone and with another umask.
        other = scratch() / "other"
        expect("sh", "-c", f"umask 077; exec {RELEASE} --commit {tree()} --site file://{released()} {other}", env=os.environ | {"TZ": "Asia/Tokyo"})
        names = sorted(path.name for path in released().iterdir())
        self.assertEqual(names, sorted(path.name for path in other.iterdir()))
        for name in names:
            self.assertEqual((released() / name).read_bytes(), (other / name).read_bytes(), name)

    def test_the_bytes_are_those_of_git_archive(self):
        """Compares with a commit of the release's time, which git writes into each header, after the commit's name."""
        time = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
                "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
        commit = expect("git", "-C", ROOT, "commit-tree", tree(), "-m", "release", env=os.environ | time).strip()
        archive = subprocess.run(["git", "-C", ROOT, "-c", "tar.umask=0022", "archive", "--format=tar",
                                  f"--prefix=sureplug-{version()}/", commit], check=True, stdout=subprocess.PIPE).stdout
        self.assertEqual(archive[156:157], b"g")
        wanted = archive[1024:]
        found = gzip.decompress((released() / f"sureplug-{version()}.tar.gz").read_bytes())
        # Without the name, the padding at the end may differ.
        self.assertEqual(found.rstrip(b"\0"), wanted.rstrip(b"\0"))
        self.assertEqual(len(found) % 10240, 0)

    def test_it_holds_what_a_build_needs_and_no_recipe(self):
        with tarfile.open(released() / f"sureplug-{version()}.tar.gz") as tar:
            members = tar.getmembers()
        tops = {member.name.split("/")[1] for member in members if "/" in member.name}
        self.assertEqual(tops, {"CHANGELOG.md", "CONTRIBUTING.md", "Cargo.lock", "Cargo.toml", "LICENSE-APACHE",
                                "LICENSE-MIT", "README.md", "SECURITY.md", "board", "core"})
        # A link has no mode of its own.
        mode = lambda member: 0 if member.issym() else member.mode & 0o022
        self.assertEqual({(member.uid, member.gid, mode(member), member.mtime) for member in members}, {(0, 0, 0, 1767225600)})

    def test_the_vendored_one_builds_without_a_network_or_a_registry(self):
        folder = scratch() / "vendored"
        folder.mkdir()
        expect("tar", "xzf", released() / f"sureplug-{version()}-vendored.tar.gz", "-C", folder)
        # With this file Buildroot leaves the archive unchanged.
        listed = expect("tar", "tzf", released() / f"sureplug-{version()}-vendored.tar.gz")
        self.assertRegex(listed, re.compile(r"^[^/]*/VENDOR", re.MULTILINE))
        environment = os.environ | {"CARGO_HOME": str(scratch() / "no-registry"), "CARGO_TARGET_DIR": str(scratch() / "vendored-target")}
        expect("cargo", "check", "--offline", "--locked", cwd=folder / f"sureplug-{version()}/board", env=environment)

    def test_the_checksums_beside_them_are_theirs(self):
        checksum = hashlib.sha256((released() / f"sureplug-{version()}.tar.gz").read_bytes()).hexdigest()
        self.assertIn(f'SRC_URI[sha256sum] = "{checksum}"', (released() / f"sureplug_{version()}.bb").read_text())
        checksum = hashlib.sha256((released() / f"sureplug-{version()}-vendored.tar.gz").read_bytes()).hexdigest()
        self.assertIn(f"sha256  {checksum}  sureplug-{version()}-vendored.tar.gz\n", (released() / "sureplug.hash").read_text())


class FreshMachine(unittest.TestCase):
    """Machines that lack programs: only Debian's on PATH, and an empty environment otherwise."""

    def setUp(self):
        self.home = Path(tempfile.mkdtemp(dir=scratch()))
        self.out = self.home / "out"
        # A fresh machine has a clone: the release is of its HEAD.
        self.clone = self.home / "clone"
        expect("git", "init", "--quiet", self.clone)
        expect("git", "-C", self.clone, "fetch", "--quiet", "--depth=1", ROOT, self.commit())
        expect("git", "-C", self.clone, "reset", "--quiet", "--hard", "FETCH_HEAD")

    def commit(self):
        """Commits the current tree on a separate reference, so that it can be fetched."""
        who = {f"GIT_{role}_{what}": "a" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return expect("git", "-C", ROOT, "commit-tree", tree(), "-m", "test", env=os.environ | who).strip()

    def release(self, *arguments, path="/usr/bin:/bin", **variables):
        # This Python: with this PATH the venv would not find another version.
        return run("env", "-i", f"HOME={self.home}", f"PATH={path}", *[f"{name}={value}" for name, value in variables.items()],
                   shutil.which("python3", path="/usr/bin:/bin"), self.clone / "tests/recipes/release", *arguments)

    def tools(self, *names):
        """Returns a directory with only these programs."""
        folder = Path(tempfile.mkdtemp(dir=self.home))
        for name in names:
            (folder / name).symlink_to(shutil.which(name, path="/usr/bin:/bin"))
        return folder

    def assert_sentence(self, result, pattern):
        self.assertNotEqual(result.returncode, 0)
        self.assertNotIn("Traceback", result.stdout)
        last = result.stdout.strip().splitlines()[-1]
        self.assertRegex(last, rf"^release: {pattern}")

    def test_the_archive_without_crates_needs_git_and_gzip_alone(self):
        result = self.release("--without-crates", self.out, path=self.tools("git", "gzip"))
        self.assertEqual(result.returncode, 0, result.stdout)
        archive = f"sureplug-{version()}.tar.gz"
        self.assertEqual(sorted(path.name for path in self.out.iterdir()), [archive, f"sureplug_{version()}.bb"])
        self.assertEqual((self.out / archive).read_bytes(), (released() / archive).read_bytes())

    def test_without_cargo_the_other_archive_is_there(self):
        result = self.release(self.out, path=self.tools("git", "gzip"))
        self.assert_sentence(result, "cargo is neither on PATH nor in ~/.cargo/bin, ")
        self.assertTrue((self.out / f"sureplug-{version()}.tar.gz").exists())
        self.assertFalse((self.out / f"sureplug-{version()}-vendored.tar.gz").exists())

    def test_with_its_cache_the_vendored_archive_needs_no_cargo(self):
        home = os.environ.get("CARGO_HOME", Path.home() / ".cargo")
        downloads()
        result = self.release(self.out, path=self.tools("git", "gzip"), CARGO_HOME=home)
        self.assertEqual(result.returncode, 0, result.stdout)
        for name in f"sureplug-{version()}-vendored.tar.gz", "sureplug.hash":
            self.assertEqual((self.out / name).read_bytes(), (released() / name).read_bytes())

    def test_each_missing_tool_is_a_sentence(self):
        self.assert_sentence(self.release(self.out, path=self.tools("gzip")), "git is not on PATH, and a release")
        self.assert_sentence(self.release(self.out, path=self.tools("git")), "gzip is not on PATH, and an archive needs it")

    def test_without_a_repository(self):
        shutil.rmtree(self.clone / ".git")
        self.assert_sentence(self.release(self.out), "git failed: .*not a git repository")

    def test_an_empty_directory_is_an_error(self):
        for directory in "", " ":
            self.assert_sentence(self.release(directory), "the directory for the archives is empty")
        self.assertEqual(expect("git", "-C", self.clone, "status", "--porcelain"), "")

    def test_an_unknown_commit(self):
        self.assert_sentence(self.release("--commit", "nonsense", self.out), "nonsense is no commit")

    def test_a_dirty_tree_is_warned_of(self):
        self.assertNotIn("warning", self.release("--without-crates", self.out).stdout)
        (self.clone / "README.md").write_text("Changed.\n")
        result = self.release("--without-crates", self.out)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("release: warning: the archives hold HEAD, without 1 uncommitted changes of this tree (README.md)", result.stdout)

    def test_an_older_python(self):
        """It needs nothing newer than Python 3.9."""
        source = RELEASE.read_text()
        ast.parse(source, feature_version=(3, 9))
        self.assertNotIn("tomllib", source)


class Clone(unittest.TestCase):
    def test_no_bytecode_is_left_in_it(self):
        folder = ROOT / "tests/recipes"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        expect(sys.executable, "-c", "import test_board, test_release", cwd=folder, env=environment)
        self.assertEqual(list(folder.rglob("__pycache__")), [])


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
        allowed = {RECIPE / f"sureplug_{version()}.bb", PACKAGE / "sureplug.mk"}
        for folder in "yocto", "buildroot", "board/dist":
            for path in (ROOT / folder).rglob("*"):
                if not path.is_file() or path.relative_to(ROOT) in allowed or path.name.endswith("-crates.inc"):
                    continue
                self.assertNotRegex(path.read_text(), rf"sureplug[-_ ]{re.escape(version())}\b", path)
        self.assertNotIn(version(), (ROOT / RECIPE / f"sureplug_{version()}.bb").read_text())

    def test_the_recipes_are_up_to_date(self):
        expect(RELEASE, "--check")

    def test_the_check_sees_another_version_and_other_crates(self):
        copy = scratch() / "checked"
        for part in "yocto", "buildroot", "board/dist":
            shutil.copytree(ROOT / part, copy / part, symlinks=True)
        crates, makefile = copy / RECIPE / "sureplug-crates.inc", copy / PACKAGE / "sureplug.mk"
        wanted = crates.read_text(), makefile.read_text()
        crates.write_text(wanted[0].replace("rtrb/", "rtrb/0."))
        makefile.write_text(wanted[1].replace(version(), "9.9.9"))
        differing = run(RELEASE, "--recipes", copy, "--check")
        self.assertEqual(differing.returncode, 1, differing.stdout)
        self.assertEqual([line.split()[0] for line in differing.stdout.splitlines()], [f"{RECIPE}/sureplug-crates.inc", f"{PACKAGE}/sureplug.mk"])
        expect(RELEASE, "--recipes", copy, "--update")
        self.assertEqual((crates.read_text(), makefile.read_text()), wanted)


class Crates(unittest.TestCase):
    def test_the_list_is_the_lock_files(self):
        listed = (ROOT / RECIPE / "sureplug-crates.inc").read_text()
        locked = [package for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"] if "source" in package]
        self.assertEqual(listed.count("crate://crates.io/"), len(locked))
        for package in locked:
            self.assertIn(f'SRC_URI[{package["name"]}-{package["version"]}.sha256sum] = "{package["checksum"]}"', listed)


class Layer(unittest.TestCase):
    def test_it_says_for_which_series_it_is(self):
        self.assertIn('LAYERSERIES_COMPAT_sureplug = "whinlatter wrynose"', (ROOT / LAYER / "conf/layer.conf").read_text())


if __name__ == "__main__":
    unittest.main()
