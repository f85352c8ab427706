//! With the feature `small`, lets the functions of `src/sys/unwinding.rs` replace a static
//! unwinder's.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var("CARGO_FEATURE_SMALL").is_err() {
        return;
    }
    // Cargo does not list `crt-static` where it is the target's own default, as with musl.
    let is_musl = var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl");
    let features = var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if is_musl || features.split(',').any(|feature| feature == "crt-static") {
        // The static unwinder keeps all its functions in a few objects. Where one of those objects
        // is linked anyway, as on ARM, the program's functions must take precedence. Compilers pass
        // this option on, and all linkers know it.
        println!("cargo::rustc-link-arg-bins=-z");
        println!("cargo::rustc-link-arg-bins=muldefs");
    }
}
