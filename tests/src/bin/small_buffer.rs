//! The daemon with a receive buffer that no board of ours would start with:
//! `small_buffer BYTES [--hide LETTER] [--sysfs DIR] [--led NAME] [--socket PATH] [--hook PATH]`. It asks for BYTES with `SO_RCVBUF` and writes JSON. With
//! `--hide`, no event of a virtual net device whose name begins with that letter reaches the socket, and no
//! counter says so.

use std::path::PathBuf;
use std::{env, io};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use sureplug_board::engine::Worker;
use sureplug_board::engine::totals::Totals;
use sureplug_board::intake::Intake;
use sureplug_board::report::{Style, Undersized};
use sureplug_board::service::broker::Broker;
use sureplug_board::service::hook::{DEFAULT_TIMEOUT_MS, Hook};
use sureplug_board::service::led::StatusLed;
use sureplug_board::service::log::Console;
use sureplug_board::socket::UeventSocket;
use sureplug_core::selection::Selection;
use sureplug_tests::kernel::Listener;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let bytes = arguments.next().and_then(|bytes| bytes.parse().ok()).expect("BYTES");
    let listener = Listener::unbound();
    let mut sysfs = PathBuf::from("/sys");
    let (mut led, mut broker, mut hook) = (None, None, None);
    while let (Some(option), Some(value)) = (arguments.next(), arguments.next()) {
        match option.as_str() {
            "--hide" => listener.hide_net_devices(value.as_bytes()[0]),
            "--sysfs" => sysfs = PathBuf::from(value),
            "--led" => led = Some(value),
            "--socket" => broker = Some(Broker::open(value.as_ref(), None).expect("a broker")),
            "--hook" => hook = Some(Hook::open(value.as_ref(), DEFAULT_TIMEOUT_MS)?),
            other => panic!("{other}"),
        }
    }
    let ending = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1]);
    ending.thread_block()?;
    let signals = SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    listener.set_rcvbuf(bytes);
    listener.bind(1);
    let socket = UeventSocket::adopt(listener.into_fd()).expect("a uevent socket");
    let totals = Totals { effective: socket.effective().0, ..Totals::default() };
    let console = Console::start(Style::Json)?;
    let intake = Intake::start(socket)?;
    let undersized = Undersized::default();
    let mut worker = Worker::new(intake, &sysfs, Some(console), signals, undersized, totals, Selection::ALL)?;
    if let Some(name) = led {
        worker.show_on(StatusLed::of_sysfs(&sysfs, &name)?);
    }
    if let Some(broker) = broker {
        worker.serve(broker);
    }
    if let Some(hook) = hook {
        worker.hook(hook);
    }
    worker.run()?;
    Ok(())
}
