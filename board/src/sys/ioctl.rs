//! Queries of the kernel through `ioctl(2)`.

use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

/// Returns the index of a network device by name, in the network namespace of a socket
/// (netdevice(7)). The socket can be of any family: the kernel answers for all of them
/// (`sock_do_ioctl` in `net/socket.c`).
///
/// # Errors
///
/// Returns the error of `ioctl(2)`: `ENODEV` if there is no device of this name, which includes
/// names that are too long.
pub fn interface_index(socket: impl AsFd, name: &[u8]) -> nix::Result<u32> {
    let answer = ask(socket.as_fd(), name, libc::SIOCGIFINDEX as _)?;
    // SAFETY: after this request the kernel has written this member, and any bits are valid for it.
    Ok(unsafe { answer.ifr_ifru.ifru_ifindex }.unsigned_abs())
}

/// Returns `true` if a network device is up, in the network namespace of a socket.
///
/// # Errors
///
/// Returns the errors of [`interface_index`].
pub fn interface_is_up(socket: impl AsFd, name: &[u8]) -> nix::Result<bool> {
    let answer = ask(socket.as_fd(), name, libc::SIOCGIFFLAGS as _)?;
    // SAFETY: after this request the kernel has written this member, and any bits are valid for it.
    Ok(i32::from(unsafe { answer.ifr_ifru.ifru_flags }) & libc::IFF_UP != 0)
}

/// Queries one property of a network device.
fn ask(socket: BorrowedFd<'_>, name: &[u8], what: libc::Ioctl) -> nix::Result<libc::ifreq> {
    // SAFETY: an `ifreq` consists of bytes, numbers and a pointer, all of which may be 0.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays 0.
    let room = request.ifr_name.split_last_mut().map_or(&mut [][..], |(_, room)| room);
    for (to, from) in room.get_mut(..name.len()).ok_or(Errno::ENODEV)?.iter_mut().zip(name) {
        // `c_char` is signed on some targets; the bits stay the same.
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    // SAFETY: `request` is a valid `ifreq` with a NUL behind the name, which the kernel reads and writes, and it outlives
    // the call.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut request) })?;
    Ok(request)
}

/// Opens the user namespace that owns a namespace (`ioctl_ns(2)`, Linux 4.9).
///
/// # Errors
///
/// Returns the error of `ioctl(2)`: `EPERM` if it is an ancestor of the caller's user namespace, or
/// unrelated to it.
pub fn owning_user_namespace(namespace: impl AsFd) -> nix::Result<OwnedFd> {
    // SAFETY: the request takes no argument, and the descriptor is open for as long as the call lasts.
    let result = unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), libc::NS_GET_USERNS) };
    let descriptor = Errno::result(result)?;
    // SAFETY: the kernel has just opened it for this call alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Returns the bytes charged for data that a Unix socket has sent and its peer has not received
/// (`SIOCOUTQ`, `unix_outq_len` in `net/unix/af_unix.c`).
///
/// # Errors
///
/// Returns the error of `ioctl(2)`.
pub fn unread_bytes(socket: impl AsFd) -> nix::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes an int to `bytes`, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    Errno::result(result)?;
    Ok(u32::try_from(bytes).unwrap_or_default())
}

/// Returns a terminal's rows and columns; `None` if it is not a terminal. A terminal of unknown
/// size returns 0.
pub fn window_size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` (ioctl_tty(2)), for which `size` is valid; it outlives the call.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0).then_some((size.ws_row, size.ws_col))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::net::UnixDatagram;

    use nix::errno::Errno;

    use super::{interface_index, interface_is_up, owning_user_namespace, window_size};

    #[test]
    fn any_socket_knows_the_devices_of_its_namespace() {
        let socket = UnixDatagram::unbound().unwrap();
        assert_eq!(interface_index(&socket, b"lo"), Ok(1));
        let flags = fs::read_to_string("/sys/class/net/lo/flags").unwrap();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap();
        assert_eq!(interface_is_up(&socket, b"lo"), Ok(flags & 1 == 1));
        for name in [&b"no-such-device"[..], b"", b"a-name-with-more-than-15-bytes"] {
            assert_eq!(interface_index(&socket, name), Err(Errno::ENODEV));
            assert_eq!(interface_is_up(&socket, name), Err(Errno::ENODEV));
        }
    }

    #[test]
    fn only_a_namespace_has_an_owner() {
        let of_net = owning_user_namespace(File::open("/proc/self/ns/net").unwrap());
        assert!(matches!(of_net, Ok(_) | Err(Errno::EPERM)), "{of_net:?}");
        assert_eq!(owning_user_namespace(File::open("/dev/null").unwrap()).unwrap_err(), Errno::ENOTTY);
    }

    #[test]
    fn only_a_terminal_has_a_size() {
        assert_eq!(window_size(File::open("/dev/null").unwrap()), None);
        if let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") {
            assert_eq!(window_size(terminal), Some((0, 0)));
        }
    }
}
