//! Writes JSON, one object per line, to any text output.

use std::fmt::{self, Display, Write};

use sureplug_core::uevent::is_visible;

/// An object under construction. After an error nothing more is written; [`end`](Self::end) returns
/// the error.
pub(crate) struct Object<'o> {
    out: &'o mut dyn Write,
    result: fmt::Result,
}

impl<'o> Object<'o> {
    pub(crate) fn begin(out: &'o mut dyn Write, kind: &str) -> Self {
        let result = write!(out, "{{\"kind\":\"{kind}\"");
        Self { out, result }
    }

    /// Writes a key, and calls the function to write its value.
    pub(crate) fn field(
        &mut self,
        key: &str,
        value: &mut dyn FnMut(&mut dyn Write) -> fmt::Result,
    ) -> &mut Self {
        if self.result.is_ok() {
            self.result = write!(self.out, ",\"{key}\":").and_then(|()| value(self.out));
        }
        self
    }

    /// Writes numbers. One call for several costs less flash than one field each.
    pub(crate) fn numbers(&mut self, fields: &[(&str, impl Into<u64> + Copy)]) -> &mut Self {
        for &(key, value) in fields {
            let value: u64 = value.into();
            self.field(key, &mut |out| write!(out, "{value}"));
        }
        self
    }

    pub(crate) fn boolean(&mut self, key: &str, value: bool) -> &mut Self {
        self.field(key, &mut |out| out.write_str(if value { "true" } else { "false" }))
    }

    pub(crate) fn optional(&mut self, key: &str, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.numbers(&[(key, value)]),
            None => self.field(key, &mut |out| out.write_str("null")),
        }
    }

    pub(crate) fn bytes(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.field(key, &mut |out| string(out, value))
    }

    pub(crate) fn display(&mut self, key: &str, value: &dyn Display) -> &mut Self {
        self.field(key, &mut |out| text(out, value))
    }

    /// Writes an array.
    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut dyn Write, T) -> fmt::Result,
    ) -> &mut Self {
        let mut items = items.into_iter().enumerate();
        self.field(key, &mut |out| {
            out.write_char('[')?;
            items.try_for_each(|(index, item)| {
                out.write_str(if index > 0 { "," } else { "" })?;
                each(out, item)
            })?;
            out.write_char(']')
        })
    }

    pub(crate) fn end(&mut self) -> fmt::Result {
        self.result.and_then(|()| self.out.write_str("}\n"))
    }
}

/// Writes bytes as a JSON string without loss. Bytes that are not UTF-8 become `\xNN` and
/// backslashes `\\`, which JSON escapes again; all other text stays the same.
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

/// Writes text as a JSON string.
pub(crate) fn text(out: &mut dyn Write, value: &dyn Display) -> fmt::Result {
    out.write_char('"')?;
    write!(Inside(out), "{value}")?;
    out.write_char('"')
}

/// Writes text inside a JSON string.
struct Inside<'o>(&'o mut dyn Write);

impl Write for Inside<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match character {
            '\\' => self.0.write_str(r"\\"),
            other => escaped(self.0, other),
        })
    }
}

/// Escapes a character as in RFC 8259, section 7, and also if a terminal would not show it as it
/// is.
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
        Object::begin(&mut out, "k").display("message", &"say \"a\\b\"\n").end().unwrap();
        assert_eq!(out, "{\"kind\":\"k\",\"message\":\"say \\\"a\\\\b\\\"\\u000a\"}\n");
    }
}
