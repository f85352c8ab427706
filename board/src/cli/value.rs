//! An option's value, and errors of the command line.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use sureplug_core::rcvbuf::{SizingError, parse_u32};

use crate::file;

/// An option's value.
pub(super) struct Value {
    /// The option's name, without the dashes.
    pub(super) name: &'static str,
    pub(super) text: OsString,
}

impl Value {
    pub(super) fn text(&self) -> Result<&str, UsageError> {
        let not_utf8 = || UsageError(format!("the value `{}` is not UTF-8", self.text.to_string_lossy()));
        self.text.to_str().ok_or_else(not_utf8)
    }

    pub(super) fn path(&self) -> Result<PathBuf, UsageError> {
        if self.text.is_empty() {
            return Err(UsageError(format!("--{} '': the path is empty", self.name)));
        }
        Ok(PathBuf::from(&self.text))
    }

    /// Parses an existing directory. With a mistyped one the board would appear to have no ports.
    pub(super) fn directory(&self) -> Result<PathBuf, UsageError> {
        let path = self.path()?;
        if path.is_dir() { Ok(path) } else { Err(self.wrong("not a directory")) }
    }

    pub(super) fn number(&self, range: &RangeInclusive<u32>) -> Result<u32, UsageError> {
        self.sizing(|text| parse_u32(text, range))
    }

    /// Parses a figure that determines the buffer's size.
    pub(super) fn sizing<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, SizingError>,
    ) -> Result<T, UsageError> {
        parse(self.text()?).map_err(|error| self.wrong(error))
    }

    /// Parses a number that may be negative.
    pub(super) fn integer(&self, range: &RangeInclusive<i32>) -> Result<i32, UsageError> {
        let number = self.text()?.parse().ok().filter(|number| range.contains(number));
        let (start, end) = (range.start(), range.end());
        number.ok_or_else(|| self.wrong(format_args!("write a whole number from {start} to {end}")))
    }

    /// Parses the key of a property.
    pub(super) fn key(&self) -> Result<String, UsageError> {
        let key = self.text()?;
        if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=') {
            return Ok(key.to_owned());
        }
        Err(self.wrong("write a key without `=`, such as MODALIAS"))
    }

    /// Parses a GPIO chip and the number of its line.
    pub(super) fn gpio_line(&self) -> Result<(PathBuf, u32), UsageError> {
        let parts = self.text()?.rsplit_once(':');
        let line = parts.and_then(|(chip, line)| Some((PathBuf::from(chip), line.parse().ok()?)));
        line.ok_or_else(|| self.wrong("write CHIP:LINE, such as /dev/gpiochip0:17"))
    }

    /// Parses a group's name in `/etc/group` (group(5)) or its number. Boards have no other group
    /// databases, for which the C library would load code.
    pub(super) fn group(&self) -> Result<u32, UsageError> {
        let name = self.text()?;
        let in_file = || {
            file::read_text(Path::new("/etc/group")).ok()?.lines().find_map(|line| {
                let mut fields = line.split(':');
                let is_it = fields.next() == Some(name);
                fields.nth(1)?.parse().ok().filter(|_| is_it)
            })
        };
        let number = name.parse().ok().or_else(in_file);
        number.ok_or_else(|| self.wrong("neither a group in /etc/group nor a number"))
    }

    /// Returns the error of this value, with the option's name.
    pub(super) fn wrong(&self, reason: impl Display) -> UsageError {
        UsageError(format!("--{} {}: {reason}", self.name, self.text.to_string_lossy()))
    }

    /// Returns the error of an option that this build does not have.
    pub(super) fn unknown(&self) -> UsageError {
        UsageError(format!("unknown option `--{}`", self.name))
    }
}

/// Error in the command line: the mistake, and the expected form.
#[derive(Debug)]
pub(super) struct UsageError(pub(super) String);

impl UsageError {
    /// Creates the error for an unknown word after `dashes`, with the nearest known word if there
    /// is one.
    pub(super) fn unknown<'k>(
        what: &str,
        dashes: &str,
        found: &str,
        known: impl Iterator<Item = &'k str>,
    ) -> Self {
        Self(match nearest(found, known) {
            Some(meant) => format!("unknown {what} `{dashes}{found}`; did you mean `{dashes}{meant}`?"),
            None => format!("unknown {what} `{dashes}{found}`"),
        })
    }
}

impl Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see sureplug --help", self.0)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(match error {
            lexopt::Error::MissingValue { option: Some(option) } => format!("`{option}` needs a value"),
            lexopt::Error::UnexpectedValue { option, .. } => format!("`{option}` takes no value"),
            _ => String::from("invalid arguments"),
        })
    }
}

/// Returns the nearest candidate, if `found` may be a misspelling of it.
pub(super) fn nearest<'c>(found: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = found.as_bytes();
    let holds_word = |candidate: &str| {
        word.len() > 2 && candidate.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    let distance = |candidate: &&str| if holds_word(candidate) { 0 } else { distance(found, candidate) };
    candidates.min_by_key(distance).filter(|nearest| distance(nearest) < word.len() / 3 + 2)
}

/// Returns the Levenshtein distance: the bytes inserted, removed or replaced to turn `a` into `b`.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (above, to) in row[1..].iter_mut().zip(b.bytes()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *above;
            left = replaced.min(left + 1).min(diagonal + 1);
            *above = left;
        }
    }
    row[b.len()]
}
