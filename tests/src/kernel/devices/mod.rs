//! Real devices of the running kernel, without other programs: thousands of them come and go in a test.
//!
//! A handle removes its device when it goes out of scope, and a net device is one of the network namespace
//! in which it was made, whichever thread drops it. Errors are for the caller to judge: in a storm of several
//! processes `EEXIST`, `EBUSY` and `ENODEV` are what races look like.

mod control;
mod loop_device;

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::{io, mem, process};

use nix::errno::Errno;
use nix::libc;

use control::{Control, NAME_BYTES, name_field};

pub use loop_device::{LoopDevice, remove_loop};

/// `linux/if_tun.h`, as wide as they are in an `ifreq`.
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_TUN_EXCL: u16 = 0x8000;

/// A net device in the network namespace of the thread that made it.
pub struct NetDevice {
    name: String,
    kind: Kind,
    control: Control,
}

enum Kind {
    /// It lives for as long as this is open.
    Tap(File),
    Bridge,
    Veth,
    /// Nothing that would have to be deleted.
    Left,
}

impl NetDevice {
    /// Makes a tap device; `EBUSY` if there is a device of that name.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn tap(name: &str) -> io::Result<Self> {
        let control = Control::open()?;
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
        let mut request = [0; size_of::<libc::ifreq>()];
        request[..NAME_BYTES].copy_from_slice(&name_field(name)?);
        // Without the last flag it would open an existing tap device.
        let flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL;
        request[NAME_BYTES..][..2].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: `request` has the size of an `ifreq`, is valid for reads and writes and outlives the call.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
        Errno::result(result)?;
        Ok(Self { name: name.into(), kind: Kind::Tap(file), control })
    }

    /// Makes a bridge.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn bridge(name: &str) -> io::Result<Self> {
        let control = Control::open()?;
        control.add_bridge(name)?;
        Ok(Self { name: name.into(), kind: Kind::Bridge, control })
    }

    /// Makes a pair of connected devices. The handle is for the first; deleting either deletes
    /// both.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn veth(name: &str, peer: &str) -> io::Result<Self> {
        let control = Control::open()?;
        control.add_veth(name, peer)?;
        Ok(Self { name: name.into(), kind: Kind::Veth, control })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, as `IFINDEX` has it.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it is gone.
    pub fn index(&self) -> io::Result<i32> {
        self.control.index(&self.name)
    }

    /// Renames the device.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error; the device then keeps its name.
    pub fn rename(&mut self, name: &str) -> io::Result<()> {
        self.control.rename(&self.name, name)?;
        self.name = name.into();
        Ok(())
    }

    /// Deletes the device.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error; the deletion is not repeated then.
    pub fn destroy(mut self) -> io::Result<()> {
        self.end()
    }

    /// Leaves the device in place, for [`delete`].
    ///
    /// # Errors
    ///
    /// Returns the kernel's error. Only a tap device requires a call for this, and is deleted if it
    /// fails.
    pub fn leave(mut self) -> io::Result<()> {
        if let Kind::Tap(file) = &self.kind {
            let on: libc::c_int = 1;
            // SAFETY: `TUNSETPERSIST` takes a number, and no pointer.
            Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETPERSIST, on) })?;
        }
        self.kind = Kind::Left;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        match mem::replace(&mut self.kind, Kind::Left) {
            Kind::Bridge => self.control.delete_bridge(&self.name),
            Kind::Veth => self.control.delete(&self.name),
            Kind::Tap(_) | Kind::Left => Ok(()),
        }
    }
}

impl Drop for NetDevice {
    fn drop(&mut self) {
        // Another process, or the deletion of its peer, may have removed it.
        let _ = self.end();
    }
}

/// Returns `true` if this thread's network namespace has a device of that name.
///
/// # Errors
///
/// Returns the kernel's error, apart from `ENODEV`.
pub fn exists(name: &str) -> io::Result<bool> {
    match Control::open()?.index(name) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deletes a device of this thread's network namespace, of any kind.
///
/// # Errors
///
/// Returns the kernel's error.
pub fn delete(name: &str) -> io::Result<()> {
    Control::open()?.delete(name)
}

/// Deletes devices of this thread's network namespace at once. A deletion takes 15 ms or more, in
/// which the kernel waits for its processors; a thousand tap devices together take a fifth of a
/// second. Only bridges are still deleted one by one.
///
/// # Errors
///
/// Returns the kernel's error; some are left if one does not exist.
pub fn delete_together(names: &[String]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    // The group is this process's: 0 is where all devices are by themselves.
    Control::open()?.delete_together(names, process::id())
}

/// Renames a device of this thread's network namespace.
///
/// # Errors
///
/// Returns the kernel's error.
pub fn rename(from: &str, to: &str) -> io::Result<()> {
    Control::open()?.rename(from, to)
}

/// Brings a device up.
///
/// # Errors
///
/// Returns the kernel's error.
pub fn set_up(name: &str) -> io::Result<()> {
    Control::open()?.set_up(name)
}

#[cfg(test)]
mod tests {
    use std::{io, thread};

    use nix::libc;
    use nix::sched::{CloneFlags, unshare};

    use super::{NetDevice, delete, delete_together, exists, remove_loop, rename};
    use crate::kernel::own_network_namespace;

    fn errno<T>(result: io::Result<T>) -> i32 {
        result.err().and_then(|error| error.raw_os_error()).expect("an error of the kernel")
    }

    #[test]
    fn kernel_refusals_are_errors() {
        let Some(_turn) = own_network_namespace("refused devices") else { return };
        let mut device = NetDevice::tap("taken").unwrap();
        assert_eq!(errno(NetDevice::tap("taken")), libc::EBUSY);
        assert_eq!(errno(NetDevice::bridge("taken")), libc::EEXIST);
        assert_eq!(errno(NetDevice::veth("taken", "free")), libc::EEXIST);
        assert_eq!(errno(NetDevice::veth("free", "taken")), libc::EEXIST);
        assert_eq!(errno(NetDevice::bridge("sixteen_letters_")), libc::EINVAL);
        assert_eq!(errno(NetDevice::veth("sixteen_letters_", "free")), libc::ERANGE);
        assert_eq!(errno(delete("none")), libc::ENODEV);
        assert_eq!(errno(delete_together(&["none".into()])), libc::ENODEV);
        assert_eq!(errno(rename("none", "other")), libc::ENODEV);
        assert_eq!(errno(device.rename("lo")), libc::EEXIST);
        assert_eq!(errno(remove_loop(199)), libc::ENODEV);
        assert_eq!((device.name(), exists("free").unwrap()), ("taken", false));
        drop(device);
        assert!(!exists("taken").unwrap());
    }

    #[test]
    fn devices_stay_if_they_are_left() {
        let Some(_turn) = own_network_namespace("devices that stay") else { return };
        for device in [NetDevice::tap("t"), NetDevice::bridge("b"), NetDevice::veth("v", "w")] {
            device.unwrap().leave().unwrap();
        }
        let names = ["t", "b", "v"].map(String::from);
        let exist = || names.iter().chain([&"w".into()]).filter(|name| exists(name).unwrap()).count();
        assert_eq!(exist(), 4);
        assert_eq!(errno(NetDevice::tap("t")), libc::EBUSY, "it is another's");
        delete_together(&names).unwrap();
        assert_eq!(exist(), 0);
    }

    #[test]
    fn devices_go_wherever_they_are_dropped() {
        let Some(_turn) = own_network_namespace("devices dropped elsewhere") else { return };
        let devices = [NetDevice::tap("t"), NetDevice::bridge("b"), NetDevice::veth("v", "w")];
        let elsewhere = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            drop(devices.map(Result::unwrap));
        });
        elsewhere.join().unwrap();
        assert!(["t", "b", "v", "w"].iter().all(|name| !exists(name).unwrap()));
    }
}
