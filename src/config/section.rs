//! A table of the file: which keys it may have, and reading them.

use toml_span::Value;
use toml_span::value::Table;

use super::report::{Report, quoted};
use super::{Position, Spanned};

/// A problem was written down; there is no value to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported;

/// A key that a table may have.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// A whole line that is right, for cures.
    pub(super) example: &'static str,
}

impl Key {
    pub(super) const fn new(name: &'static str, example: &'static str) -> Self {
        Self { name, example }
    }
}

/// What a kind of table looks like.
pub(super) struct Shape {
    /// As messages call the table.
    pub(super) title: &'static str,
    pub(super) keys: &'static [Key],
    /// Keys that people write though they are called otherwise here, and the cure.
    pub(super) renamed: &'static [(&'static str, &'static str)],
    /// Keys that people write though they belong to another table or to none, and the cure.
    pub(super) misplaced: &'static [(&'static str, &'static str)],
}

/// One table of the file.
pub(super) struct Section<'v> {
    /// Where the table begins.
    pub(super) position: Position,
    /// Whether a key is probably there under a wrong name.
    pub(super) misspelled: bool,
    shape: &'static Shape,
    table: &'v Table<'v>,
}

/// One value of a table, or of a list in it.
pub(super) struct Field<'v> {
    pub(super) key: &'static Key,
    pub(super) value: &'v Value<'v>,
    pub(super) position: Position,
    in_list: bool,
}

impl<'v> Section<'v> {
    /// Looks at a value as a table, and at its keys; `example` is how such a table is written.
    ///
    /// # Errors
    ///
    /// It is no table. Unknown keys are written down, and are no error.
    pub(super) fn open(
        report: &mut Report<'_>,
        value: &'v Value<'v>,
        shape: &'static Shape,
        example: &str,
    ) -> Result<Self, Reported> {
        let Some(table) = value.as_table() else {
            let position = locate_value(report, value);
            report.problem(
                Some(position),
                format!("{} must be a table, found {}", shape.title, kind(value)),
                format!("write it like this: `{example}`"),
            );
            return Err(Reported);
        };
        let mut misspelled = false;
        for key in table.keys().filter(|key| shape.key(&key.name).is_none()) {
            let position = report.locate_quoted(key.span.start);
            let message = format!("{} has no key {}", shape.title, quoted(&key.name));
            let cure = match shape.meant(&key.name) {
                Some(cure) => {
                    misspelled = true;
                    cure
                }
                None => shape.removal(&key.name),
            };
            report.problem(Some(position), message, cure);
        }
        Ok(Self {
            position: report.locate(value.span.start),
            misspelled,
            shape,
            table,
        })
    }

    /// The value of `key` as `read` takes it; `None` if it is not set.
    ///
    /// # Errors
    ///
    /// It is set and `read` refused it.
    pub(super) fn optional<T>(
        &self,
        report: &mut Report<'_>,
        key: &str,
        read: impl FnOnce(&mut Report<'_>, &Field<'v>) -> Result<T, Reported>,
    ) -> Result<Option<Spanned<T>>, Reported> {
        let Some(field) = self.field(report, key) else {
            return Ok(None);
        };
        let value = read(report, &field)?;
        Ok(Some(Spanned::new(value, field.position)))
    }

    /// The value of `key` as `read` takes it.
    ///
    /// # Errors
    ///
    /// It is not set, or `read` refused it.
    pub(super) fn required<T>(
        &self,
        report: &mut Report<'_>,
        key: &str,
        read: impl FnOnce(&mut Report<'_>, &Field<'v>) -> Result<T, Reported>,
    ) -> Result<Spanned<T>, Reported> {
        match self.optional(report, key, read)? {
            Some(value) => Ok(value),
            None => Err(self.missing(report, key)),
        }
    }

    /// Writes down that `key` is not set.
    pub(super) fn missing(&self, report: &mut Report<'_>, key: &str) -> Reported {
        let example = self.example(key);
        report.problem(
            Some(self.position),
            format!("{} lacks `{key}`", self.shape.title),
            format!("add a line like `{example}`"),
        );
        Reported
    }

    /// Whether `key` is set to anything.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The table at `key`.
    ///
    /// # Errors
    ///
    /// It is set and no table.
    pub(super) fn table(
        &self,
        report: &mut Report<'_>,
        key: &str,
        shape: &'static Shape,
    ) -> Result<Option<Section<'v>>, Reported> {
        match self.table.get(key) {
            Some(value) => Section::open(report, value, shape, self.example(key)).map(Some),
            None => Ok(None),
        }
    }

    /// The table at `key`.
    ///
    /// # Errors
    ///
    /// It is not set, or no table.
    pub(super) fn required_table(
        &self,
        report: &mut Report<'_>,
        key: &str,
        shape: &'static Shape,
    ) -> Result<Section<'v>, Reported> {
        match self.table(report, key, shape)? {
            Some(table) => Ok(table),
            None => Err(self.missing(report, key)),
        }
    }

    /// The tables at `key`; none if it is not set. A single table is written down and taken as one
    /// of several.
    ///
    /// # Errors
    ///
    /// One of them is no table.
    pub(super) fn tables(
        &self,
        report: &mut Report<'_>,
        key: &str,
        shape: &'static Shape,
    ) -> Result<Vec<Section<'v>>, Reported> {
        let Some(value) = self.table.get(key) else {
            return Ok(Vec::new());
        };
        let tables = value
            .as_array()
            .map_or(core::slice::from_ref(value), Vec::as_slice);
        if value.as_table().is_some() {
            let position = report.locate(value.span.start);
            report.problem(
                Some(position),
                format!("`{key}` must be a list of tables, found a table"),
                format!("write it like this: `{}`", self.example(key)),
            );
        }
        let opened: Vec<_> = tables
            .iter()
            .map(|table| Section::open(report, table, shape, self.example(key)))
            .collect();
        opened.into_iter().collect()
    }

    fn example(&self, key: &str) -> &'static str {
        self.shape.key(key).map_or("", |known| known.example)
    }

    fn field(&self, report: &mut Report<'_>, key: &str) -> Option<Field<'v>> {
        let value = self.table.get(key)?;
        Some(Field {
            key: self.shape.key(key)?,
            value,
            position: locate_value(report, value),
            in_list: false,
        })
    }
}

impl<'v> Field<'v> {
    /// The items of a list, each of them a field under the list's name.
    ///
    /// # Errors
    ///
    /// It is no list.
    pub(super) fn items(&self, report: &mut Report<'_>) -> Result<Vec<Field<'v>>, Reported> {
        let Some(items) = self.value.as_array() else {
            return Err(self.wrong_type(report, "a list in brackets"));
        };
        Ok(items
            .iter()
            .map(|value| Field {
                key: self.key,
                value,
                position: locate_value(report, value),
                in_list: true,
            })
            .collect())
    }

    /// The value as messages call it.
    pub(super) fn title(&self) -> String {
        let place = if self.in_list { "an item of " } else { "" };
        format!("{place}`{}`", self.key.name)
    }

    /// Writes down that another type of value is needed.
    pub(super) fn wrong_type(&self, report: &mut Report<'_>, expected: &str) -> Reported {
        let message = format!(
            "{} must be {expected}, found {}",
            self.title(),
            kind(self.value)
        );
        self.refuse(report, message)
    }

    /// Writes down what is wrong with the value; the cure is the key's example.
    pub(super) fn refuse(&self, report: &mut Report<'_>, message: String) -> Reported {
        let cure = format!("write it like this: `{}`", self.key.example);
        self.refuse_with(report, message, cure)
    }

    /// Writes down what is wrong with the value, and the cure.
    pub(super) fn refuse_with(
        &self,
        report: &mut Report<'_>,
        message: String,
        cure: String,
    ) -> Reported {
        report.problem(Some(self.position), message, cure);
        Reported
    }
}

impl Shape {
    fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The cure for an unknown key that was meant to be one of these.
    fn meant(&self, unknown: &str) -> Option<String> {
        if let Some(cure) = cure_of(self.renamed, unknown) {
            return Some(cure.to_owned());
        }
        if cure_of(self.misplaced, unknown).is_some() {
            return None;
        }
        let known = self.keys.iter().map(|key| key.name);
        nearest(unknown, known).map(|name| format!("write `{name}`"))
    }

    /// The cure for an unknown key that has no business here.
    fn removal(&self, unknown: &str) -> String {
        if let Some(cure) = cure_of(self.misplaced, unknown) {
            return cure.to_owned();
        }
        let known: Vec<_> = self.keys.iter().map(|key| key.name).collect();
        format!("remove it; the keys here are {}", known.join(", "))
    }
}

fn cure_of(cures: &'static [(&str, &'static str)], unknown: &str) -> Option<&'static str> {
    let found = cures.iter().find(|(name, _)| *name == unknown);
    found.map(|(_, cure)| *cure)
}

/// A string's span begins behind its opening quote, every other value's where it begins.
fn locate_value(report: &mut Report<'_>, value: &Value<'_>) -> Position {
    if value.as_str().is_some() {
        report.locate_quoted(value.span.start)
    } else {
        report.locate(value.span.start)
    }
}

/// What a value is, in the words of messages.
fn kind(value: &Value<'_>) -> &'static str {
    if value.as_str().is_some() {
        "a string"
    } else if value.as_integer().is_some() {
        "an integer"
    } else if value.as_float().is_some() {
        "a number with a fraction"
    } else if value.as_bool().is_some() {
        "true or false"
    } else if value.as_array().is_some() {
        "a list"
    } else {
        "a table"
    }
}

/// The name that `word` was probably meant to be.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Longer than any name, and short enough to compare with all of them.
    const WORD_MAX_LEN: usize = 64;
    if word.len() > WORD_MAX_LEN {
        return None;
    }
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many characters must be put in, left out or exchanged (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, l) in left.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index.saturating_add(1);
        for (cell, r) in row.iter_mut().skip(1).zip(right.chars()) {
            let exchanged = diagonal.saturating_add(usize::from(l != r));
            let value = exchanged.min(before.min(*cell).saturating_add(1));
            diagonal = *cell;
            *cell = value;
            before = value;
        }
    }
    row.last().copied().unwrap_or_default()
}
