//! A running board: its daemon, the devices in its ports, and the comparison of the two.

mod daemon;
mod ports;
mod truth;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::architecture::{Architecture, here};
use crate::initramfs::Initramfs;
use crate::lines::Lines;
use crate::log::Log;
use crate::qemu::{Extra, Qemu};
use crate::qmp::Qmp;
use crate::shell::Shell;
use crate::usb::Usb;

/// How long a board may take for a second's work, as it shares its processor with everything else
/// here. Only a board that hangs takes this long.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Where the daemon's log goes.
pub enum Source {
    /// The serial console, by standard output.
    Console,
    /// The second UART, by `--log`.
    Line,
    /// Another line of the scenario's.
    Other(Lines),
}

/// A running board.
pub struct Board {
    /// Which it is.
    pub architecture: Architecture,
    /// Its serial console.
    pub console: Lines,
    /// Its second UART, `/dev/ttyS0`.
    pub line: Lines,
    /// Where the daemon's log is read.
    pub source: Source,
    /// A shell on it.
    pub shell: Shell,
    /// The daemon's output.
    pub log: Log,
    /// From QEMU's start to the daemon's first line.
    pub booted_in: Duration,
    /// Arguments that the daemon has in any case.
    pub usual: &'static str,
    qmp: Qmp,
    /// By port.
    plugged: BTreeMap<String, Usb>,
    /// How many devices were plugged in: QEMU wants new names.
    count: u32,
    directory: TempDir,
    /// Ends first.
    _qemu: Qemu,
}

impl Board {
    /// Boots a board, up to the daemon's `scanned`.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn boot(architecture: Architecture, extra: &Extra) -> Self {
        let files = architecture.files();
        let directory = TempDir::with_prefix("sureplug-board-").expect("a directory");
        let mut initramfs = Initramfs::new(&files, &here("guest"));
        initramfs.program("sureplug", &architecture.daemon());
        for source in ["small_reader.c", "bare_reader.c"] {
            let program = architecture.compile(source, directory.path());
            initramfs.program(source.trim_end_matches(".c"), &program);
        }
        for (name, path) in &extra.programs {
            initramfs.program(name, path);
        }
        initramfs.file("etc/default/sureplug", "ARGS='run --json'\n");
        for (path, contents) in &extra.files {
            initramfs.file(path, contents);
        }
        let begun = Instant::now();
        let kernel = files.join("vmlinuz");
        let (qemu, sockets) =
            Qemu::start(architecture, &kernel, &initramfs.finish(), directory.path(), extra);
        let mut board = Self {
            architecture,
            console: Lines::of(sockets.console),
            line: Lines::of(sockets.line),
            source: Source::Console,
            shell: Shell::new(sockets.agent),
            log: Log::default(),
            booted_in: Duration::ZERO,
            usual: "",
            qmp: Qmp::new(sockets.qmp),
            plugged: BTreeMap::new(),
            count: 0,
            directory,
            _qemu: qemu,
        };
        // Nothing is taken yet: the next may have come as well.
        let first = board.console.wait_for(0, PATIENCE, |line| line.starts_with("{\"kind\":\"start\""));
        let _ = first.unwrap_or_else(|error| panic!("start: {error}"));
        board.booted_in = begun.elapsed();
        board.wait_for_kind("scanned");
        board
    }

    /// Executes a command of QEMU's monitor.
    ///
    /// # Panics
    ///
    /// If QEMU refuses.
    pub fn qmp(&mut self, command: &str, arguments: &Value) -> Value {
        self.qmp.execute(command, arguments)
    }

    /// A directory of this board's own, here.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}
