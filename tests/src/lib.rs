//! What the tests of Sureplug share: the captured uevents, a naive parser to compare with, and
//! the generator of the plug profiles.

pub mod application;
pub mod captured;
pub mod cbpf;
pub mod daemon;
pub mod filter_oracle;
pub mod fold;
pub mod hook_script;
pub mod kernel;
pub mod limits;
pub mod model;
pub mod oracle;
pub mod privilege;
pub mod profiles;
pub mod receive;
pub mod receive_queue;
pub mod served;
pub mod stand_in;
pub mod sysfs_truth;
pub mod timing;
pub mod transcript;
pub mod uevent_file;
pub mod usb_tree;
pub mod vectors;
