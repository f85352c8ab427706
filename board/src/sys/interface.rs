use std::mem;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// Returns the index of a network device by its name, in the network namespace of a socket (netdevice(7)). A socket of
/// any family does, since the kernel answers for all of them (`sock_do_ioctl` in `net/socket.c`).
///
/// # Errors
///
/// What `ioctl(2)` says: `ENODEV` if there is no device of that name, and so for a name that is too long.
pub fn interface_index(socket: impl AsFd, name: &[u8]) -> nix::Result<u32> {
    // SAFETY: an `ifreq` consists of bytes, numbers and a pointer, all of which may be 0.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays 0.
    let room = request.ifr_name.split_last_mut().map_or(&mut [][..], |(_, room)| room);
    for (to, from) in room.get_mut(..name.len()).ok_or(Errno::ENODEV)?.iter_mut().zip(name) {
        // Signed on some targets; the bits stay.
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    // SAFETY: `request` is a valid `ifreq` with a NUL behind the name, which the kernel reads and writes, and it outlives
    // the call.
    let result =
        unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut request) };
    Errno::result(result)?;
    // SAFETY: after this request the kernel has written this member, and any bits are valid for it.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex }.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use nix::errno::Errno;

    use super::interface_index;

    #[test]
    fn any_socket_knows_the_devices_of_its_namespace() {
        let socket = UnixDatagram::unbound().unwrap();
        assert_eq!(interface_index(&socket, b"lo"), Ok(1));
        for name in [&b"no-such-device"[..], b"", b"a-name-with-more-than-15-bytes"] {
            assert_eq!(interface_index(&socket, name), Err(Errno::ENODEV));
        }
    }
}
