use sureplug_core::time::{Instant, micros};

use super::{Audit, key, sort_by_key};
use crate::time::monotonic_now;

/// The drops per second of each socket between audits.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    at: Option<Instant>,
    /// For each socket its key, its drops at the last audit, and the drops per second before it.
    seen: Vec<((u32, u64), u32, u64)>,
}

impl Rates {
    /// Takes an audit into account.
    pub(crate) fn update(&mut self, audit: &Audit) {
        self.update_at(monotonic_now(), audit.sockets.iter().map(|it| (key(&it.socket), it.socket.drops)));
    }

    fn update_at(&mut self, now: Instant, sockets: impl Iterator<Item = ((u32, u64), u32)>) {
        let past_us = self.at.map_or(0, |at| micros(now.since(at))).max(1);
        let mut seen: Vec<_> = sockets
            .map(|(key, drops)| {
                // The drops of a new socket have no time span.
                let more = self.find(key).map_or(0, |(_, before, _)| drops.wrapping_sub(*before));
                (key, drops, (u64::from(more) * 1_000_000).div_ceil(past_us))
            })
            .collect();
        sort_by_key(&mut seen, |(key, _, _)| *key);
        (self.at, self.seen) = (Some(now), seen);
    }

    /// Returns the drops per second of a socket.
    pub(crate) fn of(&self, key: (u32, u64)) -> u64 {
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
    fn rates_are_of_sockets_that_the_audit_before_had() {
        let mut rates = Rates::default();
        let (old, new) = ((7, 1), (3, 2));
        rates.update_at(Instant::BOOT, [(old, u32::MAX)].into_iter());
        assert_eq!(rates.of(old), 0);
        rates.update_at(Instant::from_nanos(2_000_000_000), [(old, 30), (new, 500)].into_iter());
        // 31 in two seconds, across the counter's wrap.
        assert_eq!((rates.of(old), rates.of(new)), (16, 0));
        rates.update_at(Instant::from_nanos(3_000_000_000), [(new, 501)].into_iter());
        assert_eq!((rates.of(old), rates.of(new)), (0, 1));
    }
}
