//! All captured uevents in one list.

use crate::vectors::KERNELS;

/// One captured uevent.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Where it stands: `kernel/scenario#index`.
    pub place: String,
    /// Its bytes as they came from the socket.
    pub datagram: Vec<u8>,
}

/// Every uevent of every scenario of every kernel, in the order of the folders and files.
///
/// # Panics
///
/// If a capture cannot be read.
#[must_use]
pub fn captured() -> Vec<Captured> {
    let mut all = Vec::new();
    for kernel in KERNELS {
        for scenario in kernel.scenarios("bin") {
            let datagrams = kernel.datagrams(&scenario).expect("a capture of this scenario");
            all.extend(datagrams.into_iter().enumerate().map(|(index, datagram)| Captured {
                place: format!("{}/{scenario}#{index}", kernel.folder),
                datagram,
            }));
        }
    }
    all
}
