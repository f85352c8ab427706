use std::fmt;

use super::suggest::nearest;

/// The command line is wrong: what is, and what it should be.
#[derive(Debug)]
pub(super) struct UsageError(pub(super) String);

impl UsageError {
    /// A word behind these dashes that is none of the known ones, and which of them was probably meant.
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

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see sureplug --help", self.0)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(match error {
            lexopt::Error::MissingValue { option: Some(option) } => format!("`{option}` needs a value"),
            lexopt::Error::UnexpectedValue { option, .. } => format!("`{option}` takes no value"),
            lexopt::Error::NonUnicodeValue(value) => {
                format!("the value `{}` is not UTF-8", value.to_string_lossy())
            }
            _ => String::from("the arguments cannot be understood"),
        })
    }
}
