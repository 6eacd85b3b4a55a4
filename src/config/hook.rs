//! `state_hook`: the command that tells how high a chain is when signing begins.

use core::time::Duration;

use super::field::{flag, integer, text};
use super::report::{Report, quoted};
use super::section::{Field, Key, Reported, Section, Shape};

/// `timeout_secs` if it is not set, as tmkms documents it.
pub const HOOK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// The longest `timeout_secs`: nothing is signed meanwhile.
const TIMEOUT_MAX_SECS: i64 = 3_600;

/// A command that is run once at start, and that prints the height of the chain's latest block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHook {
    /// The program, found on `PATH` if it has no slash.
    pub program: String,
    /// Its arguments, as they are: there is no shell.
    pub arguments: Vec<String>,
    /// `1 s..=` one hour.
    pub timeout: Duration,
    /// Whether a hook that fails keeps the signer from starting. True if nothing is set.
    pub fail_closed: bool,
}

pub(super) const SHAPE: Shape = Shape {
    title: "`state_hook`",
    keys: &[
        Key::new("cmd", r#"cmd = ["/usr/local/bin/height"]"#),
        Key::new("timeout_secs", "timeout_secs = 5"),
        Key::new("fail_closed", "fail_closed = true"),
    ],
    renamed: &[],
    misplaced: &[],
};

/// Reads the `state_hook` of a `[[chain]]`, if it has one.
pub(super) fn read(
    report: &mut Report<'_>,
    chain: &Section<'_>,
) -> Result<Option<StateHook>, Reported> {
    let Some(table) = chain.table(report, "state_hook", &SHAPE)? else {
        return Ok(None);
    };
    let cmd = table.required(report, "cmd", command);
    let timeout = table.optional(report, "timeout_secs", |report, field| {
        integer(report, field, &(1..=TIMEOUT_MAX_SECS)).map(Duration::from_secs)
    });
    let fail_closed = table.optional(report, "fail_closed", flag);
    let (program, arguments) = cmd?.value;
    Ok(Some(StateHook {
        program,
        arguments,
        timeout: timeout?.map_or(HOOK_TIMEOUT_DEFAULT, |timeout| timeout.value),
        fail_closed: fail_closed?.is_none_or(|flag| flag.value),
    }))
}

/// A program and its arguments.
fn command(report: &mut Report<'_>, field: &Field<'_>) -> Result<(String, Vec<String>), Reported> {
    let items = field.items(report)?;
    let Some((program, arguments)) = items.split_first() else {
        return Err(field.refuse(report, "`cmd` is empty".into()));
    };
    let named = text(report, program).and_then(|name| {
        if name.starts_with(['~', '$']) {
            return Err(program.refuse(
                report,
                format!(
                    "{} is no program: `~` and `$` are not expanded here",
                    quoted(name)
                ),
            ));
        }
        Ok(name.to_owned())
    });
    // An argument may be empty.
    let arguments: Vec<_> = arguments
        .iter()
        .map(|item| match item.value.as_str() {
            Some(text) if !text.contains('\0') => Ok(text.to_owned()),
            Some(_) => Err(item.refuse(report, "an argument cannot contain a zero byte".into())),
            None => Err(item.wrong_type(report, "a string in quotes")),
        })
        .collect();
    Ok((named?, arguments.into_iter().collect::<Result<_, _>>()?))
}
