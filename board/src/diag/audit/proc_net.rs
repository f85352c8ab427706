//! `/proc/net/netlink`, for kernels without `netlink_diag`: all but the buffers' sizes.

use super::{Socket, UEVENT_PROTOCOL};

/// The uevent socket on a line of it; `None` if the line is of another protocol, or the heading.
///
/// The columns are `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode` (`netlink_native_seq_show` in
/// `net/netlink/af_netlink.c`).
///
/// ```
/// use sureplug_board::diag::audit::proc_net::socket;
///
/// let line = "0000000000000000 15  4711       00000001 1280     0        0        2        31       77";
/// let found = socket(line).unwrap();
/// assert_eq!((found.port, found.groups, found.inode), (4711, 1, 77));
/// assert_eq!((found.queued, found.effective, found.drops), (1280, None, 31));
/// ```
#[must_use]
pub fn socket(line: &str) -> Option<Socket> {
    let mut columns = line.split_ascii_whitespace();
    let protocol: u8 = columns.nth(1)?.parse().ok()?;
    if protocol != UEVENT_PROTOCOL {
        return None;
    }
    // Older kernels print ports and charges with a sign.
    let number = |text: &str| -> Option<u32> {
        text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
    };
    let port = number(columns.next()?)?;
    let groups = u32::from_str_radix(columns.next()?, 16).ok()?;
    let queued = number(columns.next()?)?;
    let drops = number(columns.nth(3)?)?;
    let inode = number(columns.next()?)?;
    Some(Socket { port, groups, inode, cookie: 0, queued, effective: None, drops })
}

#[cfg(test)]
mod tests {
    use super::socket;

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "sk               Eth Pid        Groups   Rmem     Wmem     Dump     Locks    Drops    Inode",
            "0000000000000000 0   4711       00000001 0        0        0        2        0        77",
            "0000000000000000 15  4711       00000001 0        0        0        2        0",
            "0000000000000000 15  4711       0000000g 0        0        0        2        0        77",
        ] {
            assert_eq!(socket(line), None, "{line}");
        }
    }

    #[test]
    fn a_port_of_the_kernels_choice() {
        let found = socket("c0de 15  -4097 00000003 0 0 0 2 0 9").unwrap();
        assert_eq!((found.port, found.groups), (4_294_963_199, 3));
    }
}
