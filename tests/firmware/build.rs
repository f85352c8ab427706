//! Has the linker place the program in the machine's memory, and the strings of `defmt`.

use std::env;
use std::fs;
use std::path::PathBuf;

/// QEMU's `mps2-an386` (`hw/arm/mps2.c`): a Cortex-M4 that starts at 0.
const MEMORY: &str = "MEMORY { FLASH : ORIGIN = 0, LENGTH = 4M  RAM : ORIGIN = 0x20000000, LENGTH = 4M }";

fn main() {
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo's directory"));
    fs::write(directory.join("memory.x"), MEMORY).expect("a file of this build's own");
    println!("cargo:rustc-link-search={}", directory.display());
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    println!("cargo:rerun-if-changed=build.rs");
}
