#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

pub mod filter;
pub mod limits;
pub mod netlink;
pub mod protocol;
pub mod rcvbuf;
mod same;
pub mod selection;
pub mod stream;
pub mod uevent;
