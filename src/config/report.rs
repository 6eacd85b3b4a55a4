//! Where problems are written down, and which line and column they are at.

use toml_span::{Error, ErrorKind};

use super::{Position, Problem};

/// The problems and warnings of one text.
pub(super) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    // Invariant: `cursor` is a character boundary of `text`, and `position` is its position. Lists are
    // read from left to right, so a line of a megabyte is counted once and not once per value.
    cursor: usize,
    position: Position,
    found: Found,
}

/// What [`Report::finish`] hands back, both in the order of the text.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self {
            text,
            line_starts: core::iter::once(0).chain(after_newlines).collect(),
            cursor: 0,
            position: Position { line: 1, column: 1 },
            found: Found::default(),
        }
    }

    /// The position of a byte of the text; past the end, that of the end.
    pub(super) fn locate(&mut self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        if line != self.position.line || offset < self.cursor {
            let start = line
                .checked_sub(1)
                .and_then(|index| self.line_starts.get(index));
            self.cursor = start.copied().unwrap_or_default();
            self.position = Position { line, column: 1 };
        }
        let passed = self.text.get(self.cursor..offset).unwrap_or_default();
        self.position.column = self.position.column.saturating_add(passed.chars().count());
        self.cursor = offset;
        self.position
    }

    /// The position of the opening quotes of a string or key whose contents begin at `offset`; that
    /// of `offset` itself if there are none.
    pub(super) fn locate_quoted(&mut self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or_default();
        let quotes = match before.as_bytes().last() {
            Some(quote @ (b'"' | b'\'')) => before
                .bytes()
                .rev()
                .take(3)
                .take_while(|byte| byte == quote)
                .count(),
            Some(_) | None => 0,
        };
        self.locate(offset.saturating_sub(quotes))
    }

    /// Writes down what must change.
    pub(super) fn problem(&mut self, position: Option<Position>, message: String, cure: String) {
        self.found.problems.push(Problem {
            position,
            message,
            cure,
        });
    }

    /// Writes down what the operator should know.
    pub(super) fn warn(&mut self, position: Position, message: String, cure: String) {
        self.found.warnings.push(Problem {
            position: Some(position),
            message,
            cure,
        });
    }

    /// Writes down what the TOML parser stopped at.
    pub(super) fn syntax(&mut self, error: &Error) {
        let (message, cure) = self.explain(&error.kind);
        let position = if matches!(error.kind, ErrorKind::DuplicateKey { .. }) {
            self.locate_quoted(error.span.start)
        } else {
            self.locate(error.span.start)
        };
        self.problem(Some(position), message, cure);
    }

    fn explain(&mut self, kind: &ErrorKind) -> (String, String) {
        match kind {
            ErrorKind::UnexpectedEof => (
                "the text ends where a value should be".into(),
                "write the value behind the `=`".into(),
            ),
            ErrorKind::ExceededDepthLimit => (
                "brackets are nested too deeply".into(),
                "remove the brackets: no setting needs more than four levels".into(),
            ),
            ErrorKind::InvalidCharInString('\n' | '\r') => (
                "the line ends inside a string".into(),
                "close the string with the quote it began with".into(),
            ),
            ErrorKind::InvalidCharInString(c) => (
                format!("a string cannot contain {c:?}"),
                "remove the character".into(),
            ),
            ErrorKind::InvalidEscape(_)
            | ErrorKind::InvalidHexEscape(_)
            | ErrorKind::InvalidEscapeValue(_) => (
                "a backslash in a string begins an escape, and this is none".into(),
                "write `\\\\` for a backslash, or put the string in single quotes".into(),
            ),
            ErrorKind::Unexpected(c) => (
                format!("{c:?} cannot stand here"),
                "write `key = value`, strings in double quotes, comments behind `#`".into(),
            ),
            ErrorKind::UnterminatedString => (
                "the string is never closed".into(),
                "close the string with the quote it began with".into(),
            ),
            ErrorKind::InvalidNumber => (
                "this is no number of TOML".into(),
                "write digits only, without leading zeros; text goes in double quotes".into(),
            ),
            ErrorKind::Wanted { expected, found } => (
                format!("expected {expected}, found {found}"),
                "write one `key = value` to a line, `[[table]]` alone on its line".into(),
            ),
            ErrorKind::DuplicateTable { name, first } => {
                let first = self.locate(first.start);
                (
                    format!("the table {} is already there, at {first}", quoted(name)),
                    "use double brackets, `[[…]]`, for tables of which there may be several".into(),
                )
            }
            ErrorKind::DuplicateKey { key, first } => {
                let first = self.locate_quoted(first.start);
                (
                    format!("the key {} is already set, at {first}", quoted(key)),
                    "remove one of the two; each `[[…]]` begins a new table".into(),
                )
            }
            ErrorKind::RedefineAsArray => (
                "this table was written with single brackets before".into(),
                "use double brackets, `[[…]]`, in all places".into(),
            ),
            ErrorKind::MultilineStringKey => (
                "a key cannot be a string of several lines".into(),
                "write the key without quotes".into(),
            ),
            ErrorKind::DottedKeyInvalidType { first } => {
                let first = self.locate_quoted(first.start);
                (
                    format!("the key before the dot is already set, at {first}, and no table"),
                    "remove one of the two".into(),
                )
            }
            ErrorKind::UnquotedString => (
                "a text without quotes".into(),
                "put it in double quotes, or write `true`, `false` or a number".into(),
            ),
            // Made by the parser's deserialisation, which is not used here.
            ErrorKind::OutOfRange(_)
            | ErrorKind::Custom(_)
            | ErrorKind::UnexpectedKeys { .. }
            | ErrorKind::MissingField(_)
            | ErrorKind::Deprecated { .. }
            | ErrorKind::UnexpectedValue { .. } => (
                "this is no TOML".into(),
                "write `key = value`, strings in double quotes, comments behind `#`".into(),
            ),
        }
    }

    /// Everything written down, in the order of the text; what is about the whole text first.
    pub(super) fn finish(self) -> Found {
        let mut found = self.found;
        found.problems.sort_by_key(|problem| problem.position);
        found.warnings.sort_by_key(|warning| warning.position);
        found
    }
}

/// A text from the file for use in a message: in double quotes, escaped, cut after 60 characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
