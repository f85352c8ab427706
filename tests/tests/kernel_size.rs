//! What the kernel makes of a size that is asked for, read back and held against the model.

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use sureplug_board::profile::{Profile, Sizing};
use sureplug_board::socket::sysctl;
use sureplug_board::socket::{Shortfall, UeventSocket, Unbound};
use sureplug_board::sysfs::BoardPorts;
use sureplug_core::rcvbuf::Others;
use sureplug_core::rcvbuf::{DeviceClass, Effective, PortDevice, Requested, SizingError, SkbAbi};
use sureplug_tests::kernel::Listener;
use sureplug_tests::privilege::turn_to_raise;

fn sizing(ports: u32, max_stall_ms: u32) -> Sizing {
    let profile = Profile { ports: Some(ports), max_stall_ms, ..Profile::BUILD };
    Sizing::for_board(&profile, &BoardPorts::default(), sysctl::rmem_default(), Others::Unfiltered)
        .expect("a size")
}

#[test]
fn a_plain_so_rcvbuf_is_doubled_clamped_and_raised_as_the_model_states() {
    let rmem_max = sysctl::rmem_max().expect("net.core.rmem_max");
    for bytes in
        [0, 1, 1024, 1119, 1120, 1121, 1151, 1152, 1153, 4096, 212_992, rmem_max, rmem_max + 1, 1 << 30]
    {
        let socket = Listener::unbound();
        setsockopt(&socket, sockopt::RcvBuf, &(bytes as usize)).expect("SO_RCVBUF");
        let read_back = getsockopt(&socket, sockopt::RcvBuf).expect("SO_RCVBUF");
        let Effective(model) = Requested(bytes).granted(Some(rmem_max), SkbAbi::BOUND);
        assert_eq!(read_back, model as usize, "SO_RCVBUF {bytes}");
        assert_eq!(socket.mem_info().effective, model, "SO_MEMINFO after SO_RCVBUF {bytes}");
    }
}

#[test]
fn i1_with_the_capability_the_effective_buffer_is_what_the_budget_wants() {
    let Some(_turn) = turn_to_raise("the buffer with CAP_NET_ADMIN") else { return };
    // The last is far beyond what rmem_max allows.
    for (ports, max_stall_ms) in [(1, 1), (4, 1_000), (127, 1_000), (127, 60_000)] {
        let wanted = sizing(ports, max_stall_ms).rcvbuf;
        let socket = UeventSocket::open(wanted).expect("a socket");
        assert_eq!(socket.effective(), wanted.effective(), "{ports} ports, {max_stall_ms} ms");
        assert_eq!(socket.mem_info().expect("SO_MEMINFO").effective, wanted.effective().0);
        assert_eq!(Unbound::open().expect("a socket").size(wanted).expect("a size"), wanted.effective());
        assert_eq!(Shortfall::of(socket.effective(), wanted), None);
    }
}

#[test]
fn a_shortfall_names_what_was_wanted_what_was_given_and_both_cures() {
    let wanted = sizing(4, 1_000).rcvbuf;
    let got = Effective(wanted.effective().0 - 1);
    let shortfall = Shortfall::of(got, wanted).expect("a shortfall");
    let text = Shortfall { rmem_max: Some(212_992), ..shortfall }.to_string();
    assert_eq!(
        text,
        format!(
            "the receive buffer is too small: wanted {} bytes, the kernel gave {} (net.core.rmem_max = 212992, \
             which the kernel doubles). Either give sureplug CAP_NET_ADMIN \
             (AmbientCapabilities=CAP_NET_ADMIN in its unit, or `setcap cap_net_admin+ep` on its file), or \
             raise the limit: sysctl -w net.core.rmem_max={}",
            wanted.effective().0,
            got.0,
            wanted.requested().0
        )
    );
}

#[test]
fn unstated_profile_never_refuses_to_start() {
    // 16 ports with 9 devices each need more addresses than one bus has, but no profile states that
    // there is only one.
    let board = BoardPorts { ports: 16, buses: 1, longest_devpath: 60, ..BoardPorts::default() };
    let port_device = PortDevice::Class(DeviceClass::Hub8);
    let counted = Profile { ports: None, port_device, ..Profile::BUILD };
    assert_eq!(
        Sizing::for_board(&counted, &board, None, Others::Unfiltered).expect("a size").topology.ports,
        16
    );
    let stated = Profile { ports: Some(16), port_device, ..Profile::BUILD };
    assert!(matches!(
        Sizing::for_board(&stated, &board, None, Others::Unfiltered),
        Err(SizingError::TooManyDevices { ports: 16, per_port: 9, limit: 127 })
    ));
}

#[test]
fn a_default_that_is_larger_than_any_buffer_is_no_reason_to_refuse() {
    let board = BoardPorts::default();
    for rmem_default in [1 << 30, u32::MAX] {
        Sizing::for_board(&Profile::BUILD, &board, Some(rmem_default), Others::Unfiltered).expect("a size");
    }
}
