use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sureplug_board::socket::sysctl;

use crate::privilege::{Turn, not_run, turn_to_raise};

/// The sysctls that bound every new socket's receive buffer. They can only be opened in the initial
/// network namespace, but then be set from another.
pub struct ReceiveLimit([File; 2]);

impl ReceiveLimit {
    /// The smallest that `net.core.rmem_max` and `rmem_default` can be.
    pub const FLOOR: u32 = 2_304;

    /// Opens them; `None` without the privilege to set them, or in another network namespace.
    #[must_use]
    pub fn open() -> Option<Self> {
        let open =
            |name| File::options().read(true).write(true).open(Path::new("/proc/sys/net/core").join(name));
        Some(Self([open("rmem_default").ok()?, open("rmem_max").ok()?]))
    }

    /// Sets both to [`Self::FLOOR`] until the result goes out of scope: every program gets as little meanwhile, so the
    /// caller has its turn.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    #[must_use]
    pub fn lowered(&self) -> Lowered {
        let lowered = Lowered(self.0.each_ref().map(|file| {
            let mut value = vec![0; 32];
            let length = file.read_at(&mut value, 0).expect("a sysctl");
            value.truncate(length);
            (file.try_clone().expect("a descriptor"), value)
        }));
        for file in &self.0 {
            file.write_at(Self::FLOOR.to_string().as_bytes(), 0).expect("a sysctl that root may set");
        }
        lowered
    }
}

/// Restores the sysctls in any case.
pub struct Lowered([(File, Vec<u8>); 2]);

impl Drop for Lowered {
    fn drop(&mut self) {
        for (file, value) in &self.0 {
            let _ = file.write_at(value, 0);
        }
    }
}

/// That an unprivileged process gets less than it wants, as long as this lives.
pub struct Clamped {
    /// `net.core.rmem_max` meanwhile.
    pub rmem_max: u64,
    // Dropped in this order.
    _lowered: Option<Lowered>,
    _turn: Option<Turn>,
}

impl Clamped {
    /// Ensures that a socket gets less than `wanted` bytes: if the machine's sysctls allow more,
    /// they are lowered, which needs root. `None` if the test cannot run.
    ///
    /// # Panics
    ///
    /// Panics under `CI=true` if the test cannot run.
    #[must_use]
    pub fn below(wanted: u64, test: &str) -> Option<Self> {
        let limit = ReceiveLimit::open();
        // Another test may have lowered it until then.
        let turn = if limit.is_some() { Some(turn_to_raise(test)?) } else { None };
        let clamps = |rmem_max: &u64| 2 * rmem_max < wanted;
        if let Some(rmem_max) = sysctl::rmem_max().map(u64::from).filter(clamps) {
            return Some(Self { rmem_max, _lowered: None, _turn: turn });
        }
        let Some(limit) = limit else {
            not_run(
                test,
                "net.core.rmem_max allows any budget or cannot be read, and lowering it needs root",
            );
            return None;
        };
        Some(Self { rmem_max: ReceiveLimit::FLOOR.into(), _lowered: Some(limit.lowered()), _turn: turn })
    }
}
