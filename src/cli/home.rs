//! `tmkms init`: a home directory with a configuration and an identity key.

use std::fmt::Write as _;
use std::path::Path;

use super::command::Arguments;
use super::report::{complain, quoted, say, with_cause};
use super::{Exit, softsign};
use crate::config::{networks, template};
use crate::files;

/// Makes what is missing below the directory, and leaves what is there.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let networks = match arguments.value("networks") {
        None => Vec::new(),
        Some(list) => networks(&list.to_string_lossy()).map_err(|error| error.to_string())?,
    };
    let Some(home) = arguments.operands.first().map(Path::new) else {
        return Ok(Exit::Usage);
    };
    let made = std::path::absolute(home)
        .map_err(|error| format!("cannot tell where {} is: {error}", home.display()))
        .and_then(|home| make(&home, &networks));
    Ok(match made {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(
                &error,
                "what was made is whole: mend the cause and run the command again",
            );
            Exit::Failed
        }
    })
}

fn make(home: &Path, networks: &[crate::config::Network]) -> Result<(), String> {
    let Some(home_text) = home.to_str() else {
        return Err(format!(
            "{} is not UTF-8, so no configuration can name it",
            home.display()
        ));
    };
    for directory in [
        home,
        &home.join("secrets"),
        &home.join("state"),
        &home.join("schema"),
    ] {
        files::create_dir_private(directory).map_err(|error| with_cause(&error))?;
    }
    let config = home.join("tmkms.toml");
    note(
        &config,
        files::create(&config, template(home_text, networks).as_bytes(), 0o600),
    )?;

    let identity = home.join("secrets/kms-identity.key");
    if identity.symlink_metadata().is_ok() {
        say(&format!("left as it was: {}\n", identity.display()));
    } else {
        let key = softsign::generate().map_err(|error| with_cause(&error))?;
        note(
            &identity,
            files::create(&identity, key.to_base64_seed().as_bytes(), 0o600),
        )?;
    }
    let mut chains: Vec<&str> = networks.iter().map(|network| network.chain_id).collect();
    if chains.is_empty() {
        chains.push("CHAIN");
    }
    let mut next = format!("\nnext: edit {}", quoted(&config));
    for chain in chains {
        let key = home.join(format!("secrets/{chain}-consensus.key"));
        // Writing to a String cannot fail.
        let _ = write!(
            next,
            ",\n      take the validator's key over: tmkms softsign import KEY.json {}",
            quoted(&key)
        );
    }
    let _ = writeln!(
        next,
        ",\n      and sign: tmkms start -c {}",
        quoted(&config)
    );
    say(&next);
    Ok(())
}

fn note(path: &Path, made: Result<(), files::Error>) -> Result<(), String> {
    match made {
        Ok(()) => say(&format!("made {}\n", path.display())),
        Err(files::Error {
            problem: files::Problem::Exists,
            ..
        }) => say(&format!("left as it was: {}\n", path.display())),
        Err(error) => return Err(with_cause(&error)),
    }
    Ok(())
}
