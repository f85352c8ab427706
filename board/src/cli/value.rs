use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use lexopt::{Parser, ValueExt};
use sureplug_core::rcvbuf::{SizingError, parse_u32};

use super::usage::UsageError;

/// An option's value, which is read when it is asked for.
pub(super) struct Value<'p> {
    pub(super) parser: &'p mut Parser,
    /// The option's, without the dashes.
    pub(super) name: &'static str,
}

impl Value<'_> {
    pub(super) fn raw(&mut self) -> Result<OsString, UsageError> {
        Ok(self.parser.value()?)
    }

    pub(super) fn text(&mut self) -> Result<String, UsageError> {
        Ok(self.raw()?.string()?)
    }

    pub(super) fn path(&mut self) -> Result<PathBuf, UsageError> {
        let raw = self.raw()?;
        if raw.is_empty() { Err(self.wrong("''", "a path is needed")) } else { Ok(PathBuf::from(raw)) }
    }

    /// A directory that exists: a mistyped one would look like a board without ports.
    pub(super) fn directory(&mut self) -> Result<PathBuf, UsageError> {
        let path = self.path()?;
        if path.is_dir() { Ok(path) } else { Err(self.wrong(&path.to_string_lossy(), "not a directory")) }
    }

    pub(super) fn number(&mut self, range: &RangeInclusive<u32>) -> Result<u32, UsageError> {
        self.sizing(|text| parse_u32(text, range))
    }

    /// What the sizing of the buffer rests on.
    pub(super) fn sizing<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, SizingError>,
    ) -> Result<T, UsageError> {
        let text = self.text()?;
        parse(&text).map_err(|error| self.wrong(&text, error))
    }

    /// What is wrong with a value, together with the option's name.
    pub(super) fn wrong(&self, text: &str, why: impl Display) -> UsageError {
        UsageError(format!("--{} {text}: {why}", self.name))
    }
}
