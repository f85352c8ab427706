//! Writes `core/src/rcvbuf/classes.rs` from the captures: `cargo run --bin plug_profiles` in `tests/`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/rcvbuf/classes.rs");
    fs::write(file, sureplug_tests::profiles::classes_rs())
}
