use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{error, fmt, io};

use sureplug_core::rcvbuf::{PortDevice, SizingError};
use sureplug_core::selection::{Selection, SelectionError};

use super::Watcher;
use crate::cause::Cause;
use crate::engine::Engine;
use crate::engine::capacity::PORTS;
use crate::intake::Intake;
use crate::profile::{Mismatch, Profile, SUBSYSTEMS, Sizing};
use crate::report::Totals;
use crate::socket::{Filtering, OpenError, Shortfall, UeventSocket, Unbound, sysctl};
use crate::sysfs::BoardPorts;

/// A socket that is not bound yet, and what it is to be.
pub(crate) struct Prepared {
    pub(crate) socket: Unbound,
    pub(crate) filtering: Filtering,
    pub(crate) board: BoardPorts,
    pub(crate) sizing: Sizing,
}

/// Opens a socket with its filter, counts the board's ports, and sizes the buffer for them.
pub(crate) fn prepare(
    profile: &Profile,
    sysfs: &Path,
    selection: &Selection,
) -> Result<Prepared, WatchError> {
    let socket = Unbound::open().map_err(WatchError::Socket)?;
    let filtering = socket.filter(selection);
    let board = BoardPorts::count(sysfs);
    let sizing = Sizing::for_board(profile, &board, sysctl::rmem_default(), filtering.others(selection));
    Ok(Prepared { socket, filtering, board, sizing: sizing.map_err(WatchError::Sizing)? })
}

/// States what a [`Watcher`] is for, and opens it.
///
/// What is not stated is taken from the environment of the build (`SUREPLUG_USB_PORTS`, `SUREPLUG_PORT_DEVICE`,
/// `SUREPLUG_DEVICES_PER_PORT`, `SUREPLUG_MAX_STALL_MS`, `SUREPLUG_DEVPATH_MAX`, `SUREPLUG_SUBSYSTEMS`). Ports that are
/// stated in neither place are counted in sysfs.
#[derive(Clone, Debug)]
pub struct WatcherBuilder {
    profile: Profile,
    subsystems: Vec<String>,
    selection: Selection,
    allow_undersized: bool,
}

impl WatcherBuilder {
    pub(super) fn new() -> Self {
        let (profile, selection) = (Profile::BUILD, SUBSYSTEMS);
        Self { profile, subsystems: Vec::new(), selection, allow_undersized: false }
    }

    /// States the USB ports that the board has. [`open`](Self::open) then refuses a smaller receive buffer, and a board with
    /// more.
    #[must_use]
    pub const fn ports(mut self, ports: u32) -> Self {
        self.profile.ports = Some(ports);
        self
    }

    /// States the worst device that is plugged into each port.
    #[must_use]
    pub const fn port_device(mut self, device: PortDevice) -> Self {
        self.profile.port_device = device;
        self
    }

    /// States for how long the watcher may go unread, 1 ms to 600 s.
    #[must_use]
    pub fn max_stall(mut self, stall: Duration) -> Self {
        // A stall that no number holds is as impossible as the largest.
        self.profile.max_stall_ms = u32::try_from(stall.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX);
        self
    }

    /// Adds a subsystem, such as `usb` or `block`. The first replaces the default set.
    #[must_use]
    pub fn subsystem(mut self, name: &str) -> Self {
        self.subsystems.push(name.to_owned());
        self
    }

    /// Receives events of all subsystems.
    #[must_use]
    pub fn all_subsystems(mut self) -> Self {
        self.subsystems.clear();
        self.selection = Selection::ALL;
        self
    }

    /// Opens a socket even if its receive buffer is smaller than stated ports need, or if the board has more ports.
    #[must_use]
    pub const fn allow_undersized(mut self) -> Self {
        self.allow_undersized = true;
        self
    }

    /// Opens the socket, allocates all memory, and starts the thread that reads the socket.
    ///
    /// This takes up to 128 KiB of stack, and reading an open watcher 32 KiB.
    ///
    /// # Errors
    ///
    /// See [`WatchError`].
    pub fn open(self) -> Result<Watcher, WatchError> {
        let selection = self.selection()?;
        if let Some(stated) = self.profile.ports.filter(|&ports| ports > PORTS) {
            return Err(WatchError::TooManyPorts { stated, max: PORTS });
        }
        let sysfs = PathBuf::from("/sys");
        let Prepared { socket, board, sizing, .. } = prepare(&self.profile, &sysfs, &selection)?;
        let socket = socket.bind(sizing.rcvbuf).map_err(WatchError::Socket)?;
        if self.profile.is_fixed() && !self.allow_undersized {
            if let Some(shortfall) = Shortfall::of(socket.effective(), sizing.rcvbuf) {
                return Err(WatchError::Undersized(shortfall));
            }
            if let [Some(mismatch @ Mismatch::Ports { .. }), _] = sizing.mismatches(&board) {
                return Err(WatchError::Mismatch(mismatch));
            }
        }
        start(socket, &sysfs, selection).map_err(WatchError::System)
    }

    /// Opens a watcher on a socket that is bound already, whatever its receive buffer.
    ///
    /// # Errors
    ///
    /// See [`WatchError`].
    #[cfg(feature = "internals")]
    pub fn open_on(self, socket: UeventSocket) -> Result<Watcher, WatchError> {
        let selection = self.selection()?;
        start(socket, Path::new("/sys"), selection).map_err(WatchError::System)
    }

    fn selection(&self) -> Result<Selection, WatchError> {
        if self.subsystems.is_empty() {
            return Ok(self.selection.clone());
        }
        let names: Vec<_> = self.subsystems.iter().map(String::as_bytes).collect();
        Selection::of(&names).map_err(WatchError::Subsystem)
    }
}

fn start(socket: UeventSocket, sysfs: &Path, selection: Selection) -> io::Result<Watcher> {
    let effective_bytes = socket.effective().0;
    let engine = Engine::new(Intake::start(socket)?, sysfs, selection.clone(), Totals::default())?;
    Watcher::start(Box::new(engine), selection, effective_bytes)
}

/// A [`Watcher`] could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchError {
    /// More ports are stated than this build's device table is made for.
    TooManyPorts {
        /// The ports that are stated.
        stated: u32,
        /// The ports that the table is made for.
        max: u32,
    },
    /// A subsystem's name is not one, or there are too many.
    Subsystem(SelectionError),
    /// No receive buffer can be computed from what is stated.
    Sizing(SizingError),
    /// The system refused the socket.
    Socket(OpenError),
    /// The kernel gave a smaller receive buffer than the stated ports need.
    Undersized(Shortfall),
    /// The board has more ports than stated.
    Mismatch(Mismatch),
    /// The system refused a thread or a descriptor.
    System(io::Error),
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyPorts { stated, max } => write!(
                f,
                "{stated} USB ports are stated, and this build's device table is made for {max}. Build with \
                 SUREPLUG_USB_PORTS={stated}"
            ),
            Self::Subsystem(error) => error.fmt(f),
            Self::Sizing(error) => error.fmt(f),
            Self::Socket(error) => error.fmt(f),
            Self::Undersized(error) => error.fmt(f),
            Self::Mismatch(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start the watcher: {}", Cause(error)),
        }
    }
}

impl error::Error for WatchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Socket(error) => error.source(),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}
