//! The daemon with a receive buffer too small for any board: `small_buffer BYTES [--hide LETTER]
//! [--sysfs DIR] [--led NAME] [--socket PATH]`. It requests BYTES with `SO_RCVBUF` and writes JSON.
//! With `--hide`, events of virtual network devices whose names begin with that letter do not reach
//! the socket, and no counter shows it.

use std::path::PathBuf;
use std::{env, io};

use sureplug_board::daemon::Daemon;
use sureplug_board::report::Style;
use sureplug_board::service::broker::Broker;
use sureplug_board::service::led::StatusLed;
use sureplug_board::service::log::{Console, Output};
use sureplug_board::socket::UeventSocket;
use sureplug_core::selection::Selection;
use sureplug_tests::kernel::Listener;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let bytes = arguments.next().and_then(|bytes| bytes.parse().ok()).expect("BYTES");
    let listener = Listener::unbound();
    let mut sysfs = PathBuf::from("/sys");
    let (mut led, mut broker) = (None, None);
    while let (Some(option), Some(value)) = (arguments.next(), arguments.next()) {
        match option.as_str() {
            "--hide" => listener.hide_net_devices(value.as_bytes()[0]),
            "--sysfs" => sysfs = PathBuf::from(value),
            "--led" => led = Some(value),
            "--socket" => broker = Some(Broker::open(value.as_ref(), None).expect("a broker")),
            other => panic!("{other}"),
        }
    }
    let signals = Daemon::take_signals()?;
    listener.set_rcvbuf(bytes);
    listener.bind(1);
    let socket = UeventSocket::adopt(listener.into_fd()).expect("a uevent socket");
    let mut daemon = Daemon::new(signals, socket, &sysfs, Selection::ALL);
    // In the order of the program itself.
    daemon.attach(Some(Console::start(Style::Json, Output::standard()?)?));
    daemon.attach(broker);
    daemon.attach(led.map(|name| StatusLed::of_sysfs(&sysfs, &name)).transpose()?);
    daemon.build()?.run()?;
    Ok(())
}
