#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

pub mod bytes;
pub mod filter;
pub mod limits;
pub mod netlink;
pub mod protocol;
pub mod rcvbuf;
pub mod selection;
pub mod stream;
pub mod time;
pub mod uevent;
