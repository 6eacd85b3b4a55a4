//! `tmkms init`: a home directory with a configuration, an identity key and, if asked, the validator's key.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::command::Arguments;
use super::report::{complain, quoted, say, with_cause};
use super::{Exit, softsign};
use crate::config::{self, Draft, networks, template};
use crate::files;
use crate::types::ChainId;

/// Makes what is missing below the directory, and leaves what is there.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let Some(home) = arguments.operands.first().map(Path::new) else {
        return Ok(Exit::Usage);
    };
    let key = arguments.value("key").map(Path::new);
    let chains = drafts(arguments, key)?;
    let made = std::path::absolute(home)
        .map_err(|error| format!("cannot tell where {} is: {error}", home.display()))
        .and_then(|home| {
            make(&home, &chains)?;
            Ok(home)
        });
    let home = match made {
        Ok(home) => home,
        Err(error) => {
            complain(
                &error,
                "what was made is whole: mend the cause and run the command again",
            );
            return Ok(Exit::Failed);
        }
    };
    if let (Some(key), [chain]) = (key, chains.as_slice()) {
        let exit = import(key, &home, chain)?;
        if exit != Exit::Done {
            return Ok(exit);
        }
    }
    say_next(&home, &chains, key.is_some());
    Ok(Exit::Done)
}

/// The chains that the command line is about.
fn drafts(arguments: &Arguments, key: Option<&Path>) -> Result<Vec<Draft>, lexopt::Error> {
    let named: Option<String> = arguments.parsed("chain-id")?;
    let mut chains: Vec<Draft> = match (arguments.value("networks"), named) {
        (Some(_), Some(_)) => {
            return Err("--networks and --chain-id both name the chain: give one of them".into());
        }
        (Some(list), None) => networks(&list.to_string_lossy())
            .map_err(|error| error.to_string())?
            .into_iter()
            .map(Draft::from)
            .collect(),
        (None, Some(id)) => {
            let id =
                ChainId::new(&id).map_err(|error| format!("{id:?} is no chain id: {error}"))?;
            vec![Draft::of_chain(id)]
        }
        // A node that has signed tells its chain.
        (None, None) => key
            .and_then(softsign::chain_of)
            .map(Draft::of_chain)
            .into_iter()
            .collect(),
    };
    if chains.is_empty() {
        chains.push(Draft::unnamed());
    }
    let addr: Option<String> = arguments.parsed("addr")?;
    match (addr, key, chains.as_mut_slice()) {
        (None, None, _) | (None, Some(_), [_]) => {}
        (Some(addr), _, [chain]) => chain.dial(&addr)?,
        (Some(_), _, _) | (None, Some(_), _) => {
            return Err("--addr and --key are for one chain, and --networks names several".into());
        }
    }
    Ok(chains)
}

fn make(home: &Path, chains: &[Draft]) -> Result<(), String> {
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
        files::create(&config, template(home_text, chains).as_bytes(), 0o600),
    )?;

    let identity = home.join("secrets/kms-identity.key");
    if identity.symlink_metadata().is_ok() {
        say(&format!("left as it was: {}\n", identity.display()));
        return Ok(());
    }
    let key = softsign::generate().map_err(|error| with_cause(&error))?;
    note(
        &identity,
        files::create(&identity, key.to_base64_seed().as_bytes(), 0o600),
    )
}

/// Imports the validator's key to where the configuration looks for it: it may be an older one.
fn import(key: &Path, home: &Path, chain: &Draft) -> Result<Exit, lexopt::Error> {
    let config = home.join("tmkms.toml");
    let output = key_file(home, chain);
    let text = std::fs::read_to_string(&config).unwrap_or_default();
    let known = config::survey(&text).config.softsign;
    // A configuration with a chain id to be filled in shows nothing yet.
    let is_unnamed = chain.chain_id().is_none() && known.is_empty();
    if !is_unnamed && known.iter().all(|provider| provider.path.value != output) {
        complain(
            &format_args!(
                "{} was there already, and has no key at {}: the key was not imported",
                quoted(&config),
                quoted(&output)
            ),
            &format!(
                "import it to the `path` that is written there: tmkms softsign import {} PATH",
                quoted(key)
            ),
        );
        return Ok(Exit::Config);
    }
    softsign::import_plain(key, &output)
}

fn key_file(home: &Path, chain: &Draft) -> PathBuf {
    home.join("secrets").join(chain.key_file())
}

fn say_next(home: &Path, chains: &[Draft], imported: bool) {
    let config = quoted(&home.join("tmkms.toml"));
    let mut next = if chains.iter().all(|chain| chain.chain_id().is_some()) {
        format!("\nnext: look through {config}")
    } else {
        format!("\nnext: edit {config}: fill in the chain's id, and the node's address")
    };
    for chain in chains.iter().filter(|_| !imported) {
        // Writing to a String cannot fail.
        let _ = write!(
            next,
            ",\n      take the validator's key over: tmkms softsign import KEY.json {}",
            quoted(&key_file(home, chain))
        );
    }
    let _ = writeln!(next, ",\n      and sign: tmkms start -c {config}");
    say(&next);
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
