use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Standard output: the same open file description, but without the lock and the buffer of `Stdout`.
pub(crate) struct Output {
    file: File,
    /// Whether what was written ends within a line.
    within_line: bool,
    /// Whether the rest of that line was given up.
    torn: bool,
}

impl Output {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub(crate) fn standard() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { file, within_line: false, torn: false })
    }

    /// Writes at least a byte, on a line of its own if the one before it was given up. May block.
    ///
    /// # Errors
    ///
    /// What `write(2)` says.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.torn {
            self.write_some(b"\n")?;
            self.torn = false;
        }
        let written = self.write_some(bytes)?;
        self.within_line = bytes.get(..written).and_then(<[u8]>::last) != Some(&b'\n');
        Ok(written)
    }

    /// Leaves the line that was begun as it is.
    pub(crate) fn give_up_line(&mut self) {
        self.torn = self.within_line;
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody has made the description non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE);
                }
                result => return result,
            }
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
