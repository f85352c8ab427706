use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sureplug_core::selection::Selection;
use sureplug_core::stream::{ConsumerId, Delivery, DeliveryBuffer, DeviceEvent, Origin, Stream};
use sureplug_core::time::Instant;
use sureplug_core::uevent::Action;

/// The stamp of what is made for one consumer alone.
pub const MADE: Instant = Instant::from_nanos(u64::MAX);

/// What a consumer believes of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belief {
    /// `INCARNATION` of its `add`.
    pub incarnation: Vec<u8>,
    /// `DRIVER` of the last event about it.
    pub driver: Option<Vec<u8>>,
    /// `STATE` of it.
    pub state: Option<Vec<u8>>,
}

/// The rules of a stream, and the state that follows from its events.
#[derive(Debug, Default)]
pub struct Rule {
    /// By devpath.
    pub believed: BTreeMap<Vec<u8>, Belief>,
    /// The batch in which events were delivered together, and the devpaths that it added and
    /// removed.
    batch: u64,
    added: Vec<Vec<u8>>,
    /// Devpaths removed since the last call that took them, with the device known there.
    pub removed: Vec<(Vec<u8>, Belief)>,
    /// Devices that were announced as another one that is still known in their place.
    pub mistaken: BTreeSet<Vec<u8>>,
}

pub(super) fn is_below(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.first() == Some(&b'/'))
}

impl Rule {
    /// Takes one event. Those of one `batch` were delivered together.
    ///
    /// # Panics
    ///
    /// Panics if the event breaks a rule.
    pub fn hear(&mut self, entry: &DeviceEvent<'_>, batch: u64) {
        let uevent = &entry.uevent;
        if !entry.tracked {
            return;
        }
        let path = uevent.devpath().to_vec();
        let name = uevent.devpath().escape_ascii();
        let value = |key| uevent.property(key).map(<[u8]>::to_vec);
        if batch != std::mem::replace(&mut self.batch, batch) {
            self.added.clear();
        }
        match uevent.action() {
            Action::Add => {
                let belief = Belief {
                    incarnation: value(b"INCARNATION").unwrap_or_default(),
                    driver: value(b"DRIVER"),
                    state: value(b"STATE"),
                };
                assert!(self.believed.insert(path.clone(), belief).is_none(), "added twice: {name}");
                if entry.origin != Origin::Kernel {
                    let late = self.added.iter().find(|added| is_below(added, &path));
                    assert!(late.is_none(), "a child was added before {name}");
                }
                self.added.push(path);
            }
            Action::Remove => {
                let belief = self.believed.remove(&path);
                let belief = belief.unwrap_or_else(|| panic!("removed, but not added: {name}"));
                self.removed.push((path.clone(), belief));
                let left = self.believed.keys().find(|left| is_below(left, &path));
                assert!(left.is_none(), "removed before a child: {name}");
            }
            _ => {
                let belief = self.believed.get_mut(&path);
                let belief = belief.unwrap_or_else(|| panic!("{uevent}, but not added"));
                (belief.driver, belief.state) = (value(b"DRIVER"), value(b"STATE"));
                let other = value(b"INCARNATION").filter(|incarnation| *incarnation != belief.incarnation);
                self.mistaken.extend(other);
            }
        }
        // If the description begins with another key, a device first announced by a `change` has
        // that key too.
        if entry.origin != Origin::Kernel && uevent.major().is_some() {
            assert_eq!(value(b"EXTRA"), None, "no state of a device: {name}");
        }
        let origin = entry.added_properties().find(|p| p.key == b"SUREPLUG_ORIGIN").map(|p| p.value);
        assert_eq!(origin, Some(entry.origin.as_bytes()), "{name}");
    }
}

/// One step, as the consumer that receives everything received it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Whose, if the table holds it.
    pub path: Option<Vec<u8>>,
    /// The action as delivered.
    pub action: Vec<u8>,
    /// Of what subsystem.
    pub subsystem: Option<Vec<u8>>,
}

/// A consumer, and what it may pass over without a word.
#[derive(Debug)]
pub struct Reader {
    /// Its place in the journal.
    pub id: ConsumerId,
    /// What it selects.
    pub selection: Selection,
    /// What it believes.
    pub rule: Rule,
    /// The number of resets.
    pub resets: usize,
    /// Steps that were reported as missed.
    pub missed: u64,
    /// The end of the last step that it has passed.
    at: u64,
    /// Steps that it has passed and not been notified of yet.
    uncounted: u64,
    /// Whether it is receiving the delta.
    differs: bool,
    /// The step up to which it knows already which devices came and went.
    known_before: u64,
    /// Devices that it knows and whose events it missed: each is due a `change`.
    lacks: BTreeSet<Vec<u8>>,
    /// All of which there was a step in what it missed.
    touched: BTreeSet<Vec<u8>>,
    /// Whether the first consumer received everything that this one missed.
    is_touched_whole: bool,
}

impl Reader {
    /// A consumer that has just joined.
    #[must_use]
    pub fn new(id: ConsumerId, selection: Selection, at: u64) -> Self {
        let rule = Rule::default();
        Self {
            id,
            selection,
            rule,
            resets: 0,
            missed: 0,
            at,
            uncounted: 0,
            differs: true,
            known_before: 0,
            lacks: BTreeSet::new(),
            touched: BTreeSet::new(),
            is_touched_whole: true,
        }
    }

    /// Reads one step and checks it; `false` if there was none. `heard` has the step of that
    /// number, if the first consumer received it.
    ///
    /// # Panics
    ///
    /// Panics if the step breaks a rule, or if a step was skipped that must be delivered or
    /// counted.
    pub fn read<const S: usize, const B: usize, const R: usize, const C: usize>(
        &mut self,
        stream: &mut Stream<S, B, R, C>,
        packet: &mut DeliveryBuffer,
        batch: u64,
        heard: &mut BTreeMap<u64, Heard>,
    ) -> bool {
        let before = stream.read_steps(self.id);
        // It was made to forget since then.
        self.uncounted += before - self.at;
        let told = stream.next(self.id, MADE, packet);
        let after = stream.read_steps(self.id);
        self.at = after;
        match told {
            Some(Delivery::Event(entry)) if entry.stamp == MADE => {
                assert!(self.differs && entry.tracked && entry.kernel_action.is_none());
                self.uncounted += after - before;
                self.miss(before..after, heard);
                let path = entry.uevent.devpath();
                let is_change = !matches!(entry.uevent.action(), Action::Add | Action::Remove);
                if is_change && self.is_touched_whole {
                    assert!(self.touched.contains(path), "nothing was missed of {}", path.escape_ascii());
                }
                self.lacks.remove(path);
                self.rule.hear(&entry, batch);
            }
            Some(Delivery::Event(entry)) => {
                self.know_all(stream.steps());
                self.pass(before..after - 1, heard);
                self.rule.hear(&entry, entry.stamp.as_nanos());
                assert!(self.selection.admits(entry.uevent.subsystem()) || self.selection == Selection::ALL);
                let uevent = entry.uevent;
                heard.entry(after - 1).or_insert_with(|| Heard {
                    path: entry.tracked.then(|| uevent.devpath().to_vec()),
                    action: uevent.action().as_bytes().to_vec(),
                    subsystem: uevent.subsystem().map(<[u8]>::to_vec),
                });
            }
            Some(Delivery::Missed { steps }) => {
                assert!(steps > 0);
                self.missed += steps;
                let passed = (after + self.uncounted).checked_sub(steps).expect("no more than were passed");
                self.pass(before..passed, heard);
                self.uncounted = 0;
                self.miss(if self.differs { before } else { passed }..after, heard);
                if self.differs {
                    self.know_all(stream.steps());
                } else {
                    self.differs = true;
                }
            }
            Some(Delivery::SnapshotEnd) => panic!("nobody asked for that"),
            Some(Delivery::Reset) => {
                self.uncounted += after - before;
                self.rule.believed.clear();
                self.forget_missed();
                (self.differs, self.resets) = (true, self.resets + 1);
            }
            None => {
                self.know_all(stream.steps());
                self.pass(before..after, heard);
                assert_eq!((after, self.uncounted), (stream.steps(), 0), "read to the end");
            }
        }
        told.is_some()
    }

    fn know_all(&mut self, steps: u64) {
        if std::mem::take(&mut self.differs) {
            self.known_before = steps;
            let lacks = self.lacks.iter().find(|path| self.rule.believed.contains_key(*path));
            assert!(
                lacks.is_none(),
                "it missed events of devices: {:?}",
                lacks.map(|p| p.escape_ascii().to_string())
            );
            self.forget_missed();
        }
    }

    /// Steps that are overwritten before it could read them.
    fn miss(&mut self, steps: Range<u64>, heard: &BTreeMap<u64, Heard>) {
        for step in steps {
            let Some(what) = heard.get(&step) else {
                self.is_touched_whole = false;
                continue;
            };
            let Some(path) = &what.path else { continue };
            self.touched.insert(path.clone());
            let comes_or_goes = matches!(&what.action[..], b"add" | b"remove");
            if !comes_or_goes && self.rule.believed.contains_key(path) {
                self.lacks.insert(path.clone());
            }
        }
    }

    fn forget_missed(&mut self) {
        self.lacks.clear();
        self.touched.clear();
        self.is_touched_whole = true;
    }

    /// Steps that are neither delivered nor counted, because they are irrelevant to this consumer
    /// or covered by the delta.
    fn pass(&self, steps: Range<u64>, heard: &BTreeMap<u64, Heard>) {
        assert!(steps.start <= steps.end, "{steps:?}");
        for (step, what) in steps.filter_map(|step| heard.get(&step).map(|what| (step, what))) {
            if !self.selection.admits(what.subsystem.as_deref()) {
                continue;
            }
            let is_known = step < self.known_before;
            let path =
                what.path.as_ref().unwrap_or_else(|| panic!("an untracked step was passed over: {what:?}"));
            // Only if the first consumer received every later step.
            let went_since = || {
                let mut since = step + 1..self.known_before;
                since.any(|step| {
                    heard
                        .get(&step)
                        .is_none_or(|later| later.path.as_ref() == Some(path) && later.action == b"remove")
                })
            };
            let comes_or_goes = matches!(&what.action[..], b"add" | b"remove");
            assert!(is_known && (comes_or_goes || went_since()), "step {step} was passed over: {what:?}");
        }
    }
}
