//! Readers of the captured uevents in `vectors/`. They panic on anything malformed: it is test data.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sureplug_core::rcvbuf::SkbAbi;

use crate::receive_queue::Admission;

/// A folder of captures: one kernel on one board.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The folder's name: version and architecture.
    pub folder: &'static str,
    /// What it charges.
    pub abi: SkbAbi,
    /// What it admits.
    pub admission: Admission,
}

/// Every kernel with captures.
pub const KERNELS: [Kernel; 5] = [
    Kernel { folder: "5.10-arm64", abi: SkbAbi::ARM64_5_10, admission: Admission::Old },
    Kernel { folder: "5.10-armhf", abi: SkbAbi::ARM_5_10, admission: Admission::Old },
    Kernel { folder: "6.1-arm64", abi: SkbAbi::ARM64_6_1, admission: Admission::New },
    Kernel { folder: "6.1-armhf", abi: SkbAbi::ARM_6_1, admission: Admission::New },
    Kernel { folder: "6.12-arm64", abi: SkbAbi::ARM64_6_12, admission: Admission::New },
];

impl Kernel {
    fn path(&self, file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(self.folder).join(file)
    }

    /// The scenarios that have a file with that extension, sorted.
    ///
    /// # Panics
    ///
    /// If the folder cannot be read.
    #[must_use]
    pub fn scenarios(&self, extension: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(""))
            .expect("the folder of captures")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The datagrams of a scenario, or `None` if this kernel has no such capture.
    ///
    /// # Panics
    ///
    /// If the file is not a sequence of lengths and datagrams.
    #[must_use]
    pub fn datagrams(&self, scenario: &str) -> Option<Vec<Vec<u8>>> {
        let bytes = fs::read(self.path(&format!("{scenario}.bin"))).ok()?;
        let mut rest = bytes.as_slice();
        let mut datagrams = Vec::new();
        while let Some((len, after)) = rest.split_first_chunk::<4>() {
            let (datagram, after) = after.split_at(u32::from_le_bytes(*len) as usize);
            datagrams.push(datagram.to_vec());
            rest = after;
        }
        assert!(rest.is_empty(), "{}/{scenario}.bin ends within a length", self.folder);
        Some(datagrams)
    }

    /// The header of a scenario's readable capture, or `None` if this kernel has no such capture.
    #[must_use]
    pub fn header(&self, scenario: &str) -> Option<Header> {
        fs::read_to_string(self.path(&format!("{scenario}.txt"))).ok().map(|text| Header::parse(&text))
    }

    /// The measured charges.
    ///
    /// # Panics
    ///
    /// If the table is missing or not of its form.
    #[must_use]
    pub fn charges(&self) -> Vec<Charge> {
        let text = fs::read_to_string(self.path("truesize.csv")).expect("truesize.csv");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("scenario,idx,seqnum,len,rmem_before,rmem_after,truesize"));
        lines
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                let [scenario, _, seqnum, len, before, after, truesize] = fields[..] else {
                    panic!("{}: {line}", self.folder);
                };
                assert_eq!(number(before) - number(after), number(truesize), "{}: {line}", self.folder);
                Charge {
                    scenario: scenario.to_owned(),
                    seqnum: seqnum.to_owned(),
                    len: number(len),
                    truesize: number(truesize),
                }
            })
            .collect()
    }
}

/// A row of `truesize.csv`.
#[derive(Clone, Debug)]
pub struct Charge {
    /// What was plugged.
    pub scenario: String,
    /// The event's `SEQNUM`, as text.
    pub seqnum: String,
    /// Bytes of the datagram.
    pub len: u32,
    /// Bytes charged.
    pub truesize: u32,
}

/// The header of a readable capture.
#[derive(Clone, Debug)]
pub struct Header {
    /// Milliseconds from the command to the first event.
    pub first_ms: u32,
    /// Milliseconds from the first event to the last.
    pub span_ms: u32,
    /// The sockets that listened at once. The first lost nothing.
    pub sockets: Vec<Socket>,
}

/// A socket that listened, and slept until the burst was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// The effective buffer.
    pub rcvbuf: u32,
    /// Bytes queued before it was read.
    pub queued: u32,
    /// Events dropped.
    pub dropped: u32,
    /// Events read in the end.
    pub received: u32,
}

impl Header {
    fn parse(text: &str) -> Self {
        let mut header = Self { first_ms: 0, span_ms: 0, sockets: Vec::new() };
        let mut settled = false;
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            let socket = |line: &str| line.split(' ').nth(1).expect("a socket's number").parse::<usize>();
            match line.get(..2) {
                Some("Q ") => {
                    settled = true;
                    header.first_ms = field(line, "first_ms=");
                    header.span_ms = field(line, "span_ms=");
                }
                Some("S ") => {
                    assert_eq!(socket(line), Ok(header.sockets.len()), "{line}");
                    header.sockets.push(Socket { rcvbuf: field(line, "readback="), ..Socket::default() });
                }
                Some("M ") => {
                    let socket = &mut header.sockets[socket(line).expect("a number")];
                    socket.queued = field(line, "rmem=");
                    socket.dropped = field(line, "drops=");
                }
                Some("D ") => {
                    let socket = &mut header.sockets[socket(line).expect("a number")];
                    socket.received = field(line, "n=");
                    assert_eq!(socket.dropped, field(line, "drops="), "{line}");
                }
                _ => {}
            }
        }
        assert!(settled && !header.sockets.is_empty(), "no header");
        header
    }
}

fn field(line: &str, key: &str) -> u32 {
    let value = line.split(' ').find_map(|word| word.strip_prefix(key));
    number(value.unwrap_or_else(|| panic!("no {key} in: {line}")))
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
