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

/// The destination of lines: standard output, or a terminal.
pub struct Output {
    /// `None` while the terminal is absent.
    file: Option<File>,
    /// The terminal's path; `None` for standard output, which cannot be reopened.
    path: Option<CString>,
    /// Whether the text written so far ends within a line.
    within_line: bool,
    /// Whether the rest of that line was dropped.
    torn: bool,
}

impl Output {
    /// Opens standard output: the same open file description, without the lock and the buffer of
    /// `Stdout`.
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn standard() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { file: Some(file), path: None, within_line: false, torn: false })
    }

    /// Opens a terminal, and reopens it when it returns. Also returns the result of the first
    /// attempt: the terminal may appear later.
    ///
    /// # Errors
    ///
    /// Returns an error if the path contains a NUL.
    pub(crate) fn to(path: &Path) -> io::Result<(Self, io::Result<()>)> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let mut output = Self { file: None, path: Some(path), within_line: false, torn: false };
        let opened = output.reopen();
        Ok((output, opened))
    }

    /// Returns `true` if the output ends when its reader closes it, because it cannot be reopened.
    pub(crate) fn ends_with_its_reader(&self) -> bool {
        self.path.is_none()
    }

    /// Closes a terminal after a hang-up. While it is open, the returning device would get another
    /// name.
    pub(crate) fn let_go(&mut self) {
        if self.path.is_some() {
            self.file = None;
            (self.within_line, self.torn) = (false, false);
        }
    }

    /// Opens the path. A terminal must not become the controlling one, wait for a carrier, or alter
    /// the output.
    fn reopen(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // Without `O_CREAT`: a regular file would take the place of the absent device.
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

    /// Writes at least one byte, on a new line if the rest of the last one was dropped. May block.
    ///
    /// # Errors
    ///
    /// Returns the error of `write(2)`.
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

    /// Writes everything. May block.
    ///
    /// # Errors
    ///
    /// Returns the error of `write(2)`.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.write(bytes)?..];
        }
        Ok(())
    }

    /// Drops the rest of the line. A terminal is reopened for the next one.
    pub(crate) fn give_up_line(&mut self) {
        let torn = self.within_line;
        self.let_go();
        // The reopened path may be the same file.
        self.torn = torn;
    }

    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &self.file else { return Err(ErrorKind::NotConnected.into()) };
        loop {
            match retry(|| write(file, bytes)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                // A terminal is opened non-blocking, so that a hang-up ends the wait. Another
                // process may have made standard output non-blocking.
                Err(Errno::EAGAIN) => {
                    let _ = poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE);
                }
                result => return Ok(result?),
            }
        }
    }

    /// Returns the descriptor to poll for the reader's end, if the output is open.
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
