use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A board's processor, and with it its kernel and its build of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64 bit: a Cortex-A53.
    Arm64,
    /// 32 bit: a Cortex-A15.
    Armhf,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Arm64, Self::Armhf];

    /// Debian's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::Armhf => "armhf",
        }
    }

    /// QEMU's program and machine.
    pub(crate) const fn machine(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Arm64 => ("qemu-system-aarch64", &["-M", "virt", "-cpu", "cortex-a53"]),
            Self::Armhf => ("qemu-system-arm", &["-M", "virt,highmem=off", "-cpu", "cortex-a15"]),
        }
    }

    /// Returns the name in `tests/cross` of the daemon that runs with any libc of a board.
    const fn build(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-static",
            Self::Armhf => "armv7-static",
        }
    }

    const fn c_compiler(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-linux-gnu-gcc",
            Self::Armhf => "arm-linux-gnueabihf-gcc",
        }
    }

    /// Returns the directory of kernel, modules and busybox, which are downloaded if missing.
    ///
    /// # Panics
    ///
    /// Panics if the download fails; the script has printed why.
    pub(crate) fn files(self) -> PathBuf {
        let status = Command::new(here("fetch")).stdin(Stdio::null()).status().expect("bash");
        assert!(status.success(), "tests/board/fetch failed: see above");
        cache().join(format!("{}-{}", release(), self.name()))
    }

    /// Builds the daemon as an image has it, and finds the program.
    ///
    /// # Panics
    ///
    /// If it does not build.
    #[must_use]
    pub fn daemon(self) -> PathBuf {
        self.daemon_with("")
    }

    /// The same with features of cargo's. It takes the place of the one without.
    ///
    /// # Panics
    ///
    /// If it does not build.
    #[must_use]
    pub fn daemon_with(self, features: &str) -> PathBuf {
        let mut command = Command::new(here("../cross"));
        command.arg(self.build()).stdin(Stdio::null());
        if !features.is_empty() {
            command.env("FEATURES", features);
        }
        let output = command.output().expect("bash");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let program = said.split_whitespace().last().expect("the program's path");
        here("../..").join(program)
    }

    /// Compiles one of the C programs in `guest`, static, into a directory.
    pub(crate) fn compile(self, source: &str, directory: &Path) -> PathBuf {
        let program = directory.join(source.trim_end_matches(".c"));
        let mut command = Command::new(self.c_compiler());
        command.args(["-static", "-O2", "-s", "-Wall", "-Werror", "-o"]).arg(&program);
        let status = command.arg(here("guest").join(source)).status();
        let status = status.unwrap_or_else(|error| panic!("{}: {error}", self.c_compiler()));
        assert!(status.success(), "{source} does not compile");
        program
    }
}

/// Debian's name of the release that the kernels are of.
#[must_use]
pub(crate) fn release() -> String {
    env::var("SUREPLUG_BOARD_RELEASE").unwrap_or_else(|_| "bookworm".into())
}

/// A file beside this crate's manifest.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where `fetch` puts everything.
fn cache() -> PathBuf {
    let caches = env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let caches = caches.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").expect("HOME")).join(".cache"));
    caches.join("sureplug-tools/board")
}
