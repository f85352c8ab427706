//! JSON, one object a line, written into whatever takes text.

use std::fmt::{self, Display, Write};

use sureplug_core::uevent::is_visible;

/// An object that is being written.
pub(crate) struct Object<'o>(&'o mut dyn Write);

impl<'o> Object<'o> {
    pub(crate) fn begin(out: &'o mut dyn Write, kind: &str) -> Result<Self, fmt::Error> {
        write!(out, "{{\"kind\":\"{kind}\"")?;
        Ok(Self(out))
    }

    /// One call for all numbers: each field of its own would cost flash.
    pub(crate) fn numbers(self, fields: &[(&str, u64)]) -> Result<Self, fmt::Error> {
        fields.iter().try_for_each(|(key, value)| write!(self.0, ",\"{key}\":{value}"))?;
        Ok(self)
    }

    pub(crate) fn figures(self, fields: &[(&str, u32)]) -> Result<Self, fmt::Error> {
        fields.iter().try_fold(self, |object, &(key, value)| object.numbers(&[(key, value.into())]))
    }

    pub(crate) fn boolean(self, key: &str, value: bool) -> Result<Self, fmt::Error> {
        write!(self.0, ",\"{key}\":{value}")?;
        Ok(self)
    }

    pub(crate) fn optional(self, key: &str, value: Option<u64>) -> Result<Self, fmt::Error> {
        if let Some(value) = value {
            return self.numbers(&[(key, value)]);
        }
        write!(self.0, ",\"{key}\":null")?;
        Ok(self)
    }

    pub(crate) fn bytes(self, key: &str, value: &[u8]) -> Result<Self, fmt::Error> {
        write!(self.0, ",\"{key}\":")?;
        string(self.0, value)?;
        Ok(self)
    }

    pub(crate) fn display(self, key: &str, value: &dyn Display) -> Result<Self, fmt::Error> {
        write!(self.0, ",\"{key}\":")?;
        text(self.0, value)?;
        Ok(self)
    }

    /// What the object is written to, for a field of another kind; the caller closes the object.
    pub(crate) fn into_inner(self) -> &'o mut dyn Write {
        self.0
    }

    pub(crate) fn end(self) -> fmt::Result {
        self.0.write_str("}\n")
    }
}

/// Bytes as a JSON string without loss: a byte that is no UTF-8 becomes `\xNN` and a backslash `\\`,
/// which JSON then escapes once more; all other text is itself.
pub(crate) fn string(out: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    out.write_char('"')?;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.write_str(r"\\\\")?,
                other => escaped(out, other)?,
            }
        }
        chunk.invalid().iter().try_for_each(|byte| write!(out, r"\\x{byte:02x}"))?;
    }
    out.write_char('"')
}

/// Text as a JSON string.
pub(crate) fn text(out: &mut dyn Write, value: &dyn Display) -> fmt::Result {
    out.write_char('"')?;
    write!(Inside(out), "{value}")?;
    out.write_char('"')
}

/// Text that is written within a JSON string.
struct Inside<'o>(&'o mut dyn Write);

impl Write for Inside<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match character {
            '\\' => self.0.write_str(r"\\"),
            other => escaped(self.0, other),
        })
    }
}

/// As RFC 8259 wants it, section 7; and so is what a terminal does not show as it stands.
fn escaped(out: &mut dyn Write, character: char) -> fmt::Result {
    match character {
        '"' => out.write_str("\\\""),
        other if is_visible(other) => out.write_char(other),
        hidden => hidden.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, string};

    fn json(bytes: &[u8]) -> String {
        let mut out = String::new();
        string(&mut out, bytes).unwrap();
        out
    }

    #[test]
    fn bytes_are_escaped_without_loss() {
        assert_eq!(json(b"plain \"text\""), r#""plain \"text\"""#);
        assert_eq!(json("gr\u{fc}n".as_bytes()), "\"gr\u{fc}n\"");
        assert_eq!(json(b"\xb5 \\xb5 \n\x7f"), r#""\\xb5 \\\\xb5 \u000a\u007f""#);
        assert_eq!(json("\u{202e}\u{e0041}\u{2028}".as_bytes()), r#""\u202e\udb40\udc41\u2028""#);
    }

    #[test]
    fn text_within_a_message_is_escaped() {
        let mut out = String::new();
        Object::begin(&mut out, "k").unwrap().display("message", &"say \"a\\b\"\n").unwrap().end().unwrap();
        assert_eq!(out, "{\"kind\":\"k\",\"message\":\"say \\\"a\\\\b\\\"\\u000a\"}\n");
    }
}
