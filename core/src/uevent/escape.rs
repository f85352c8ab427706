use core::fmt::{self, Write};

/// Bytes shown as text without loss: valid UTF-8 as it is, a control character or a byte that is no
/// UTF-8 as `\xNN`, and the backslash itself as `\\`, so that the way back is unambiguous.
///
/// ```
/// use sureplug_core::uevent::Escaped;
///
/// assert_eq!(Escaped(b"Kingston \xb5\\").to_string(), r"Kingston \xb5\\");
/// # use std::string::ToString;
/// # extern crate std;
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let mut plain = chunk.valid();
            while let Some(at) = plain.find(|c: char| c == '\\' || c.is_control()) {
                let (before, rest) = plain.split_at(at);
                f.write_str(before)?;
                let mut chars = rest.chars();
                match chars.next() {
                    Some('\\') => f.write_str(r"\\")?,
                    Some(control) => hex(f, control.encode_utf8(&mut [0; 4]).as_bytes())?,
                    None => {}
                }
                plain = chars.as_str();
            }
            f.write_str(plain)?;
            hex(f, chunk.invalid())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        fmt::Display::fmt(self, f)?;
        f.write_char('"')
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}
