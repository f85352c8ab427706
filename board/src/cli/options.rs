use std::path::{Path, PathBuf};
use std::time::Duration;

use sureplug_core::selection::Selection;

use crate::client::DEFAULT_PATH;
use crate::process_policy::ProcessPolicy;
use crate::profile::{Profile, SUBSYSTEMS};
use crate::report::Style;
use crate::service::hook::{DEFAULT_TIMEOUT_MS, Wants};
use crate::service::log::LogKind;

/// How often figures are written where nothing else is said: as often as they are usually collected.
const DEFAULT_METRICS_INTERVAL: Duration = Duration::from_secs(15);

/// How large a recording becomes where nothing else is said, in bytes.
const DEFAULT_MAX_BYTES: u32 = 16 * 1024 * 1024;

/// What is said of the board.
#[derive(Debug)]
pub(super) struct BoardOptions {
    /// What the image was built with, overridden by options.
    pub(super) profile: Profile,
    /// The subsystems that are wanted.
    pub(super) selection: Selection,
    pub(super) sysfs: PathBuf,
    pub(super) json: bool,
}

/// What all options together ask for.
#[derive(Debug)]
// Each is an option that a person gives.
#[expect(clippy::struct_excessive_bools)]
pub(super) struct Options {
    pub(super) board: BoardOptions,
    /// The names of the subsystems that were named, with blanks between them.
    pub(super) names: String,
    /// The subsystems that were named, for who asks a daemon; all if none was.
    pub(super) named: Selection,
    /// Opens a socket of its own although a daemon may be running.
    pub(super) direct: bool,
    pub(super) verbose: bool,
    pub(super) allow_undersized: bool,
    /// Where applications are served; the usual place if nobody says.
    pub(super) socket: Option<PathBuf>,
    /// By number: the group that may connect beside the owner.
    pub(super) socket_group: Option<u32>,
    /// The program that is run for each event.
    pub(super) hook: Option<PathBuf>,
    pub(super) hook_timeout_ms: u32,
    /// The names of the subsystems that it wants, with blanks between them.
    pub(super) hook_names: String,
    /// What it is run for.
    pub(super) hook_wants: Wants,
    /// The name of an LED in sysfs.
    pub(super) led: Option<String>,
    /// A chip and the number of its line.
    #[cfg(feature = "gpio")]
    pub(super) led_gpio: Option<(PathBuf, u32)>,
    /// A descriptor on which readiness is said.
    pub(super) ready_fd: Option<i32>,
    /// Where what matters is said as well.
    pub(super) system_log: Option<LogKind>,
    /// Where figures are written.
    pub(super) metrics: Option<PathBuf>,
    pub(super) metrics_interval: Duration,
    /// Looks again and again.
    pub(super) watch: bool,
    /// The capture that a command is about.
    pub(super) file: PathBuf,
    /// How large it may become.
    pub(super) max_bytes: u32,
    /// One that is measured, instead of what happens.
    pub(super) pcap: Option<PathBuf>,
    /// Where the lines go instead of to standard output.
    pub(super) log: Option<PathBuf>,
    pub(super) standing: ProcessPolicy,
}

impl Options {
    /// Where applications are served.
    pub(super) fn socket(&self) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(DEFAULT_PATH))
    }

    /// How events are shown.
    pub(super) fn style(&self) -> Style {
        if self.board.json { Style::Json } else { Style::Text { verbose: self.verbose } }
    }

    /// Where nothing is said.
    pub(super) fn usual() -> Self {
        Self {
            board: BoardOptions {
                profile: Profile::BUILD,
                selection: SUBSYSTEMS,
                sysfs: PathBuf::from("/sys"),
                json: false,
            },
            names: String::new(),
            named: Selection::ALL,
            direct: false,
            verbose: false,
            allow_undersized: false,
            socket: None,
            socket_group: None,
            hook: None,
            hook_timeout_ms: DEFAULT_TIMEOUT_MS,
            hook_names: String::new(),
            hook_wants: Wants::EVERYTHING,
            led: None,
            #[cfg(feature = "gpio")]
            led_gpio: None,
            ready_fd: None,
            system_log: None,
            metrics: None,
            metrics_interval: DEFAULT_METRICS_INTERVAL,
            watch: false,
            file: PathBuf::new(),
            max_bytes: DEFAULT_MAX_BYTES,
            pcap: None,
            log: None,
            standing: ProcessPolicy::default(),
        }
    }
}
