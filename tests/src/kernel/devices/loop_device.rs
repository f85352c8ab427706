use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;
use std::{io, thread};

use nix::errno::Errno;
use nix::libc;

/// `linux/loop.h`
const LOOP_SET_FD: libc::Ioctl = 0x4c00;
const LOOP_CLR_FD: libc::Ioctl = 0x4c01;
const LOOP_CTL_ADD: libc::Ioctl = 0x4c80;
const LOOP_CTL_REMOVE: libc::Ioctl = 0x4c81;

/// A loop device: a block device, which all namespaces see.
///
/// Tests take numbers from 100 on, and leave alone those that a machine may use.
pub struct LoopDevice {
    number: u32,
    is_left: bool,
}

impl LoopDevice {
    /// Makes a loop device without a file; `EEXIST` if there is one.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn create(number: u32) -> io::Result<Self> {
        control(LOOP_CTL_ADD, number)?;
        Ok(Self { number, is_left: false })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("loop{}", self.number)
    }

    /// Attaches a file: the device becomes a disk with another `DISKSEQ`.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn attach(&self, file: &File) -> io::Result<()> {
        // SAFETY: `LOOP_SET_FD` takes a descriptor, and no pointer.
        let result = unsafe { libc::ioctl(self.open()?.as_raw_fd(), LOOP_SET_FD, file.as_raw_fd()) };
        Errno::result(result)?;
        Ok(())
    }

    /// Detaches the file.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn detach(&self) -> io::Result<()> {
        // SAFETY: `LOOP_CLR_FD` takes no argument.
        Errno::result(unsafe { libc::ioctl(self.open()?.as_raw_fd(), LOOP_CLR_FD) })?;
        Ok(())
    }

    /// Removes the device.
    ///
    /// # Errors
    ///
    /// Returns `EBUSY` if it has a file or is open, as udev opens each new disk. The removal is
    /// then repeated when this goes out of scope.
    pub fn destroy(mut self) -> io::Result<()> {
        remove_loop(self.number)?;
        self.is_left = true;
        Ok(())
    }

    /// Leaves it where it is, for [`remove_loop`].
    pub fn leave(mut self) {
        self.is_left = true;
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(PathBuf::from("/dev").join(self.name()))
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // All of it may have been done already; and udev lets go of a disk when it has looked at it.
        let _ = self.detach();
        for _ in 0..100 {
            match remove_loop(self.number) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    thread::sleep(Duration::from_millis(10));
                }
                _ => break,
            }
        }
    }
}

/// Removes a loop device by its number.
///
/// # Errors
///
/// Returns the kernel's error: `ENODEV` if the device does not exist.
pub fn remove_loop(number: u32) -> io::Result<()> {
    control(LOOP_CTL_REMOVE, number)
}

fn control(request: libc::Ioctl, number: u32) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    // SAFETY: both requests take a number, and no pointer.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), request, libc::c_ulong::from(number)) };
    Errno::result(result)?;
    Ok(())
}
