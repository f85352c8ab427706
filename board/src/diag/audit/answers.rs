//! `NETLINK_SOCK_DIAG`'s query for sockets, and the answers to it (`sock_diag(7)`).

use std::iter;

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

/// What asks the kernel for all uevent sockets of the network namespace, with groups and memory, when sent to port 0
/// of a socket of protocol `NETLINK_SOCK_DIAG`. In the byte order of the machine.
pub(super) fn request() -> [u8; REQUEST_BYTES] {
    let mut bytes = [0; REQUEST_BYTES];
    #[expect(clippy::cast_possible_truncation)]
    bytes[..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&FLAGS.to_ne_bytes());
    bytes[HEADER_BYTES..HEADER_BYTES + 2].copy_from_slice(&[AF_NETLINK, UEVENT_PROTOCOL]);
    // Inode 0: all.
    bytes[HEADER_BYTES + 8..HEADER_BYTES + 12].copy_from_slice(&SHOW.to_ne_bytes());
    bytes
}

/// One message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A socket. One that is bound and listens comes twice.
    Socket(Socket),
    /// There are no more.
    Done,
    /// The kernel refuses, with this errno: 2 (`ENOENT`) if it has no `netlink_diag`.
    Refused { errno: i32 },
    /// Something else.
    Other,
    /// From this byte of the datagram on it is not what `linux/netlink_diag.h` describes.
    Damaged { offset: usize },
}

/// Returns the messages in one datagram of the kernel.
pub(super) fn answers(datagram: &[u8]) -> impl Iterator<Item = Answer> {
    let mut offset = 0;
    iter::from_fn(move || {
        let rest = datagram.get(offset..).filter(|rest| !rest.is_empty())?;
        let (answer, length) = message(rest).unwrap_or((Answer::Damaged { offset }, rest.len()));
        offset += length;
        Some(answer)
    })
}

/// The message in front, and how far it is to the next.
fn message(rest: &[u8]) -> Option<(Answer, usize)> {
    let length = word(rest, 0)? as usize;
    let body = rest.get(HEADER_BYTES..length)?;
    let answer = match half(rest, 4)? {
        NLMSG_DONE => match word(body, 0).map(u32::cast_signed) {
            // A dump that fails later says so here.
            Some(negative) if negative < 0 => Answer::Refused { errno: negative.wrapping_neg() },
            _ => Answer::Done,
        },
        NLMSG_ERROR => Answer::Refused { errno: word(body, 0)?.cast_signed().wrapping_neg() },
        SOCK_DIAG_BY_FAMILY => socket(body)?,
        _ => Answer::Other,
    };
    Some((answer, aligned(length)))
}

/// `None` if it is damaged.
fn socket(body: &[u8]) -> Option<Answer> {
    let mut attributes = body.get(SOCKET_BYTES..)?;
    if body[0] != AF_NETLINK || body[2] != UEVENT_PROTOCOL {
        return Some(Answer::Other);
    }
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
            // Longs, but uevents have no more than 32 groups, and a socket that never joined one has none.
            NETLINK_DIAG_GROUPS => socket.groups = group_bits(value),
            _ => {}
        }
        attributes = attributes.get(aligned(length)..).unwrap_or(&[]);
    }
    Some(Answer::Socket(socket))
}

/// The first 32 bits of an array of longs. On a 64-bit kernel of the other byte order they stand behind.
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

    /// As a socket of port 4711 in group 1 that was given 1,024 bytes and lost 31 events.
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

    #[test]
    fn a_socket_a_stranger_and_the_end() {
        let datagram =
            [listed(15), listed(0), message(99, &[1, 2, 3]), message(NLMSG_DONE, &[0; 4])].concat();
        let found: Vec<_> = answers(&datagram).collect();
        assert_eq!(found, [Answer::Socket(LISTED), Answer::Other, Answer::Other, Answer::Done]);
    }

    #[test]
    fn a_refusal_has_its_errno() {
        let body = [(-2_i32).to_ne_bytes(), [0; 4]].concat();
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            let refused = message(kind, &body);
            assert_eq!(answers(&refused).next(), Some(Answer::Refused { errno: 2 }));
        }
    }

    #[test]
    fn whatever_is_cut_off_is_an_error_with_its_place_and_ends() {
        let one = listed(15);
        let both = [one.clone(), one.clone()].concat();
        for end in one.len() + 1..both.len() {
            let found: Vec<_> = answers(&both[..end]).collect();
            let wanted = [Answer::Socket(LISTED), Answer::Damaged { offset: one.len() }];
            assert_eq!(found, wanted, "{end}");
        }
        for length in [0_u32, 15, 16, 40, u32::MAX] {
            let mut lying = one.clone();
            lying[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(answers(&lying).next(), Some(Answer::Damaged { offset: 0 }), "{length}");
        }
        for length in [0_u16, 3, 41, u16::MAX] {
            let mut lying = one.clone();
            let at = HEADER_BYTES + SOCKET_BYTES;
            lying[at..at + 2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(answers(&lying).next(), Some(Answer::Damaged { offset: 0 }), "{length}");
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
