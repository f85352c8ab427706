//! What an event costs from the socket to the counters: the processor time, user and system, of the
//! daemon without output, against that of the least that anyone can do, a loop that receives and
//! discards. Ratios of times, and no limit.
//!
//! Both are processes of their own, fed with the same injected events in turn. The kernel's work of
//! sending is the sender's, that of receiving is theirs.

mod contestant;
mod running;

use std::{array, env};

use sureplug_tests::kernel::{own_sysfs, without_seqnum};
use sureplug_tests::timing::median;
use sureplug_tests::vectors::KERNELS;

use contestant::{CONTESTANTS, compete};
use running::Running;

/// Odd, so that the median is one of them.
const ROUNDS: usize = 7;
const BURSTS: usize = 30;
/// Tries to measure something without others' events.
const UNDISTURBED_WITHIN: usize = 20;

/// How the events come.
#[derive(Clone, Copy)]
enum Load {
    /// Each burst while the contestant is stopped, as by something more urgent.
    Queued,
    /// All without a pause while the contestant reads.
    Live,
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(contestant) = CONTESTANTS.iter().position(|name| arguments.iter().any(|a| a == name)) {
        return compete(contestant);
    }
    let Some(_turn) = own_sysfs("the bench of the whole path") else { return };
    let burst = burst();
    println!("{ROUNDS} rounds of {BURSTS} bursts of {} events", burst.len());
    let queued = compare("bursts, queued", Load::Queued, &burst);
    let live = compare("a storm, live", Load::Live, &burst);
    println!(
        "live: {live:.2} times receiving and discarding; queued, where the loop pays for neither a wake-up nor the \
         sender's credentials: {queued:.2}"
    );
}

/// A hub with eight sticks comes and goes: the worst single plug that has captures.
fn burst() -> Vec<Vec<u8>> {
    let kernel = KERNELS.iter().find(|kernel| kernel.folder == "6.1-arm64").expect("captures of this kernel");
    ["hub8_storage_plug", "hub8_storage_unplug"]
        .iter()
        .flat_map(|scenario| kernel.datagrams(scenario).expect("a capture"))
        .map(|datagram| without_seqnum(&datagram).to_vec())
        .collect()
}

/// Prints both contestants' costs; returns how many times the first one's the second's are.
fn compare(name: &str, load: Load, burst: &[Vec<u8>]) -> f64 {
    let rounds: Vec<[f64; 2]> = (0..ROUNDS)
        .map(|round| {
            // The first in one round is the second in the next.
            let mut costs = [0.0; 2];
            for turn in [round % 2, (round + 1) % 2] {
                costs[turn] = cost(turn, load, burst);
            }
            costs
        })
        .collect();
    let [bare, whole] = array::from_fn(|i| median(rounds.iter().map(|costs| costs[i]).collect()));
    let ratio = median(rounds.iter().map(|costs| costs[1] / costs[0]).collect());
    println!("{name:<16} sureplug {whole:>7.0} ns an event   discarding {bare:>7.0} ns   {ratio:.2} times");
    ratio
}

/// Nanoseconds of the processor that one event costs a contestant.
fn cost(contestant: usize, load: Load, burst: &[Vec<u8>]) -> f64 {
    // A namespace sees the devices' own events as well: if some came, that was another load.
    (0..UNDISTURBED_WITHIN).find_map(|_| try_cost(contestant, load, burst)).expect("no other events")
}

fn try_cost(contestant: usize, load: Load, burst: &[Vec<u8>]) -> Option<f64> {
    let mut child = Running::start(contestant);
    let spent = match load {
        // Being stopped costs as well, and more for two threads than for one; it is no part of an event.
        Load::Queued => {
            let for_stops = child.spends(|child| child.take_stopped(&[]));
            let for_all = child.spends(|child| child.take_stopped(burst));
            for_all.saturating_sub(for_stops)
        }
        Load::Live => child.spends(|child| (0..BURSTS).for_each(|_| child.inject(burst))),
    };
    let events = u32::try_from(BURSTS * burst.len()).expect("thousands");
    let received = child.end();
    assert!(received >= events, "{} of {events} events were lost", events - received);
    (received == events).then(|| spent.as_secs_f64() * 1e9 / f64::from(events))
}
