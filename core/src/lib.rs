#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

pub mod limits;
pub mod loss;
pub mod rcvbuf;
pub mod sender;
pub mod uevent;
