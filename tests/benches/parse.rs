//! What reading a uevent costs: the parser against the least that anyone can do, looking for the NULs,
//! and against a parser that collects everything. Ratios of times, and no limit: that counts instructions.

use std::hint::black_box;
use std::time::{Duration, Instant};

use kobject_uevent::UEvent;
use sureplug_core::uevent::{Action, Uevent};
use sureplug_tests::captured::captured;
use sureplug_tests::timing::median;

const ROUNDS: usize = 400;

type Contestant = (&'static str, fn(&[u8]) -> u64);

fn sureplug(datagram: &[u8]) -> u64 {
    let uevent = Uevent::parse(datagram).expect("a captured uevent");
    let action = u64::from(uevent.action() == Action::Add);
    let subsystem = uevent.subsystem().map_or(0, |name| name.len() as u64);
    action + subsystem + uevent.devpath().len() as u64 + uevent.seqnum().unwrap_or(0)
}

fn kobject(datagram: &[u8]) -> u64 {
    let uevent = UEvent::from_netlink_packet(datagram).expect("a captured uevent");
    let action = u64::from(uevent.action == kobject_uevent::ActionType::Add);
    action + (uevent.subsystem.len() + uevent.devpath.as_os_str().len()) as u64 + uevent.seq
}

/// memchr as the parser has it: with the vectors that the target always has.
fn memchr(datagram: &[u8]) -> u64 {
    memchr::memchr_iter(0, datagram).map(|at| at as u64).sum()
}

/// memchr with the vectors that it picks at run time where it has the standard library. A crate
/// has either, so this picks for it, once and not at each call, which makes it the faster still.
#[cfg(target_arch = "x86_64")]
fn memchr_avx2(datagram: &[u8]) -> u64 {
    #[target_feature(enable = "avx2")]
    fn positions(datagram: &[u8]) -> u64 {
        // SAFETY: the function has AVX2 itself, and every x86_64 has SSE2.
        let nul = unsafe { memchr::arch::x86_64::avx2::memchr::One::new_unchecked(0) };
        nul.iter(datagram).map(|at| at as u64).sum()
    }
    // SAFETY: this contestant takes part only where AVX2 was found.
    unsafe { positions(datagram) }
}

/// The first is the parser, the last `kobject-uevent`, and all between are memchr.
fn contestants() -> Vec<Contestant> {
    let mut contestants: Vec<Contestant> = vec![("sureplug-core", sureplug), ("memchr", memchr)];
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        contestants.push(("memchr, AVX2", memchr_avx2));
    }
    contestants.push(("kobject-uevent", kobject));
    contestants
}

fn time(contestant: fn(&[u8]) -> u64, datagrams: &[Vec<u8>]) -> Duration {
    let start = Instant::now();
    for datagram in datagrams {
        black_box(contestant(black_box(datagram)));
    }
    start.elapsed()
}

fn main() {
    let datagrams: Vec<_> = captured().into_iter().map(|event| event.datagram).collect();
    let contestants = contestants();
    // All take their turn in each round: what disturbs the machine disturbs them alike.
    let rounds: Vec<Vec<Duration>> =
        (0..ROUNDS).map(|_| contestants.iter().map(|(_, run)| time(*run, &datagrams)).collect()).collect();

    let ratio = |of: usize, to: usize| {
        median(rounds.iter().map(|round| round[of].as_secs_f64() / round[to].as_secs_f64()).collect())
    };
    let events = f64::from(u32::try_from(datagrams.len()).expect("a few thousand"));
    for (index, (name, _)) in contestants.iter().enumerate() {
        let best = rounds.iter().map(|round| round[index]).min().expect("a round");
        let ns = best.as_secs_f64() * 1e9 / events;
        println!("{name:<16} {ns:>7.1} ns per event   sureplug-core takes {:.2} of it", ratio(0, index));
    }

    let last = contestants.len() - 1;
    let to_memchr = (1..last).map(|memchr| ratio(0, memchr)).fold(0.0, f64::max);
    let from_kobject = ratio(last, 0);
    println!("{to_memchr:.2} times memchr, {from_kobject:.2} times as fast as kobject-uevent");
}
