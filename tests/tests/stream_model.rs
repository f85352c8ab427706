//! I3 and I4 in random histories: a kernel whose events are lost at random, scans during which
//! anything may happen, and consumers of every speed.
//!
//! One case is exempt: a device that replaces another one before its directory was looked at (by a
//! scan, or when its `add` was applied), and whose properties do not distinguish it, or only a
//! `DISKSEQ`, which changes with each medium. It is delivered as kept.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sureplug_core::stream::ScanKind;
use sureplug_tests::model::{Choice, Operation, Saying, World, call_stream};

/// As many cases as take some seconds each; `PROPTEST_CASES` overrides it.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 384 };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..default }
}

fn operation() -> impl Strategy<Value = Operation> {
    let saying = prop_oneof![
        Just(Saying::Change),
        any::<u8>().prop_map(|driver| Saying::Bind(driver % 3)),
        Just(Saying::Unbind),
        Just(Saying::Medium),
        Just(Saying::Trigger),
        Just(Saying::TriggerRemove),
    ];
    prop_oneof![
        4 => (any::<u8>(), any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(place, below, identity, at_once)| {
            Operation::Plug { place, below, identity: identity % 6, at_once }
        }),
        2 => any::<u8>().prop_map(|device| Operation::Unplug { device }),
        3 => any::<u8>().prop_map(|device| Operation::Replace { device }),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(device, place)| Operation::Move { device, place }),
        3 => (any::<u8>(), saying).prop_map(|(device, saying)| Operation::Say { device, saying }),
        1 => Just(Operation::Untracked),
    ]
}

fn choice() -> impl Strategy<Value = Choice> {
    let kinds = vec![ScanKind::Start, ScanKind::Resync, ScanKind::Resync, ScanKind::Settle];
    prop_oneof![
        8 => operation().prop_map(Choice::Operate),
        16 => (0..4_u8).prop_map(|lose| Choice::Kernel { lose: lose == 0 }),
        8 => (1..4_u8).prop_map(Choice::Deliver),
        2 => select(kinds).prop_map(Choice::Scan),
        16 => any::<u8>().prop_map(Choice::Look),
        8 => (any::<u8>(), prop_oneof![1..3_u8, 1..40_u8]).prop_map(|(reader, steps)| Choice::Read { reader, steps }),
        1 => any::<u8>().prop_map(Choice::Rejoin),
        1 => any::<u8>().prop_map(Choice::Reset),
    ]
}

/// A history, and what goes on during the last scan.
fn history() -> impl Strategy<Value = (Vec<Choice>, Vec<Choice>)> {
    (vec(choice(), 0..160), vec(choice(), 0..60))
}

/// Runs a history. Then every consumer knows the actual devices, as far as there is room, and
/// completely once there is.
fn hold<const S: usize, const B: usize, const R: usize, const C: usize>(
    history: &(Vec<Choice>, Vec<Choice>),
) -> World<S, B, R, C> {
    let mut world = World::new();
    for &choice in &history.0 {
        world.choose(choice, false);
    }
    world.settle(&history.1);
    world.check();
    // What had no place beside what it replaced, or beside tombstones, has one as soon as these are gone.
    for _ in 0..2 {
        world.settle(&[]);
        world.check();
    }
    world
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn i3_i4_with_room_for_everything(history in history()) {
        let world = hold::<128, 32_768, 65_536, 5>(&history);
        prop_assert_eq!(world.stream.counts().unfit, 0);
        prop_assert_eq!(world.stream.devices(), world.kernel.devices().len());
        prop_assert!(world.readers.iter().all(|reader| world.stream.counts().resets > 0 || reader.resets == 0));
    }

    #[test]
    fn i3_i4_with_consumers_that_lag(history in history()) {
        let world = hold::<128, 32_768, 4_096, 5>(&history);
        prop_assert_eq!(world.stream.devices(), world.kernel.devices().len());
    }

    #[test]
    fn i3_i4_with_a_ring_of_a_few_steps(history in history()) {
        let world = hold::<128, 32_768, 300, 4>(&history);
        prop_assert_eq!(world.stream.devices(), world.kernel.devices().len());
    }

    #[test]
    fn i3_i4_with_a_ring_that_no_event_fits(history in history()) {
        let world = hold::<128, 32_768, 40, 4>(&history);
        prop_assert_eq!(world.stream.devices(), world.kernel.devices().len());
    }

    #[test]
    fn i3_i4_with_few_slots(history in history()) {
        let world = hold::<12, 32_768, 2_048, 4>(&history);
        let devices = world.kernel.devices().len();
        prop_assert!(world.stream.devices() == devices.min(12));
    }

    #[test]
    fn i3_i4_with_hardly_any_slots(history in history()) {
        hold::<3, 32_768, 600, 4>(&history);
    }

    #[test]
    fn i3_i4_with_few_bytes(history in history()) {
        hold::<32, 480, 600, 5>(&history);
    }

    #[test]
    fn i4_whatever_is_called(bytes in vec(any::<u8>(), 0..1_200)) {
        call_stream(&bytes);
    }
}
