//! I3 and I4 in every history of six steps during a scan: a device with a child and a sibling is
//! replaced, its events arrive or are lost, and a consumer reads from a ring of two steps.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use sureplug_core::stream::ScanKind;
use sureplug_tests::model::{Operation, PLACES, Saying, World};

/// Two steps of the ring, or one and a half with an event.
type Small = World<12, 2_048, 230, 2>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// A device is replaced with what is below it, and the events of that are lost or not.
    Replace { device: u8, lost: bool },
    /// A device sends `change`.
    Change { device: u8 },
    /// One event is applied.
    Deliver,
    /// The scan goes on.
    Scan,
    /// The lagging consumer reads a step.
    Read,
}

/// In the order of their devpaths.
const PARENT: u8 = 0;
const BESIDE: u8 = 2;

const ACTS: [Act; 6] = [
    Act::Replace { device: PARENT, lost: false },
    Act::Replace { device: BESIDE, lost: true },
    Act::Change { device: PARENT },
    Act::Deliver,
    Act::Scan,
    Act::Read,
];

/// What is lost before the scan.
const LOST: [&[u8]; 2] = [&[], &[PARENT, BESIDE]];

const STEPS: u32 = 6;

/// Three devices that were announced to every consumer and seen by a scan; then some are replaced
/// without an event, and a resync begins.
fn begin(lost: &[u8]) -> Small {
    let mut world = Small::new();
    for path in ["/devices/a/x", "/devices/b"] {
        let place = PLACES.iter().position(|place| *place == path).expect("a place");
        let place = u8::try_from(place).expect("few places");
        operate(&mut world, Operation::Plug { place, below: 0, identity: 0, at_once: false }, false);
    }
    world.deliver(usize::MAX);
    world.begin_scan(ScanKind::Start);
    while world.scan_step(0) {}
    world.read(1, usize::MAX);
    for &device in lost {
        operate(&mut world, Operation::Replace { device }, true);
    }
    world.begin_scan(ScanKind::Resync);
    world
}

fn operate(world: &mut Small, operation: Operation, lost: bool) {
    world.kernel.begin(operation);
    while !world.kernel.is_idle() {
        world.kernel_step(lost);
    }
}

/// Does one thing; `false` if it changes nothing, or if another history has it in another order that leads to
/// the same.
fn act(world: &mut Small, act: Act, before: Option<Act>) -> bool {
    match (before, act) {
        // Nothing can be read that was not applied yet, and a lost event changes nothing.
        (Some(Act::Replace { .. } | Act::Change { .. }), Act::Read)
        | (Some(Act::Replace { lost: true, .. }), Act::Deliver) => return false,
        (_, Act::Replace { device, lost }) => operate(world, Operation::Replace { device }, lost),
        (_, Act::Change { device }) => {
            operate(world, Operation::Say { device, saying: Saying::Change }, false);
        }
        (_, Act::Deliver) if world.waiting() == 0 => return false,
        (_, Act::Deliver) => world.deliver(1),
        (_, Act::Scan) => return world.scan_step(0),
        (_, Act::Read) => world.read(1, 1),
    }
    true
}

/// A history by its number, if it is one; a digest of what the consumers believed in it.
fn history(number: u32) -> Option<u64> {
    let lost = number / 6_u32.pow(STEPS);
    let mut world = begin(LOST[lost as usize]);
    let (mut rest, mut before, mut is_lossy) = (number, None, false);
    let mut beliefs = DefaultHasher::new();
    for _ in 0..STEPS {
        let next = ACTS[(rest % 6) as usize];
        rest /= 6;
        if !act(&mut world, next, before) {
            return None;
        }
        before = Some(next);
        is_lossy |= matches!(next, Act::Replace { lost: true, .. });
        for reader in &world.readers {
            let believed = reader.rule.believed.iter();
            believed.for_each(|(path, belief)| (path, &belief.incarnation).hash(&mut beliefs));
        }
    }
    world.finish();
    if is_lossy {
        world.settle(&[]);
    }
    world.check();
    assert_eq!(world.stream.devices(), 3);
    Some(beliefs.finish())
}

#[test]
fn i3_i4_in_every_history_of_six_steps() {
    let numbers: Vec<u32> = (0..6_u32.pow(STEPS) * 2).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut histories, mut beliefs) = (0, HashSet::new());
    std::thread::scope(|scope| {
        let run = |part| move || Vec::from(part).into_iter().filter_map(history).collect::<Vec<_>>();
        let parts: Vec<_> =
            numbers.chunks(numbers.len().div_ceil(threads)).map(|part| scope.spawn(run(part))).collect();
        for part in parts {
            let part = part.join().expect("no history breaks a rule");
            histories += part.len();
            beliefs.extend(part);
        }
    });
    assert_eq!((histories, beliefs.len()), (30_482, 324), "histories, and courses of belief");
}
