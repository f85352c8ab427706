//! Prints what the firmware in `firmware/` logs, made of the same captures by the naive parser.

use sureplug_tests::oracle::Oracle;
use sureplug_tests::vectors::KERNELS;

const SCENARIOS: [&str; 4] = ["kbd_plug", "kbd_unplug", "storage_ss_mbr4_plug", "storage_ss_mbr4_unplug"];

fn main() {
    let kernel = KERNELS.into_iter().find(|kernel| kernel.folder == "6.1-armhf").expect("its captures");
    let mut charge = 0;
    for scenario in SCENARIOS {
        for datagram in kernel.datagrams(scenario).expect("a capture") {
            println!("{}", line(&datagram));
        }
        // As the kernel itself charged them.
        let charges = kernel.charges().into_iter().filter(|row| row.scenario == scenario);
        charge += charges.map(|row| row.truesize).sum::<u32>();
    }
    println!("refused: ParseError {{ offset: 24, fault: NotTerminated }}");
    println!("charge: {charge} B");
}

/// `action@devpath KEY=value …`: `ACTION` and `DEVPATH` are in the header already.
fn line(datagram: &[u8]) -> String {
    let Oracle { action, devpath, properties } = Oracle::read(datagram).expect("a uevent");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let properties = properties.iter().filter(|(key, _)| key != b"ACTION" && key != b"DEVPATH");
    let properties = properties.map(|(key, value)| format!(" {}={}", text(key), text(value)));
    format!("{}@{}{}", text(&action), text(&devpath), properties.collect::<String>())
}
