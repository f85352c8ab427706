//! Receiving on a socket with a time limit.

use std::io;
use std::os::unix::net::UnixDatagram;

/// Receives a datagram. A machine or a process that was stopped meanwhile ends a `recv(2)` with a
/// time limit early, with `EINTR` (signal(7)): the call is repeated.
///
/// # Errors
///
/// Returns any other error of `recv(2)`.
pub fn receive(socket: &UnixDatagram, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.recv(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
