#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

pub mod audit;
pub mod filter;
pub mod hook;
pub mod indicator;
pub mod journal;
pub mod limits;
pub mod loss;
mod maybe;
pub mod measure;
pub mod metrics;
pub mod pcap;
pub mod ports;
pub mod presence;
pub mod protocol;
pub mod rate;
pub mod rcvbuf;
mod same;
pub mod schedule;
pub mod selection;
pub mod sender;
pub mod stream;
pub mod uevent;
