//! Prints events: `cargo run --example events [PATH [SUBSYSTEM...]]`.

use std::path::Path;

use sureplug_board::client::{Client, DEFAULT_PATH};
use sureplug_core::protocol::PacketKind;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().map_or(DEFAULT_PATH, String::as_str);
    let subsystems: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let mut client = Client::stream(Path::new(path), &subsystems, true)?;
    while let Some(message) = client.receive()? {
        match message.kind() {
            PacketKind::Event(entry) => println!("{}", entry.uevent),
            PacketKind::Missed { events } => println!("missed {events}"),
            PacketKind::Begin { .. } => println!("begin"),
            PacketKind::End => println!("end"),
            PacketKind::Reset => println!("reset"),
            PacketKind::Error { message, .. } => eprintln!("{}", String::from_utf8_lossy(message)),
            _ => {}
        }
    }
    Ok(())
}
