use sureplug_core::rcvbuf::SkbAbi;

use crate::architecture::{Architecture, release};

/// How the kernel that a board runs charges for events, by the release that it is of.
///
/// # Panics
///
/// If that release was never measured.
#[must_use]
pub fn kernels_charge(architecture: Architecture) -> SkbAbi {
    match (architecture, release().as_str()) {
        (Architecture::Arm64, "bullseye") => SkbAbi::ARM64_5_10,
        (Architecture::Arm64, "bookworm") => SkbAbi::ARM64_6_1,
        (Architecture::Arm64, "trixie") => SkbAbi::ARM64_6_12,
        (Architecture::Armhf, "bullseye") => SkbAbi::ARM_5_10,
        (Architecture::Armhf, "bookworm") => SkbAbi::ARM_6_1,
        (Architecture::Armhf, "trixie") => SkbAbi::ARM_6_12,
        (_, other) => panic!("nobody has measured what the kernel of {other} charges"),
    }
}
