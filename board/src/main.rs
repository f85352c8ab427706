//! The command `sureplug`.

fn main() {}
