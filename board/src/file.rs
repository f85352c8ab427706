//! Opens files by path without blocking.
//!
//! A FIFO would wait for its other end, and a terminal for its carrier. The signals that end the
//! program are blocked by then, so such a wait might never end.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

/// The most bytes of a file that is read whole. Pages of sysfs, most of procfs and a large
/// `/etc/group` are smaller.
const MAX_READ_BYTES: u64 = 1024 * 1024;

/// The kinds of files that a caller accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usable {
    /// A regular file, as in sysfs and procfs.
    Regular,
    /// A FIFO or a character device too, such as `/dev/stdin`.
    Stream,
}

impl Usable {
    fn admits(self, found: FileType) -> bool {
        found.is_file() || self == Self::Stream && (found.is_fifo() || found.is_char_device())
    }
}

/// Opens a file without blocking. Reads and writes of a FIFO or a device do not block either, but
/// fail with `WouldBlock`.
///
/// # Errors
///
/// Returns the error of `open(2)`, or an error that names the kind of file if it is not accepted.
pub(crate) fn open(path: &Path, options: &mut OpenOptions, flags: i32, usable: Usable) -> io::Result<File> {
    let file = options.custom_flags(flags | libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let found = match &file {
        Ok(file) => file.metadata()?.file_type(),
        // `ENXIO` means a FIFO without a reader, a socket, or a device without a driver.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => fs::metadata(path)?.file_type(),
        // `ELOOP` means a symbolic link if `O_NOFOLLOW` is set.
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => fs::symlink_metadata(path)?.file_type(),
        Err(_) => return file,
    };
    if usable.admits(found) {
        return match file {
            Err(_) if found.is_fifo() => {
                Err(io::Error::other("it is a FIFO without a reader; start its reader first"))
            }
            file => file,
        };
    }
    let kind = match found {
        found if found.is_fifo() => "a FIFO",
        found if found.is_dir() => "a directory",
        found if found.is_socket() => "a socket",
        found if found.is_symlink() => "a symbolic link",
        _ => "a device",
    };
    Err(io::Error::other(format!("it is {kind}, not a regular file")))
}

/// Opens a file for blocking reads, which wait for a FIFO's writer as `cat` does. Only for programs
/// that a signal ends.
///
/// # Errors
///
/// Returns the errors of [`open`].
pub(crate) fn open_stream(path: &Path) -> io::Result<File> {
    let file = open(path, OpenOptions::new().read(true), 0, Usable::Stream)?;
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(file)
}

/// Reads a regular file.
///
/// # Errors
///
/// Returns the errors of [`open`] and `read(2)`, and `EFBIG` for a MiB or more.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path, OpenOptions::new().read(true), 0, Usable::Regular)?;
    let mut bytes = Vec::new();
    match file.take(MAX_READ_BYTES).read_to_end(&mut bytes)? as u64 {
        MAX_READ_BYTES => Err(Errno::EFBIG.into()),
        _ => Ok(bytes),
    }
}

/// Reads the text of a regular file.
///
/// # Errors
///
/// Returns the errors of [`read`], and an error if the text is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(io::Error::other)
}

/// Writes a text to an existing regular file, such as an attribute of sysfs.
///
/// # Errors
///
/// Returns the errors of [`open`] and `write(2)`.
pub(crate) fn write_text(path: &Path, text: &str) -> io::Result<()> {
    open(path, OpenOptions::new().write(true).truncate(true), 0, Usable::Regular)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use nix::libc;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::{Usable, open, open_stream, read_text, write_text};

    #[test]
    fn other_kinds_of_files_are_refused_at_once() {
        let directory = std::env::temp_dir().join(format!("sureplug-file-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let [fifo, socket, link, regular] =
            ["fifo", "socket", "link", "regular"].map(|name| directory.join(name));
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(directory.join("missing"), &link).unwrap();
        std::fs::write(&regular, "7\n").unwrap();
        for (path, kind) in [
            (&*fifo, "a FIFO"),
            (&socket, "a socket"),
            (&directory, "a directory"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            let error = read_text(path).unwrap_err().to_string();
            assert_eq!(error, format!("it is {kind}, not a regular file"));
            assert!(kind == "a directory" || write_text(path, "7").is_err(), "{kind}");
        }
        let mut writing = OpenOptions::new();
        writing.write(true).create(true);
        let error = open(&link, &mut writing, libc::O_NOFOLLOW, Usable::Regular).unwrap_err().to_string();
        assert_eq!(error, "it is a symbolic link, not a regular file");
        assert!(!directory.join("missing").exists());
        let error = open(&fifo, &mut writing, 0, Usable::Stream).unwrap_err().to_string();
        assert_eq!(error, "it is a FIFO without a reader; start its reader first");
        open_stream(&fifo).unwrap();
        open_stream(Path::new("/dev/null")).unwrap();
        assert_eq!(read_text(&regular).unwrap(), "7\n");
        assert_eq!(read_text(&directory.join("missing")).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
