//! JSON objects in files of other programs, each member at most once.

use core::fmt;
use std::{borrow::Cow, collections::BTreeMap};

use nojson::{JsonParseError, RawJson, RawJsonValue};

/// A place in a text; line and column, in characters, count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The text ends before the JSON does.
    Truncated,
    /// No JSON from here on.
    Syntax(Place),
    /// JSON, and no object.
    NotAnObject,
    /// A second member of a name; readers differ in which they take.
    Twice(Place),
}

impl fmt::Display for Broken {
    /// What the text is, for a sentence that begins with its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("ends in the middle of its JSON"),
            Self::Syntax(place) => write!(f, "is not valid JSON at {place}"),
            Self::NotAnObject => f.write_str("is JSON, but no object"),
            Self::Twice(place) => write!(f, "names a member for the second time at {place}"),
        }
    }
}

/// The members of an object.
pub(crate) struct Object<'text, 'raw>(BTreeMap<Cow<'text, str>, RawJsonValue<'text, 'raw>>);

/// Parses the whole text; its depth is bounded by the parser.
pub(crate) fn parse(text: &str) -> Result<RawJson<'_>, Broken> {
    RawJson::parse(text).map_err(|error| match error {
        JsonParseError::UnexpectedEos { .. } => Broken::Truncated,
        JsonParseError::UnexpectedTrailingChar { .. }
        | JsonParseError::UnexpectedValueChar { .. }
        | JsonParseError::InvalidValue { .. } => Broken::Syntax(place(text, error.position())),
    })
}

impl<'text, 'raw> Object<'text, 'raw> {
    /// Collects the members; the text is the one that the whole JSON was parsed from.
    pub(crate) fn new(text: &str, value: RawJsonValue<'text, 'raw>) -> Result<Self, Broken> {
        let mut members = BTreeMap::new();
        for (name, value) in value.to_object().map_err(|_| Broken::NotAnObject)? {
            let place = place(text, name.position());
            let name = name
                .to_unquoted_string_str()
                .map_err(|_| Broken::NotAnObject)?;
            if members.insert(name, value).is_some() {
                return Err(Broken::Twice(place));
            }
        }
        Ok(Self(members))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The member's value; `None` if there is none.
    pub(crate) fn get(&self, name: &str) -> Option<RawJsonValue<'text, 'raw>> {
        self.0.get(name).copied()
    }
}

fn place(text: &str, position: usize) -> Place {
    let before = text.get(..position).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Place {
        line: before.matches('\n').count().saturating_add(1),
        column: line.chars().count().saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Option<Broken> {
        parse(text)
            .and_then(|json| Object::new(text, json.value()).map(drop))
            .err()
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let place = |line, column| Place { line, column };
        for (text, expected) in [
            ("{\"a\":1}\n", None),
            ("", Some(Broken::Truncated)),
            ("{\"a\":", Some(Broken::Truncated)),
            ("{\"a\":\"b", Some(Broken::Truncated)),
            ("[1]", Some(Broken::NotAnObject)),
            ("{\n \"ä\": x}", Some(Broken::Syntax(place(2, 7)))),
            ("{} {}", Some(Broken::Syntax(place(1, 4)))),
            ("{\"a\":1,\n\"a\":1}", Some(Broken::Twice(place(2, 1)))),
            ("{\"a\":1,\"\\u0061\":1}", Some(Broken::Twice(place(1, 8)))),
        ] {
            assert_eq!(broken(text), expected, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(matches!(broken(&deep), Some(Broken::Syntax(_))));
    }
}
