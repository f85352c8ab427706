use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::sys::termios::{ControlFlags, SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::write;

use crate::sys::retry;

/// Where lines go: standard output, or a terminal of its own.
pub struct Output {
    /// `None` while it is gone, or was not there yet.
    file: Option<File>,
    /// `None` for standard output, which cannot be opened again.
    path: Option<CString>,
    /// Whether what was written ends within a line.
    within_line: bool,
    /// Whether the rest of that line was given up.
    torn: bool,
}

impl Output {
    /// Standard output: the same open file description, but without the lock and the buffer of `Stdout`.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn standard() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { file: Some(file), path: None, within_line: false, torn: false })
    }

    /// A terminal, opened for this program alone, and again whenever it was gone; whether it could be opened now.
    ///
    /// # Errors
    ///
    /// The path has a NUL in it.
    pub(crate) fn to(path: &Path) -> io::Result<(Self, io::Result<()>)> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let mut output = Self { file: None, path: Some(path), within_line: false, torn: false };
        let opened = output.reopen();
        Ok((output, opened))
    }

    /// Whether this ends when its reader closes its end, instead of being tried again.
    pub(crate) fn ends_with_its_reader(&self) -> bool {
        self.path.is_none()
    }

    /// Lets go of a terminal that was hung up: as long as it is open, a device that comes back gets another name.
    pub(crate) fn let_go(&mut self) {
        if self.path.is_some() {
            self.file = None;
            (self.within_line, self.torn) = (false, false);
        }
    }

    /// Opens the path. A terminal must not become ours, keep us waiting for a carrier, or change what is written.
    fn reopen(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // No `O_CREAT`: a file in the place of a device would keep the device away.
        let flags =
            OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = open(path.as_c_str(), flags, Mode::empty())?;
        if let Ok(mut terminal) = tcgetattr(&file) {
            cfmakeraw(&mut terminal);
            terminal.control_flags |= ControlFlags::CLOCAL;
            tcsetattr(&file, SetArg::TCSANOW, &terminal)?;
        }
        self.file = Some(File::from(file));
        Ok(())
    }

    /// Writes at least a byte, on a line of its own if the one before it was given up. May block.
    ///
    /// # Errors
    ///
    /// What `write(2)` says.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.reopen()?;
        }
        if self.torn {
            self.write_some(b"\n")?;
            self.torn = false;
        }
        let written = self.write_some(bytes)?;
        self.within_line = bytes.get(..written).and_then(<[u8]>::last) != Some(&b'\n');
        Ok(written)
    }

    /// Writes all of it. May block.
    ///
    /// # Errors
    ///
    /// What `write(2)` says.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.write(bytes)?..];
        }
        Ok(())
    }

    /// Leaves the line that was begun as it is. A path is opened anew for the next one.
    pub(crate) fn give_up_line(&mut self) {
        let torn = self.within_line;
        self.let_go();
        // It may be the same file.
        self.torn = torn;
    }

    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &self.file else { return Err(ErrorKind::NotConnected.into()) };
        loop {
            match retry(|| write(file, bytes)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                // Ours is non-blocking so that a hang-up ends the wait; of standard output somebody else has made it so.
                Err(Errno::EAGAIN) => {
                    let _ = poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE);
                }
                result => return Ok(result?),
            }
        }
    }

    /// What to poll for the end of its reader, if it is open.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::Output;

    #[test]
    fn creates_no_file_in_the_place_of_a_terminal() {
        let path = std::env::temp_dir().join(format!("sureplug-no-terminal-{}", std::process::id()));
        let (output, opened) = Output::to(&path).unwrap();
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(output.descriptor().is_none() && !path.exists());
    }
}
