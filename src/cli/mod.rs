//! The process: parse, open everything, spawn, supervise, exit code.

mod check;
mod command;
mod completions;
mod device;
mod exit;
mod holder;
mod home;
mod hook;
#[cfg(feature = "ledger")]
mod ledger;
mod manual;
mod node;
mod passphrase;
mod plan;
mod protect;
mod repair;
mod report;
mod setup;
mod show;
mod softsign;
mod start;
mod state;
mod supervise;
mod terminal;
mod unlock;
mod vault;
#[cfg(feature = "yubihsm")]
mod yubihsm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub use exit::Exit;

use command::Arguments;
use lexopt::{Arg, Parser, ValueExt as _};
use report::{complain, say};

/// The program's version, as `tmkms version` prints it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the command line of this process to its end.
#[must_use]
pub fn main() -> ExitCode {
    if let Err(error) = protect::forbid_dumps() {
        report::warn(&format_args!("core dumps cannot be forbidden: {error}"));
    }
    let mut parser = Parser::from_env();
    match dispatch(&mut parser) {
        Ok(exit) => exit,
        Err(error) => {
            complain(
                &error,
                "`tmkms help` lists the commands, `tmkms help COMMAND` explains one",
            );
            Exit::Usage
        }
    }
    .into()
}

fn dispatch(parser: &mut Parser) -> Result<Exit, lexopt::Error> {
    let word = match parser.next()? {
        None => {
            say(&command::overview());
            return Ok(Exit::Usage);
        }
        Some(Arg::Short('h') | Arg::Long("help")) => "help".to_owned(),
        Some(Arg::Short('V') | Arg::Long("version")) => "version".to_owned(),
        Some(Arg::Value(word)) => word.string()?,
        Some(other) => return Err(other.unexpected()),
    };
    if let device @ ("yubihsm" | "ledger") = word.as_str()
        && !command::is_group(&[device])
    {
        complain(
            &format_args!("this tmkms was built without the backend for {device}"),
            &format!("build it with `cargo build --release --features {device}`"),
        );
        return Ok(Exit::Usage);
    }
    let mut words = vec![word];
    while is_group(&words) {
        match parser.next()? {
            Some(Arg::Value(word)) => words.push(word.string()?),
            Some(Arg::Short('h') | Arg::Long("help")) => return help(&as_os(&words)),
            None => return help(&as_os(&words)).map(|_| Exit::Usage),
            Some(other) => return Err(other.unexpected()),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(command) = command::find(&words) else {
        return Err(no_command(&words));
    };
    let arguments = command.parse(parser)?;
    if arguments.help && command.words != ["help"] {
        say(&command.help());
        return Ok(Exit::Done);
    }
    match command.words {
        ["init"] => home::run(&arguments),
        ["start"] => start::run(&arguments),
        ["check"] => check::run(&arguments),
        ["softsign", "keygen"] => softsign::keygen(&arguments),
        ["softsign", "import"] => softsign::import(&arguments),
        ["softsign", "show"] => show::show(&arguments),
        ["softsign", "encrypt"] => vault::encrypt(&arguments),
        ["softsign", "decrypt"] => vault::decrypt(&arguments),
        ["state", "show"] => state::show(&arguments),
        ["state", "init"] => state::init(&arguments),
        ["state", "import"] => state::import(&arguments),
        ["state", "export"] => state::export(&arguments),
        ["state", "retire"] => state::retire(&arguments),
        #[cfg(feature = "yubihsm")]
        ["yubihsm", ..] => yubihsm::run(command.words, &arguments),
        #[cfg(feature = "ledger")]
        ["ledger", "init"] => ledger::init(&arguments),
        ["version"] => {
            say(&format!("{VERSION}\n"));
            Ok(Exit::Done)
        }
        ["completions"] => completions::run(&arguments),
        ["help"] if arguments.has("man") => {
            say(&manual::page());
            Ok(Exit::Done)
        }
        _ => help(&arguments.operands),
    }
}

fn help(topic: &[OsString]) -> Result<Exit, lexopt::Error> {
    let words: Vec<_> = topic.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if words.is_empty() {
        say(&command::overview());
        return Ok(Exit::Done);
    }
    if let Some(command) = command::find(&words) {
        say(&command.help());
        return Ok(Exit::Done);
    }
    if !command::is_group(&words) {
        return Err(no_command(&words));
    }
    for command in command::COMMANDS
        .iter()
        .filter(|command| command.words.starts_with(&words))
    {
        say(&format!("{}\n", command.help()));
    }
    Ok(Exit::Done)
}

fn is_group(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    command::is_group(&words)
}

fn as_os(words: &[String]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn no_command(words: &[&str]) -> lexopt::Error {
    format!("there is no command `tmkms {}`", words.join(" ")).into()
}

/// Where the configuration lies: `-c`, else `$TMKMS_CONFIG_FILE`, else `./tmkms.toml`.
fn config_path(arguments: &Arguments) -> PathBuf {
    arguments
        .value("config")
        .cloned()
        .or_else(|| std::env::var_os("TMKMS_CONFIG_FILE"))
        .unwrap_or_else(|| OsString::from("tmkms.toml"))
        .into()
}
