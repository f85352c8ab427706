//! How `src/backtrace.rs` gets its place in a static program.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo does not list `crt-static` where it is the target's own default, as with musl.
    let musl = var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl");
    let features = var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if musl || features.split(',').any(|feature| feature == "crt-static") {
        // The static unwinder has its own `_Unwind_Backtrace` in one object with what is needed of it: the
        // program's comes first. GCC hands this on to GNU's linker, and LLVM's linker knows it too.
        println!("cargo::rustc-link-arg-bins=-zmuldefs");
    }
}
