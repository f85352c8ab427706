use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{
    self, IFLA_GROUP, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, RTM_DELLINK, RTM_NEWLINK,
    RTM_SETLINK,
};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// A name with its NUL (`IFNAMSIZ`).
pub(super) const NAME_BYTES: usize = libc::IFNAMSIZ;

/// `linux/netlink.h`
const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_ACK: u16 = 0x04;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;

/// `linux/veth.h`
const VETH_INFO_PEER: u16 = 1;

/// `linux/sockios.h`
const SIOCGIFINDEX: libc::Ioctl = 0x8933;
const SIOCBRADDBR: libc::Ioctl = 0x89a0;
const SIOCBRDELBR: libc::Ioctl = 0x89a1;

/// A socket to the net devices of the network namespace in which it was opened.
pub(super) struct Control(OwnedFd);

impl Control {
    pub(super) fn open() -> io::Result<Self> {
        let protocol = SockProtocol::NetlinkRoute;
        Ok(Self(socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?))
    }

    pub(super) fn add_veth(&self, name: &str, peer: &str) -> io::Result<()> {
        let mut body = link(0);
        attribute(&mut body, IFLA_IFNAME, |out| out.extend(text(name)));
        attribute(&mut body, IFLA_LINKINFO, |out| {
            attribute(out, IFLA_INFO_KIND, |out| out.extend(text("veth")));
            attribute(out, IFLA_INFO_DATA, |out| {
                attribute(out, VETH_INFO_PEER, |out| {
                    out.extend(link(0));
                    attribute(out, IFLA_IFNAME, |out| out.extend(text(peer)));
                });
            });
        });
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body)
    }

    pub(super) fn delete(&self, name: &str) -> io::Result<()> {
        let mut body = link(0);
        attribute(&mut body, IFLA_IFNAME, |out| out.extend(text(name)));
        self.request(RTM_DELLINK, 0, &body)
    }

    /// Deletes all at once, so that the kernel's wait before a device is gone is needed only once.
    /// Nothing else uses the group.
    pub(super) fn delete_together(&self, names: &[String], group: u32) -> io::Result<()> {
        let group_attribute = |body: &mut Vec<u8>| {
            attribute(body, IFLA_GROUP, |out| out.extend(group.to_ne_bytes()));
        };
        for name in names {
            let mut body = link(self.index(name)?);
            group_attribute(&mut body);
            self.request(RTM_SETLINK, 0, &body)?;
        }
        let mut body = link(0);
        group_attribute(&mut body);
        self.request(RTM_DELLINK, 0, &body)
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        // The name is the new one, so that the device is found by its number.
        let mut body = link(self.index(from)?);
        attribute(&mut body, IFLA_IFNAME, |out| out.extend(text(to)));
        self.request(RTM_SETLINK, 0, &body)
    }

    pub(super) fn set_up(&self, name: &str) -> io::Result<()> {
        let mut body = link(self.index(name)?);
        let up = libc::IFF_UP.to_ne_bytes();
        // The flags, and which of them change.
        body[8..12].copy_from_slice(&up);
        body[12..16].copy_from_slice(&up);
        self.request(RTM_SETLINK, 0, &body)
    }

    pub(super) fn index(&self, name: &str) -> io::Result<i32> {
        let mut request = [0; size_of::<libc::ifreq>()];
        request[..NAME_BYTES].copy_from_slice(&name_field(name)?);
        self.ioctl(SIOCGIFINDEX, &mut request)?;
        let index = *request[NAME_BYTES..].first_chunk().expect("the bytes of a number");
        Ok(i32::from_ne_bytes(index))
    }

    pub(super) fn add_bridge(&self, name: &str) -> io::Result<()> {
        self.ioctl(SIOCBRADDBR, &mut name_field(name)?)
    }

    pub(super) fn delete_bridge(&self, name: &str) -> io::Result<()> {
        self.ioctl(SIOCBRDELBR, &mut name_field(name)?)
    }

    /// Calls an ioctl that all sockets support, independently of their protocol (`sock_ioctl` in
    /// `net/socket.c`).
    fn ioctl(&self, request: libc::Ioctl, argument: &mut [u8]) -> io::Result<()> {
        // SAFETY: the callers give what the request reads and writes: the bytes of a name for a bridge, those
        // of an `ifreq` for the others. They outlive the call.
        Errno::result(unsafe { libc::ioctl(self.0.as_raw_fd(), request, argument.as_mut_ptr()) })?;
        Ok(())
    }

    /// Asks for something and waits for the kernel's answer, which is a number of `errno.h`.
    fn request(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(16 + body.len()).expect("a short message");
        let mut message = Vec::with_capacity(16 + body.len());
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        sendto(self.0.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        // Its header, the number, and then a copy of the request.
        let mut answer = [0; 1024];
        let length = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let answer = &answer[..length];
        let error = answer.get(16..20).and_then(|bytes| bytes.first_chunk());
        match error {
            Some(&error) if answer[4..6] == NLMSG_ERROR.to_ne_bytes() => match i32::from_ne_bytes(error) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(-error)),
            },
            _ => Err(io::Error::other(format!("no answer of the kernel: {answer:?}"))),
        }
    }
}

/// A `struct ifinfomsg` for the device with that number, or for one that is named in an attribute.
fn link(index: i32) -> Vec<u8> {
    let mut link = vec![0; 16];
    link[4..8].copy_from_slice(&index.to_ne_bytes());
    link
}

/// Appends an attribute, whose length is known when its value has been written.
fn attribute(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 2]);
    out.extend(kind.to_ne_bytes());
    value(out);
    let length = u16::try_from(out.len() - start).expect("a short attribute");
    out[start..][..2].copy_from_slice(&length.to_ne_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

fn text(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().chain([0])
}

/// A name as the kernel's structures have it; `EINVAL` if it is too long for them.
pub(super) fn name_field(name: &str) -> io::Result<[u8; NAME_BYTES]> {
    let mut field = [0; NAME_BYTES];
    if name.len() >= NAME_BYTES {
        return Err(Errno::EINVAL.into());
    }
    field[..name.len()].copy_from_slice(name.as_bytes());
    Ok(field)
}
