//! The client of the library, which has the calls that `board/examples/events.rs` does without.

use std::io::ErrorKind;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sureplug_board::client::Client;
use sureplug_core::protocol::PacketKind;
use sureplug_tests::kernel::devices::NetDevice;
use sureplug_tests::kernel::own_sysfs;
use sureplug_tests::served::{LARGE, Served};

/// The devpaths that come before the end of what is present.
fn present(client: &mut Client) -> Vec<Vec<u8>> {
    let mut devpaths = Vec::new();
    while let Some(message) = client.receive().expect("a packet") {
        match message.kind() {
            PacketKind::Event(entry) => devpaths.push(entry.uevent.devpath().to_vec()),
            PacketKind::End => break,
            _ => {}
        }
    }
    devpaths
}

#[test]
fn client_that_polls_never_waits() {
    let Some(_turn) = own_sysfs("a client that polls") else { return };
    let served = Served::start(LARGE);
    let mut client = Client::stream(&served.path(), &["net"], true).expect("somebody listens");
    assert!(present(&mut client).contains(&b"/devices/virtual/net/lo".to_vec()));
    assert_eq!(client.try_receive().expect_err("nothing happens").kind(), ErrorKind::WouldBlock);
    let tap = NetDevice::tap("client0").expect("a tap");
    poll(&mut [PollFd::new(client.as_fd(), PollFlags::POLLIN)], PollTimeout::from(20_000_u16)).expect("poll");
    let message = client.try_receive().expect("a packet").expect("an event");
    assert_eq!(message.uevent().devpath(), b"/devices/virtual/net/client0");
    tap.destroy().expect("it goes");
    served.finish().assert_fine();
}

#[test]
fn a_list_ends_with_what_is_present() {
    let Some(_turn) = own_sysfs("a list for a client") else { return };
    let served = Served::start(LARGE);
    let mut client = Client::list(&served.path(), &["net"]).expect("somebody listens");
    assert!(present(&mut client).contains(&b"/devices/virtual/net/lo".to_vec()));
    assert!(client.receive().expect("an end").is_none());
    served.finish().assert_fine();
}
