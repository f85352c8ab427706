//! Writes metrics to a file that is replaced atomically, in the text format of Prometheus, version
//! 0.0.4, for the textfile collector of the node exporter.

use std::ffi::CString;
use std::fmt::{self, Write};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat, write};

use crate::cause::Advice;
use crate::engine::{Context, Service};
use crate::report::FixedText;
use crate::report::totals::{Figure, FigureKind, TABLE, Totals, Unit};
use crate::sys::retry;
use crate::thread;

/// An upper bound of the text in bytes: about 30 figures with their descriptions.
const TEXT_BYTES: usize = 8 * 1024;

/// The current figures, shared with a thread that may wait for a disk.
#[derive(Debug)]
pub struct Metrics(Arc<Mutex<Totals>>);

impl Metrics {
    /// Writes the file, and starts a thread that replaces it after each `interval`.
    ///
    /// # Errors
    ///
    /// Returns the system's error if the file cannot be written or the thread cannot be created.
    pub fn start(path: &Path, interval: Duration, wanted: u32, totals: Totals) -> io::Result<Self> {
        let mut file = File::new(path, wanted)?;
        file.replace(&totals)?;
        let shared = Arc::new(Mutex::new(totals));
        let theirs = Arc::clone(&shared);
        // The thread ends with the process. An incomplete file then has the temporary name.
        thread::spawn(
            "metrics",
            Box::new(move || {
                let mut fails = false;
                loop {
                    std::thread::sleep(interval);
                    let totals = *theirs.lock().unwrap_or_else(PoisonError::into_inner);
                    let result = file.replace(&totals);
                    if let (false, Err(errno)) = (fails, result) {
                        file.complain(errno);
                    }
                    fails = result.is_err();
                }
            }),
        )?;
        Ok(Self(shared))
    }
}

impl Service for Metrics {
    /// Publishes the totals. The other thread holds the lock only while it copies them.
    fn deliver(&mut self, context: &mut Context<'_>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = *context.totals;
    }
}

/// The metrics file, with the memory for its text.
struct File {
    path: CString,
    scratch: CString,
    text: FixedText,
    wanted: u32,
}

impl File {
    fn new(path: &Path, wanted: u32) -> io::Result<Self> {
        // Renaming would replace a device or a FIFO with a regular file.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(io::Error::other("not a regular file; choose another path"));
        }
        let path = path.as_os_str().as_bytes();
        // The collector reads all names that end with `.prom`, so this one must not.
        let scratch = CString::new([path, b".tmp"].concat())?;
        Ok(Self { path: CString::new(path)?, scratch, text: FixedText::new(TEXT_BYTES), wanted })
    }

    /// Writes a new file beside the current one, and renames it.
    fn replace(&mut self, totals: &Totals) -> nix::Result<()> {
        self.text.clear();
        let _ = text(&mut self.text, totals, self.wanted);
        // Always created anew: an existing file may be another user's link.
        match unlinkat(AT_FDCWD, self.scratch.as_c_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
        let file = retry(|| open(self.scratch.as_c_str(), flags, mode))?;
        let written = std::fs::File::from(file).write_all(self.text.as_bytes());
        written.map_err(|error| error.raw_os_error().map_or(Errno::ENOSPC, Errno::from_raw))?;
        renameat(AT_FDCWD, self.scratch.as_c_str(), AT_FDCWD, self.path.as_c_str())
    }

    /// Reports a failure on standard error.
    fn complain(&mut self, errno: Errno) {
        self.text.clear();
        let path = self.path.to_str().unwrap_or_default();
        let (reason, advice) = (errno.desc(), Advice(errno));
        let _ = writeln!(self.text, "sureplug: cannot write the metrics {path}: {reason}{advice}");
        let _ = write(io::stderr(), self.text.as_bytes());
    }
}

fn text(out: &mut dyn Write, totals: &Totals, wanted: u32) -> fmt::Result {
    let info = concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1");
    head(out, "sureplug_build_info", "Version of the daemon.", FigureKind::Gauge)?;
    writeln!(out, "{info}")?;
    head(out, "sureplug_rcvbuf_wanted_bytes", "Receive buffer that this board needs.", FigureKind::Gauge)?;
    writeln!(out, " {wanted}")?;
    for figure in &TABLE {
        let Figure { metric, help, kind, unit, .. } = figure;
        head(out, metric, help, *kind)?;
        let value = figure.of(totals);
        let micros = match unit {
            Unit::Whole => {
                writeln!(out, " {value}")?;
                continue;
            }
            Unit::Micros => value,
            Unit::Millis => value.saturating_mul(1_000),
        };
        writeln!(out, " {}.{:06}", micros / 1_000_000, micros % 1_000_000)?;
    }
    Ok(())
}

/// Writes a metric's description and type, and its name.
fn head(out: &mut dyn Write, name: &str, help: &str, kind: FigureKind) -> fmt::Result {
    let kind = match kind {
        FigureKind::Counter => "counter",
        FigureKind::Gauge => "gauge",
    };
    write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}")
}

#[cfg(test)]
mod tests {
    use super::{TEXT_BYTES, text};
    use crate::report::Totals;

    #[test]
    fn text_fits_into_its_memory_with_the_largest_figures() {
        let mut out = String::new();
        text(&mut out, &Totals::numbered(u64::MAX, 0), u32::MAX).unwrap();
        assert!(out.len() < TEXT_BYTES, "{}", out.len());
        assert!(out.contains("\nsureplug_uevents_lost_total 18446744073709551615\n"), "{out}");
    }
}
