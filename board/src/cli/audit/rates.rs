use sureplug_core::time::{Instant, micros};

use crate::diag::audit::{Audit, key};
use crate::order::sort_by_key;
use crate::time::monotonic_now;

/// How fast sockets lose, from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Rates {
    at: Option<Instant>,
    /// By socket: drops when it was last looked at, and drops a second before.
    seen: Vec<((u32, u64), u32, u64)>,
}

impl Rates {
    /// Takes a look into account.
    pub(super) fn look(&mut self, audit: &Audit) {
        self.look_at(monotonic_now(), audit.sockets.iter().map(|it| (key(&it.socket), it.socket.drops)));
    }

    fn look_at(&mut self, now: Instant, sockets: impl Iterator<Item = ((u32, u64), u32)>) {
        let past_us = self.at.map_or(0, |at| micros(now.since(at))).max(1);
        let mut seen: Vec<_> = sockets
            .map(|(key, drops)| {
                // What is new has lost what it has in the time that nobody looked: no rate.
                let more = self.find(key).map_or(0, |(_, before, _)| drops.wrapping_sub(*before));
                (key, drops, (u64::from(more) * 1_000_000).div_ceil(past_us))
            })
            .collect();
        sort_by_key(&mut seen, |(key, _, _)| *key);
        (self.at, self.seen) = (Some(now), seen);
    }

    /// Drops a second of a socket.
    pub(super) fn of(&self, key: (u32, u64)) -> u64 {
        self.find(key).map_or(0, |(_, _, rate)| *rate)
    }

    fn find(&self, key: (u32, u64)) -> Option<&((u32, u64), u32, u64)> {
        self.seen.binary_search_by_key(&key, |(key, _, _)| *key).ok().map(|at| &self.seen[at])
    }
}

#[cfg(test)]
mod tests {
    use super::Rates;
    use sureplug_core::time::Instant;

    #[test]
    fn drops_a_second_of_those_that_were_there_before() {
        let mut rates = Rates::default();
        let (old, new) = ((7, 1), (3, 2));
        rates.look_at(Instant::BOOT, [(old, u32::MAX)].into_iter());
        assert_eq!(rates.of(old), 0);
        rates.look_at(Instant::from_nanos(2_000_000_000), [(old, 30), (new, 500)].into_iter());
        // 31 in two seconds, over the counter's end.
        assert_eq!((rates.of(old), rates.of(new)), (16, 0));
        rates.look_at(Instant::from_nanos(3_000_000_000), [(new, 501)].into_iter());
        assert_eq!((rates.of(old), rates.of(new)), (0, 1));
    }
}
