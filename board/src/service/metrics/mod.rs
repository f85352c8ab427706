//! Figures for a fleet's monitoring, in a file that is replaced whole.

pub mod text;

use std::ffi::CString;
use std::fmt::{self, Write};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::service::metrics::text::{Kind, Metric, Value};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat, write};

use crate::engine::totals::{TABLE, Totals};
use crate::sysfs::again;
use crate::thread;

/// Bytes that the text is never longer than: some 30 figures with their help.
const TEXT_BYTES: usize = 8 * 1024;

/// What is written: from the worker to a thread that may wait for a disk.
#[derive(Debug)]
pub struct Metrics(Arc<Mutex<Totals>>);

impl Metrics {
    /// Writes the file, and starts a thread that replaces it once in `interval`.
    ///
    /// # Errors
    ///
    /// What the system says if it cannot be written, or if no thread is left.
    pub fn start(path: &Path, interval: Duration, wanted: u32, totals: Totals) -> io::Result<Self> {
        let mut file = File::new(path, wanted)?;
        file.replace(&totals)?;
        let shared = Arc::new(Mutex::new(totals));
        let theirs = Arc::clone(&shared);
        // It ends with the process: what it leaves unfinished then is not the file.
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

    /// Gives the figures as they are; nobody has them for longer than a copy takes.
    pub fn publish(&self, totals: &Totals) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = *totals;
    }
}

/// A file in fixed memory.
struct File {
    path: CString,
    scratch: CString,
    text: String,
    wanted: u32,
}

impl File {
    fn new(path: &Path, wanted: u32) -> io::Result<Self> {
        let path = path.as_os_str().as_bytes();
        // A collector takes names that end with `.prom`, and this one not.
        let scratch = CString::new([path, b".tmp"].concat())?;
        Ok(Self { path: CString::new(path)?, scratch, text: String::with_capacity(TEXT_BYTES), wanted })
    }

    /// Writes it beside the file, and puts it in its place.
    fn replace(&mut self, totals: &Totals) -> nix::Result<()> {
        self.text.clear();
        // A String takes whatever is written.
        let _ = text(&mut self.text, totals, self.wanted);
        // A new one: what is there already may be somebody's link to another file.
        match unlinkat(AT_FDCWD, self.scratch.as_c_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
        let file = again(|| open(self.scratch.as_c_str(), flags, mode))?;
        let mut rest = self.text.as_bytes();
        while !rest.is_empty() {
            match again(|| write(&file, rest))? {
                0 => return Err(Errno::ENOSPC),
                bytes => rest = &rest[bytes..],
            }
        }
        renameat(AT_FDCWD, self.scratch.as_c_str(), AT_FDCWD, self.path.as_c_str())
    }

    /// Says once that it fails. If that fails too, nobody is listening.
    fn complain(&mut self, errno: Errno) {
        self.text.clear();
        let path = self.path.to_str().unwrap_or_default();
        let _ = writeln!(self.text, "sureplug: cannot write the metrics {path}: {}", errno.desc());
        let _ = write(io::stderr(), self.text.as_bytes());
    }
}

fn text(out: &mut dyn Write, totals: &Totals, wanted: u32) -> fmt::Result {
    let info = concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    let mut metric =
        |name, labels, help, kind, value| write!(out, "{}", Metric { name, help, kind, labels, value });
    metric("sureplug_build_info", info, "Version of the daemon.", Kind::Gauge, Value::Whole(1))?;
    let help = "Receive buffer that this board needs.";
    metric("sureplug_rcvbuf_wanted_bytes", "", help, Kind::Gauge, Value::Whole(wanted.into()))?;
    TABLE
        .iter()
        .try_for_each(|figure| metric(figure.metric, "", figure.help, figure.kind, figure.value(totals)))
}

#[cfg(test)]
mod tests {
    use super::{TEXT_BYTES, text};
    use crate::engine::totals::Totals;

    #[test]
    fn the_text_fits_into_its_memory_whatever_was_counted() {
        let most = u64::MAX;
        let totals = Totals {
            received: most,
            unselected: most,
            lost: most,
            malformed: most,
            truncated: most,
            foreign: most,
            peak_queued: most,
            effective: u32::MAX,
            longest_stall_us: most,
            max_stall_ms: u32::MAX,
            repairs: most,
            last_loss_us: most,
            last_loss_events: most,
            last_repair_us: most,
            devices: most,
            untracked: most,
            output_missed: most,
            output_dropped: most,
            unacknowledged: most,
            unreadable: most,
            forged_lines: most,
            unknown_removals: most,
            table_used: most,
            clients: most,
            connections: most,
            refused_connections: most,
            clients_missed: most,
            hook_runs: most,
            hook_missed: most,
            ended_by: "",
        };
        let mut out = String::new();
        text(&mut out, &totals, u32::MAX).unwrap();
        assert!(out.len() < TEXT_BYTES, "{}", out.len());
        assert!(out.contains("\nsureplug_uevents_lost_total 18446744073709551615\n"), "{out}");
    }
}
