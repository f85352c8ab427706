//! Text in memory that is allocated once.

use std::fmt;
use std::ops::Deref;

/// Text of limited length. The rest is truncated at a character boundary.
#[derive(Debug)]
pub(crate) struct FixedText {
    text: String,
    max_bytes: usize,
    is_cut: bool,
}

impl FixedText {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { text: String::with_capacity(max_bytes), max_bytes, is_cut: false }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.is_cut = false;
    }

    /// Returns `true` if text was truncated since the last clear.
    pub(crate) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Replaces the last character by a line end if text was truncated.
    pub(crate) fn end_line(&mut self) {
        if self.is_cut {
            self.text.pop();
            self.text.push('\n');
        }
    }
}

impl Deref for FixedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Write for FixedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.max_bytes - self.text.len();
        let fits = (0..=room.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        self.text.push_str(&text[..fits]);
        self.is_cut |= fits < text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::FixedText;

    #[test]
    fn text_is_cut_between_characters() {
        let mut text = FixedText::new(5);
        write!(text, "gr\u{fc}n").unwrap();
        assert!(&*text == "gr\u{fc}n" && !text.is_cut());
        text.clear();
        write!(text, "gr\u{fc}\u{fc}n").unwrap();
        assert!(&*text == "gr\u{fc}" && text.is_cut());
        text.end_line();
        assert_eq!(&*text, "gr\n");
    }
}
