//! Writes every captured uevent into the folders that are named, a file each, for a fuzzer to begin with.

use std::path::PathBuf;
use std::{env, fs, io};

use sureplug_tests::captured::captured;

fn main() -> io::Result<()> {
    let captured = captured();
    for folder in env::args_os().skip(1).map(PathBuf::from) {
        fs::create_dir_all(&folder)?;
        for event in &captured {
            fs::write(folder.join(event.place.replace('/', "-")), &event.datagram)?;
        }
    }
    Ok(())
}
