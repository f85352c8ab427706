//! The query of `NETLINK_SOCK_DIAG` for sockets, and its answers (`sock_diag(7)`).

use nix::errno::Errno;

use super::{Socket, UEVENT_PROTOCOL};

/// Bytes of a [`request`].
const REQUEST_BYTES: usize = HEADER_BYTES + 20;

/// `struct nlmsghdr` in `linux/netlink.h`: length, type, flags, sequence number, port.
const HEADER_BYTES: usize = 16;
/// `struct netlink_diag_msg` in `linux/netlink_diag.h`.
const SOCKET_BYTES: usize = 28;
/// Its first field is the family.
const AF_NETLINK: u8 = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const FLAGS: u16 = 0x301;
/// `NDIAG_SHOW_MEMINFO | NDIAG_SHOW_GROUPS`.
const SHOW: u32 = 3;

const NETLINK_DIAG_MEMINFO: u16 = 0;
const NETLINK_DIAG_GROUPS: u16 = 1;

/// Words of `SK_MEMINFO` (`linux/sock_diag.h`).
const RMEM_ALLOC: usize = 0;
const RCVBUF: usize = 1;
const DROPS: usize = 8;

/// Returns the request for all uevent sockets of the network namespace, with groups and memory, in
/// the machine's byte order. It is sent to port 0 from a socket of protocol `NETLINK_SOCK_DIAG`.
pub(super) fn request() -> [u8; REQUEST_BYTES] {
    let mut bytes = [0; REQUEST_BYTES];
    #[expect(clippy::cast_possible_truncation)]
    bytes[..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&FLAGS.to_ne_bytes());
    bytes[HEADER_BYTES..HEADER_BYTES + 2].copy_from_slice(&[AF_NETLINK, UEVENT_PROTOCOL]);
    // Inode 0 selects all.
    bytes[HEADER_BYTES + 8..HEADER_BYTES + 12].copy_from_slice(&SHOW.to_ne_bytes());
    bytes
}

/// Takes the sockets from one datagram of the kernel. A socket that is bound and listens comes twice.
/// Returns `true` at the end of the answer.
///
/// # Errors
///
/// Returns the kernel's refusal, `ENOENT` if it has no `netlink_diag`, or `EBADMSG` if the datagram is
/// not what `linux/netlink_diag.h` describes.
pub(super) fn take(datagram: &[u8], sockets: &mut Vec<Socket>) -> nix::Result<bool> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let (kind, body, length) = message(rest).ok_or(Errno::EBADMSG)?;
        match kind {
            // A dump that fails later reports that with its end.
            NLMSG_DONE => return refusal(body).map_or(Ok(true), Err),
            NLMSG_ERROR => return Err(refusal(body).unwrap_or(Errno::EBADMSG)),
            SOCK_DIAG_BY_FAMILY if matches!(body, [AF_NETLINK, _, UEVENT_PROTOCOL, ..]) => {
                sockets.push(socket(body).ok_or(Errno::EBADMSG)?);
            }
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

/// Returns the type, the body and the length of the first message; `None` if it is damaged.
fn message(rest: &[u8]) -> Option<(u16, &[u8], usize)> {
    let length = word(rest, 0)? as usize;
    Some((half(rest, 4)?, rest.get(HEADER_BYTES..length)?, length))
}

fn refusal(body: &[u8]) -> Option<Errno> {
    let errno = word(body, 0)?.cast_signed();
    (errno < 0).then(|| Errno::from_raw(errno.wrapping_neg()))
}

/// Returns the socket that a message describes; `None` if the message is damaged.
fn socket(body: &[u8]) -> Option<Socket> {
    let mut attributes = body.get(SOCKET_BYTES..)?;
    let cookie = u64::from(word(body, 20)?) | u64::from(word(body, 24)?) << 32;
    let (port, inode) = (word(body, 4)?, word(body, 16)?);
    let mut socket = Socket { port, groups: 0, inode, cookie, queued: 0, effective: None, drops: 0 };
    while !attributes.is_empty() {
        let length = usize::from(half(attributes, 0)?);
        let value = attributes.get(4..length)?;
        match half(attributes, 2)? {
            NETLINK_DIAG_MEMINFO => {
                socket.queued = word(value, RMEM_ALLOC * 4)?;
                socket.effective = Some(word(value, RCVBUF * 4)?);
                // Older kernels have fewer words.
                socket.drops = word(value, DROPS * 4).unwrap_or(0);
            }
            // These are longs, but uevents have at most 32 groups, and a socket that never joined
            // one has an empty array.
            NETLINK_DIAG_GROUPS => socket.groups = group_bits(value),
            _ => {}
        }
        attributes = attributes.get(aligned(length)..).unwrap_or(&[]);
    }
    Some(socket)
}

/// Returns the first 32 bits of an array of longs. A 64-bit big-endian kernel puts them last.
fn group_bits(value: &[u8]) -> u32 {
    match value.first_chunk::<8>() {
        #[expect(clippy::cast_possible_truncation)]
        Some(long) if cfg!(target_endian = "big") => u64::from_ne_bytes(*long) as u32,
        _ => word(value, 0).unwrap_or(0),
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Messages and attributes begin at multiples of 4 bytes.
const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, words: &[u32]) -> Vec<u8> {
        let length = u16::try_from(4 + 4 * words.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        for word in words {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    /// Makes a message about a socket of port 4711 in group 1 that requested 1,024 bytes and lost
    /// 31 events.
    fn listed(protocol: u8) -> Vec<u8> {
        let mut body = [AF_NETLINK, 3, protocol, 0].to_vec();
        for word in [4711_u32, 0, 0, 77, 0x5555_0001, 2] {
            body.extend(word.to_ne_bytes());
        }
        body.extend(attribute(NETLINK_DIAG_MEMINFO, &[1_280, 2_304, 0, 212_992, 0, 0, 0, 0, 31]));
        body.extend(attribute(9, &[1]));
        body.extend(attribute(
            NETLINK_DIAG_GROUPS,
            if cfg!(target_endian = "big") { &[0, 1] } else { &[1, 0] },
        ));
        message(SOCK_DIAG_BY_FAMILY, &body)
    }

    const LISTED: Socket = Socket {
        port: 4711,
        groups: 1,
        inode: 77,
        cookie: 0x2_5555_0001,
        queued: 1_280,
        effective: Some(2_304),
        drops: 31,
    };

    fn taken(datagram: &[u8]) -> (nix::Result<bool>, Vec<Socket>) {
        let mut sockets = Vec::new();
        (take(datagram, &mut sockets), sockets)
    }

    #[test]
    fn a_socket_a_stranger_and_the_end() {
        let datagram =
            [listed(15), listed(0), message(99, &[1, 2, 3]), message(NLMSG_DONE, &[0; 4])].concat();
        assert_eq!(taken(&datagram), (Ok(true), vec![LISTED]));
        assert_eq!(taken(&listed(15)), (Ok(false), vec![LISTED]));
    }

    #[test]
    fn a_refusal_has_its_errno() {
        let body = [(-2_i32).to_ne_bytes(), [0; 4]].concat();
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            assert_eq!(taken(&message(kind, &body)), (Err(Errno::ENOENT), vec![]));
        }
    }

    #[test]
    fn cut_answers_are_errors() {
        let one = listed(15);
        let both = [one.clone(), one.clone()].concat();
        for end in one.len() + 1..both.len() {
            assert_eq!(taken(&both[..end]), (Err(Errno::EBADMSG), vec![LISTED]), "{end}");
        }
        for length in [0_u32, 15, 16, 40, u32::MAX] {
            let mut lying = one.clone();
            lying[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(taken(&lying), (Err(Errno::EBADMSG), vec![]), "{length}");
        }
        for length in [0_u16, 3, 41, u16::MAX] {
            let mut lying = one.clone();
            let at = HEADER_BYTES + SOCKET_BYTES;
            lying[at..at + 2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(taken(&lying), (Err(Errno::EBADMSG), vec![]), "{length}");
        }
    }

    #[test]
    fn the_request_asks_for_uevent_sockets_with_memory() {
        let bytes = request();
        assert_eq!(word(&bytes, 0), Some(36));
        assert_eq!((half(&bytes, 4), half(&bytes, 6)), (Some(20), Some(0x301)));
        assert_eq!((bytes[16], bytes[17], word(&bytes, 20), word(&bytes, 24)), (16, 15, Some(0), Some(3)));
    }
}
