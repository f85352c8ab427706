//! Prints the log that a program wrote through `defmt`: `decode_log ELF <LOG`.

use std::io::{self, Read};
use std::{env, fs};

use defmt_decoder::{DecodeError, Table};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let elf = env::args_os().nth(1).ok_or("usage: decode_log ELF <LOG")?;
    let table = Table::parse(&fs::read(elf)?)?.ok_or("the program has no defmt strings")?;
    let mut log = Vec::new();
    io::stdin().read_to_end(&mut log)?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(&log);
    loop {
        match decoder.decode() {
            Ok(frame) => println!("{}", frame.display_message()),
            Err(DecodeError::UnexpectedEof) => return Ok(()),
            Err(DecodeError::Malformed) => return Err("the log is malformed".into()),
        }
    }
}
