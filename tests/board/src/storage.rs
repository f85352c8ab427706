use std::fs::File;
use std::io::Write;
use std::path::Path;

const SECTOR_BYTES: usize = 512;
const PARTITION_SECTORS: u32 = 2_048;

/// Writes a disk with this many primary partitions (at most 4) of a mebibyte each.
pub(crate) fn write_disk(path: &Path, partitions: u8) {
    let mut boot_record = [0; SECTOR_BYTES];
    for number in 0..partitions.min(4) {
        let start = PARTITION_SECTORS * (u32::from(number) + 1);
        let entry = 446 + 16 * usize::from(number);
        boot_record[entry + 4] = 0x83;
        boot_record[entry + 8..entry + 12].copy_from_slice(&start.to_le_bytes());
        boot_record[entry + 12..entry + 16].copy_from_slice(&PARTITION_SECTORS.to_le_bytes());
    }
    boot_record[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut file = File::create(path).expect("a file for a disk");
    file.write_all(&boot_record).expect("a file for a disk");
    file.set_len(8 << 20).expect("a sparse file");
}
