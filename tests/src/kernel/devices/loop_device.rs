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
    /// Makes a loop device without a file behind it; `EEXIST` if there is one.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn create(number: u32) -> io::Result<Self> {
        control(LOOP_CTL_ADD, number)?;
        Ok(Self { number, is_left: false })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("loop{}", self.number)
    }

    /// Puts a file behind it: it becomes a disk with another `DISKSEQ`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn attach(&self, file: &File) -> io::Result<()> {
        // SAFETY: `LOOP_SET_FD` takes a descriptor, and no pointer.
        let result = unsafe { libc::ioctl(self.open()?.as_raw_fd(), LOOP_SET_FD, file.as_raw_fd()) };
        Errno::result(result)?;
        Ok(())
    }

    /// Takes the file away from it.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn detach(&self) -> io::Result<()> {
        // SAFETY: `LOOP_CLR_FD` takes no argument.
        Errno::result(unsafe { libc::ioctl(self.open()?.as_raw_fd(), LOOP_CLR_FD) })?;
        Ok(())
    }

    /// Removes it.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it has a file or somebody looks at it, as udev does with a new disk: it is tried again when
    /// this goes out of scope, at once.
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
/// What the kernel says: `ENODEV` if there is none.
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
