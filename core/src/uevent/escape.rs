use core::fmt::{self, Write};

/// Shows bytes as text without loss.
///
/// Valid UTF-8 stays as it is. Characters that a terminal does not show as they are, and bytes that
/// are not UTF-8, become `\xNN`. The backslash becomes `\\`, so that the text can be decoded
/// unambiguously. `Debug` adds quotation marks and escapes those in the text as `\"`.
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

/// Shows bytes as one word of a line: like [`Escaped`], with a blank as `\x20`, so that no value
/// looks like two.
///
/// ```
/// use sureplug_core::uevent::EscapedWord;
///
/// assert_eq!(EscapedWord(b"hid-A B-battery").to_string(), r"hid-A\x20B-battery");
/// # use std::string::ToString;
/// # extern crate std;
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EscapedWord<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, |c| !is_plain(c))
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escape(f, self.0, |c| c == '"' || !is_plain(c))?;
        f.write_char('"')
    }
}

impl fmt::Display for EscapedWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, |c| c == ' ' || !is_plain(c))
    }
}

/// Returns `true` if a character can be sent to a terminal or a log unchanged: it is visible and
/// keeps its place.
///
/// Excluded are control characters, the line and paragraph separators, blanks other than the space,
/// and the characters that Unicode uses for formatting (`Cf`, `Bidi_Control`) or ignores if unknown
/// (`Default_Ignorable_Code_Point`): a name with U+202E in it reads from right to left. The planes
/// from U+E0000 on hold only tags and private characters.
#[must_use]
pub fn is_visible(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{a0}' | '\u{ad}' | '\u{34f}'
            | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{115f}'..='\u{1160}' | '\u{1680}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}'
            | '\u{3000}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Returns `true` if [`Escaped`] leaves a character unchanged.
pub(super) fn is_plain(character: char) -> bool {
    character != '\\' && is_visible(character)
}

fn escape(f: &mut fmt::Formatter<'_>, bytes: &[u8], is_escaped: impl Fn(char) -> bool) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        let mut plain = chunk.valid();
        while let Some(at) = plain.find(&is_escaped) {
            let (before, rest) = plain.split_at(at);
            f.write_str(before)?;
            let mut chars = rest.chars();
            match chars.next() {
                Some('\\') => f.write_str(r"\\")?,
                Some('"') => f.write_str("\\\"")?,
                Some(other) => hex(f, other.encode_utf8(&mut [0; 4]).as_bytes())?,
                None => {}
            }
            plain = chars.as_str();
        }
        f.write_str(plain)?;
        hex(f, chunk.invalid())?;
    }
    Ok(())
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}
