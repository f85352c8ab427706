//! Links the tests so that they can read their own strings: `defmt` finds a string by the address of
//! its symbol, in 16 bits.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;

/// `defmt.x` as far as a program that runs on Linux needs it, inserted into the linker's own script
/// instead of replacing it. The strings are not loaded, and stand where 16 bits reach them.
const SCRIPT: &str = "
EXTERN(__defmt_default_timestamp);
PROVIDE(_defmt_timestamp = __defmt_default_timestamp);
PROVIDE(_defmt_panic = __defmt_default_panic);
SECTIONS
{
  .defmt 1 (INFO) :
  {
    . = 1;
    *(.defmt .defmt.*)
  }
}
INSERT AFTER .comment;
";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let script = out.join("defmt-on-linux.x");
    fs::write(&script, SCRIPT)?;
    println!("cargo:rustc-link-arg-tests=-Wl,-T,{}", script.display());
    // Otherwise the addresses would be relative to where the program is loaded.
    println!("cargo:rustc-link-arg-tests=-no-pie");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
