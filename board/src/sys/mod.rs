//! The system calls that `nix` has no safe call for, or none that does without allocating: this library's one place with
//! `unsafe`.

mod directory;
mod interface;
mod namespace;
mod process;
mod socket;
mod spawn;
mod terminal;
#[cfg(any(test, all(feature = "small", panic = "abort", not(debug_assertions))))]
mod unwinding;

pub use directory::{read_directory, read_link};
pub use interface::{interface_index, interface_is_up};
pub use namespace::owning_user_namespace;
pub use process::{Ended, ended, hear_of_children, set_realtime_priority, take_descriptor};
pub use socket::{
    MemInfo, accept, attach_filter, mem_info, refuse_descriptors, set_no_enobufs, unread_bytes,
};
pub use spawn::{STACK_BYTES, spawn};
pub use terminal::window_size;
