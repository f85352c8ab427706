//! Classic BPF as its man page and `Documentation/networking/filter.rst` describe it, instruction by instruction: what a
//! program does is compared with what the kernel does with it.

use sureplug_core::filter::Instruction;

/// What the program returns for this datagram.
///
/// # Panics
///
/// If it is not one that the kernel takes: an unknown instruction, a jump out of range, memory that was never
/// written, no end.
#[must_use]
pub fn run(program: &[Instruction], datagram: &[u8]) -> u32 {
    run_counted(program, datagram).0
}

/// What the program returns for this datagram, and how many instructions that takes.
///
/// # Panics
///
/// As [`run`].
#[must_use]
pub fn run_counted(program: &[Instruction], datagram: &[u8]) -> (u32, u64) {
    let (mut a, mut x) = (0u32, 0u32);
    let mut count = 0;
    let mut memory = [None::<u32>; 16];
    let mut at = 0;
    let load = |place: u64| -> Option<u32> {
        let place = usize::try_from(place).ok()?;
        let word = datagram.get(place..place + 4)?;
        Some(u32::from_be_bytes(word.try_into().expect("four bytes")))
    };
    loop {
        let Instruction { code, jt, jf, k } = *program.get(at).expect("an instruction");
        at += 1;
        count += 1;
        let mut jump = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            // A load beyond the end ends the program with 0.
            0x20 => match load(k.into()) {
                Some(word) => a = word,
                None => return (0, count),
            },
            0x40 => match load(u64::from(x) + u64::from(k)) {
                Some(word) => a = word,
                None => return (0, count),
            },
            0x00 => a = k,
            0x60 => a = memory[k as usize].expect("written before"),
            0x80 => a = u32::try_from(datagram.len()).expect("a datagram"),
            0x01 => x = k,
            0x02 => memory[k as usize] = Some(a),
            0x0c => a = a.wrapping_add(x),
            0x14 => a = a.wrapping_sub(k),
            0x1c => a = a.wrapping_sub(x),
            0x4c => a |= x,
            0x54 => a &= k,
            0xac => a ^= x,
            0x05 => at += k as usize,
            0x15 => jump(a == k),
            0x35 => jump(a >= k),
            0x3d => jump(a >= x),
            0x45 => jump(a & k != 0),
            0x06 => return (k, count),
            0x07 => x = a,
            0x87 => a = x,
            other => panic!("no instruction {other:#x}"),
        }
    }
}

/// Returns `true` if the program ends by a load beyond the datagram, which its guards should
/// prevent.
///
/// # Panics
///
/// Panics as [`run`] does.
#[must_use]
pub fn ends_by_a_load(program: &[Instruction], datagram: &[u8]) -> bool {
    // With every end replaced, only a failed load can return 0.
    let marked: Vec<_> =
        program.iter().map(|i| if i.code == 0x06 { Instruction { k: 1, ..*i } } else { *i }).collect();
    run(&marked, datagram) == 0
}
