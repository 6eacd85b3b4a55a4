//! What a single value may be: the readers that several tables share.

use core::ops::RangeInclusive;
use std::path::PathBuf;

use super::report::{Report, quoted};
use super::section::{Field, Reported};
use super::{Address, Spanned};
use crate::types::ChainId;

/// The longest path in bytes: Linux' `PATH_MAX` less the terminating zero.
pub const PATH_MAX_LEN: usize = 4_095;

/// Any text, though not an empty one.
pub(super) fn text<'v>(report: &mut Report<'_>, field: &Field<'v>) -> Result<&'v str, Reported> {
    let Some(text) = field.value.as_str() else {
        return Err(field.wrong_type(report, "a string in quotes"));
    };
    if text.is_empty() {
        return Err(field.refuse(report, format!("{} is empty", field.title())));
    }
    Ok(text)
}

/// A text that whoever wrote it has filled in.
fn filled<'v>(report: &mut Report<'_>, field: &Field<'v>) -> Result<&'v str, Reported> {
    let text = text(report, field)?;
    if is_placeholder(text) {
        return Err(field.refuse_with(
            report,
            format!("{} is left to fill in", quoted(text)),
            format!("put your own value there, like `{}`", field.key.example),
        ));
    }
    Ok(text)
}

/// True or false.
pub(super) fn flag(report: &mut Report<'_>, field: &Field<'_>) -> Result<bool, Reported> {
    match field.value.as_bool() {
        Some(flag) => Ok(flag),
        None => Err(field.wrong_type(report, "true or false, without quotes")),
    }
}

/// An integer within bounds that `T` holds.
pub(super) fn integer<T: TryFrom<i64>>(
    report: &mut Report<'_>,
    field: &Field<'_>,
    bounds: &RangeInclusive<i64>,
) -> Result<T, Reported> {
    let Some(number) = field.value.as_integer() else {
        return Err(field.wrong_type(report, "an integer, without quotes"));
    };
    let inside = Some(number).filter(|number| bounds.contains(number));
    match inside.map(T::try_from) {
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) | None => Err(field.refuse(
            report,
            format!(
                "{} is {number}, outside {} to {}",
                field.title(),
                bounds.start(),
                bounds.end()
            ),
        )),
    }
}

/// One of some words.
pub(super) fn word<T: Copy>(
    report: &mut Report<'_>,
    field: &Field<'_>,
    words: &[(&str, T)],
) -> Result<T, Reported> {
    let text = text(report, field)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
    Err(field.refuse_with(
        report,
        format!("{} cannot be {}", field.title(), quoted(text)),
        format!("write {}", known.join(" or ")),
    ))
}

/// A chain id.
pub(super) fn chain_id(report: &mut Report<'_>, field: &Field<'_>) -> Result<ChainId, Reported> {
    let text = filled(report, field)?;
    ChainId::new(text).map_err(|error| {
        field.refuse_with(
            report,
            format!("{} is no chain id: {error}", quoted(text)),
            "copy it from `chain_id` in the node's genesis.json".into(),
        )
    })
}

/// A list of chain ids, not empty; `found` is called with each that can be read.
pub(super) fn chain_ids(
    report: &mut Report<'_>,
    field: &Field<'_>,
    mut found: impl FnMut(Spanned<ChainId>),
) -> Result<Vec<Spanned<ChainId>>, Reported> {
    let items = field.items(report)?;
    if items.is_empty() {
        return Err(field.refuse(report, format!("{} is empty", field.title())));
    }
    let ids: Vec<_> = items
        .iter()
        .map(|item| {
            let id = Spanned::new(chain_id(report, item)?, item.position);
            found(id);
            Ok(id)
        })
        .collect();
    ids.into_iter().collect()
}

/// The address of a node.
pub(super) fn address(report: &mut Report<'_>, field: &Field<'_>) -> Result<Address, Reported> {
    let text = filled(report, field)?;
    Address::parse(text).map_err(|error| {
        field.refuse_with(
            report,
            format!("{} is no address: {}", quoted(text), error.message),
            error.cure.to_owned(),
        )
    })
}

/// A path as it is written: nothing in it is expanded.
pub(super) fn path(report: &mut Report<'_>, field: &Field<'_>) -> Result<PathBuf, Reported> {
    let text = filled(report, field)?;
    let message = if text.starts_with('~') || text.contains('$') {
        "`~` and `$` are not expanded here"
    } else if text.contains(char::is_control) {
        "a path cannot contain control characters"
    } else if text.ends_with('/') {
        "a path to a file cannot end with `/`"
    } else if text.len() > PATH_MAX_LEN {
        "a path has at most 4,095 bytes"
    } else {
        return Ok(PathBuf::from(text));
    };
    Err(field.refuse_with(
        report,
        format!("{} is no path: {message}", quoted(text)),
        format!(
            "write the whole path of the file, like `{}`",
            field.key.example
        ),
    ))
}

/// The human-readable part of a bech32 text.
pub(super) fn prefix(report: &mut Report<'_>, field: &Field<'_>) -> Result<String, Reported> {
    let text = filled(report, field)?;
    if text.contains(char::is_uppercase) || bech32::Hrp::parse(text).is_err() {
        return Err(field.refuse_with(
            report,
            format!("{} is no bech32 prefix", quoted(text)),
            format!(
                "write at most 83 characters of ASCII, none of them upper case, like `{}`",
                field.key.example
            ),
        ));
    }
    Ok(text.to_owned())
}

/// Whether a text is what a guide or `init` leaves for the reader to replace.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let angled = text
        .find('<')
        .is_some_and(|open| text.get(open..).is_some_and(|rest| rest.contains('>')));
    angled
        || ["your-", "your_", "changeme", "change-me", "change_me"]
            .iter()
            .any(|word| lower.contains(word))
}
