//! Many writers at once: everything comes, although not in the order of `SEQNUM`.

use std::collections::HashSet;
use std::process::{Child, Command};
use std::sync::atomic::Ordering::Relaxed;

use sureplug_board::intake::{Intake, Observed};
use sureplug_board::profile::{Profile, Sizing};
use sureplug_board::socket::UeventSocket;
use sureplug_board::sysfs::BoardPorts;
use sureplug_core::rcvbuf::Others;
use sureplug_core::uevent::Uevent;
use sureplug_tests::kernel::{mark, take_until};
use sureplug_tests::privilege::turn_to_raise;

const PROCESSES: usize = 4;
const EVENTS_EACH: usize = 8_000;

/// Ends with the test in any case.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        // It has ended by itself if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn i8_32000_events_of_four_processes_all_come_and_disorder_is_no_loss() {
    let Some(_turn) = turn_to_raise("32,000 events of four processes") else { return };
    // Four writers at full speed are faster than one reader on a machine with two processors.
    let profile = Profile { ports: Some(127), max_stall_ms: 5_000, ..Profile::BUILD };
    let sizing =
        Sizing::for_board(&profile, &BoardPorts::default(), None, Others::Unfiltered).expect("a size");
    let mut intake = Intake::start(UeventSocket::open(sizing.rcvbuf).expect("a socket")).expect("an intake");
    let marks: Vec<String> = (0..PROCESSES).map(|_| mark()).collect();
    let writers: Vec<Writer> = marks
        .iter()
        .map(|mark| {
            let program = env!("CARGO_BIN_EXE_raise_uevents");
            Writer(Command::new(program).args([&EVENTS_EACH.to_string(), mark]).spawn().expect("a process"))
        })
        .collect();

    // Only kept while they come: what they hold is looked at when all have come.
    let mut datagrams: Vec<Vec<u8>> = Vec::with_capacity(PROCESSES * EVENTS_EACH);
    take_until(&mut intake, |record| {
        let Observed::Event(datagram) = record.what else {
            panic!("{record:?} after {} events", datagrams.len())
        };
        if marks.iter().any(|mark| memchr::memmem::find(datagram, mark.as_bytes()).is_some()) {
            datagrams.push(datagram.to_vec());
        }
        datagrams.len() == PROCESSES * EVENTS_EACH
    });
    drop(writers);

    let mut seen = HashSet::new();
    let mut seqnums = Vec::new();
    for datagram in &datagrams {
        let uevent = Uevent::parse(datagram).expect("a well-formed event");
        let number = uevent.property(b"SYNTH_ARG_NUMBER").expect("a number");
        assert!(seen.insert((uevent.synth_uuid().expect("a mark"), number)), "twice: {uevent:?}");
        seqnums.push(uevent.seqnum().expect("a SEQNUM"));
    }
    assert_eq!(seen.len(), PROCESSES * EVENTS_EACH);
    let inversions = seqnums.windows(2).filter(|pair| pair[0] > pair[1]).count();
    let peak = intake.counters().peak_queued.load(Relaxed);
    println!(
        "{} events, {inversions} of them before one with a smaller SEQNUM, peak {peak} B",
        seqnums.len()
    );
}
