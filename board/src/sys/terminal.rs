use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

/// Reads how many rows and columns a terminal has; `None` of what is no terminal. One that does not know says 0.
pub fn window_size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` (ioctl_tty(2)), for which `size` is valid; it outlives the call.
    let result = unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0).then_some((size.ws_row, size.ws_col))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::window_size;

    #[test]
    fn only_a_terminal_has_a_size() {
        assert_eq!(window_size(File::open("/dev/null").unwrap()), None);
        if let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") {
            assert_eq!(window_size(terminal), Some((0, 0)));
        }
    }
}
