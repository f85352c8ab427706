//! Receives uevents with the smallest buffer there is, and prints what the intake notices, a line each. For
//! tests that want this in namespaces of its own.

use std::io::{Write, stdout};

use sureplug_board::intake::{Intake, Observed};
use sureplug_board::profile::{Profile, Sizing};
use sureplug_board::socket::UeventSocket;
use sureplug_board::socket::sysctl::kernel_uids;
use sureplug_board::sysfs::BoardPorts;
use sureplug_core::rcvbuf::Others;
use sureplug_core::uevent::Uevent;

fn main() {
    let sizing =
        Sizing::for_board(&Profile::BUILD, &BoardPorts::default(), None, Others::Unfiltered).expect("a size");
    let mut intake = Intake::start(UeventSocket::open(sizing.rcvbuf).expect("a socket")).expect("an intake");
    println!("ready {:?}", kernel_uids());
    loop {
        let taken = intake.take(1, |record| match record.what {
            Observed::Event(datagram) => println!("event {:?}", Uevent::parse(datagram)),
            Observed::Foreign(sender) => println!("foreign {sender:?}"),
            other => println!("{other:?}"),
        });
        stdout().flush().expect("a reader");
        if taken == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
