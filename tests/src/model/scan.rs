use sureplug_core::stream::{Look, ScanKind};
use sureplug_core::uevent::Uevent;

use super::kernel::inode;
use super::world::World;

/// A running scan.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Devices that are listed and not looked at yet: which, and where they were.
    listed: Vec<(u64, String)>,
    look: Option<LookAt>,
    /// Devices whose inode it was the first to take.
    taken: Vec<(String, u64)>,
}

/// A device that was read.
#[derive(Debug)]
struct LookAt {
    incarnation: Option<u64>,
    path: String,
    /// What was read of it.
    datagram: Option<Vec<u8>>,
    /// Events that were sent until then and are not applied yet.
    behind: usize,
}

impl<const S: usize, const B: usize, const R: usize, const C: usize> World<S, B, R, C> {
    /// Begins a scan. What the socket holds then may have been sent before something was lost.
    pub fn begin_scan(&mut self, kind: ScanKind) {
        let listed = self.kernel.devices().iter().map(|(path, device)| (device.incarnation, path.clone()));
        // Something is listed on any machine, so that there is a first look, before which nothing is known.
        let listed = listed.chain([(0, "/devices/virtual".to_owned())]).collect();
        for forgotten in self.scan.take().into_iter().flat_map(|scan| scan.taken) {
            self.looked_at.remove(&forgotten);
        }
        self.scan = Some(Scan { listed, ..Scan::default() });
        self.stream.begin_scan(kind);
        self.told();
    }

    /// Reads a device, or takes what was read, or ends; `false` if no scan runs.
    pub fn scan_step(&mut self, random: u8) -> bool {
        let Some(mut scan) = self.scan.take() else { return false };
        if let Some(look) = scan.look.take() {
            self.deliver(look.behind);
            let taken = self.take(&look);
            if let (Look::Taken, Some(incarnation)) = (taken, self.reading) {
                let device = (look.path.clone(), incarnation);
                if self.looked_at.insert(device.clone()) {
                    scan.taken.push(device);
                }
            }
            if taken == Look::Touched {
                match look.incarnation {
                    Some(incarnation) => scan.listed.push((incarnation, look.path)),
                    None => scan.look = Some(self.look(None, look.path, true)),
                }
            }
        } else if !scan.listed.is_empty() {
            let (incarnation, path) = scan.listed.swap_remove(usize::from(random) % scan.listed.len());
            // A link of a class leads to where the device is then.
            let path = self.kernel.place_of(incarnation).map_or(path, str::to_owned);
            scan.look = Some(self.look(Some(incarnation), path, true));
        } else if let Some((path, _)) = self.stream.look_at_unseen() {
            let path = String::from_utf8_lossy(path).into_owned();
            scan.look = Some(self.look(None, path, false));
        } else {
            self.stamp += 1;
            let outcome = self.stream.end_scan(self.at());
            self.outcome = Some(outcome);
            self.told();
            return true;
        }
        self.scan = Some(scan);
        true
    }

    /// Notes that events were applied: fewer are left to wait for.
    pub(super) fn applied(&mut self, events: usize) {
        if let Some(look) = self.scan.as_mut().and_then(|scan| scan.look.as_mut()) {
            look.behind = look.behind.saturating_sub(events);
        }
    }

    fn look(&mut self, incarnation: Option<u64>, path: String, is_listed: bool) -> LookAt {
        if is_listed {
            self.stream.look_at(path.as_bytes());
        }
        let read = self.kernel.read(&path);
        self.reading = read.as_ref().map(|(_, incarnation)| *incarnation);
        LookAt { incarnation, path, datagram: read.map(|(datagram, _)| datagram), behind: self.waiting() }
    }

    fn take(&mut self, look: &LookAt) -> Look {
        self.stamp += 1;
        let Some(datagram) = &look.datagram else {
            let taken = self.stream.gone();
            self.told();
            return taken;
        };
        let incarnation = self.reading.expect("what was read has a number");
        let uevent = Uevent::parse(datagram).expect("what the model makes is a uevent");
        let taken = self.stream.saw(self.at(), &uevent, inode(incarnation));
        self.told();
        taken
    }
}
