use std::fs;
use std::path::PathBuf;

/// A uevent socket's figures, as `/proc/PID/net/netlink` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Bytes queued.
    pub bytes: u64,
    /// Events that were not queued.
    pub drops: u64,
}

/// Of the process's bound uevent socket.
pub(super) fn queue(pid: u32) -> Option<Queue> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let targets: Vec<_> = links.filter_map(|link| fs::read_link(link.path()).ok()).collect();
    let sockets = fs::read_to_string(format!("/proc/{pid}/net/netlink")).ok()?;
    sockets.lines().find_map(|line| {
        // sk, protocol, port, groups, bytes, and further on drops and inode.
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "15", _, "00000001", bytes, _, _, _, drops, inode] = fields[..] else { return None };
        let socket = PathBuf::from(format!("socket:[{inode}]"));
        let ours = targets.contains(&socket);
        let (bytes, drops) = (bytes.parse().ok()?, drops.parse().ok()?);
        ours.then_some(Queue { bytes, drops })
    })
}

/// A thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    /// Whether it waits for something.
    pub(super) sleeps: bool,
    /// Processor time, in ticks.
    pub(super) ticks: u64,
}

/// The process's thread of that name.
pub(super) fn thread(pid: u32, name: &str) -> Option<Thread> {
    fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten().find_map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        // The name is in parentheses; of what follows, the 1st field is the state, the 12th and 13th are times.
        let (head, tail) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = tail.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let ours = head.split_once('(')?.1 == name;
        ours.then_some(Thread { sleeps: *fields.first()? == "S", ticks })
    })
}

/// Context switches of all its threads, voluntary and not.
pub(super) fn context_switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process").flatten();
    let status = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    status
        .flat_map(|text| {
            let lines = text.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).collect::<Vec<_>>()
        })
        .sum()
}

/// Memory that a process alone has.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What only its end gives back, in kB.
    pub anonymous_kb: u64,
    /// Including the pages of the program's file that no other process has mapped, in kB. Their
    /// number depends on how the page cache holds the file: a freshly built program has more.
    pub private_kb: u64,
}

/// The memory of a process.
///
/// # Panics
///
/// If it does not run.
#[must_use]
pub fn memory(pid: u32) -> Memory {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a running process");
    let of = |key: &str| -> u64 {
        let line = rollup.lines().find_map(|line| line.strip_prefix(key)).expect("a line of that name");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    };
    Memory { anonymous_kb: of("Anonymous:"), private_kb: of("Private_Clean:") + of("Private_Dirty:") }
}
