"""The program's size in a board's flash as Buildroot builds it, with all features for firmware."""

import os
import re
import tomllib
import unittest

from project import ROOT, expect
from test_buildroot import cargo_environment

# Buildroot's environment of cargo for a target (package/pkg-cargo.mk, PKG_CARGO_ENV) by default: BR2_OPTIMIZE_2 without LTO.
BUILDROOT = {
    "CARGO_PROFILE_RELEASE_INCREMENTAL": "false",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_SPLIT_DEBUGINFO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "2",
    "CARGO_PROFILE_RELEASE_LTO": "false",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
    "CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS": "false",
    "CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS": "false",
}
KIB = 1024
LIMITS = {"armv7": 544 * KIB, "aarch64-static": 576 * KIB}


def size(build, environment, without=()):
    features = tomllib.loads((ROOT / "board/Cargo.toml").read_text()).get("features", {})
    names = ",".join(name for name in features if name != "default" and name not in without)
    output = expect(ROOT / "tests/cross", build, env=os.environ | environment | {"FEATURES": names})
    print(output.split("B")[0].strip(), "B", build, names, flush=True)
    return int(output.split()[0])


class Size(unittest.TestCase):
    def test_limits(self):
        for build, limit in LIMITS.items():
            with self.subTest(build):
                self.assertLessEqual(size(build, BUILDROOT | cargo_environment()), limit)

    def test_the_manual_has_these_limits(self):
        manual = (ROOT / "board/FOOTPRINT.md").read_text()
        rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \|$", manual, re.MULTILINE)
        self.assertEqual({name: int(kib) * KIB for name, kib in rows}, LIMITS)

    def test_small_leaves_the_unwinder_out(self):
        """Without the feature a static program contains the whole unwinder."""
        small, plain = (size("aarch64-static", cargo_environment(), without) for without in ((), ("small",)))
        self.assertGreater(plain, small + 100 * KIB)

    def test_it_would_be_more_with_buildroots_profile(self):
        """A counter-check: the package's SUREPLUG_CARGO_ENV makes a difference."""
        restored = size("armv7", BUILDROOT | cargo_environment())
        self.assertGreater(size("armv7", BUILDROOT), restored + 32 * KIB)


if __name__ == "__main__":
    unittest.main()
