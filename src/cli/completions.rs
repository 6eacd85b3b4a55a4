//! `tmkms completions SHELL`: what the table of commands knows, as shells want it.

use core::fmt::{self, Write as _};

use super::Exit;
use super::command::{Arguments, COMMANDS, Command, Flag, is_group};
use super::report::say;
use crate::config::NETWORKS;

pub(super) fn run(arguments: &Arguments) -> Result<Exit, lexopt::Error> {
    let shell = arguments
        .operands
        .first()
        .map(|shell| shell.to_string_lossy());
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match shell.as_deref() {
        Some("bash") => bash(&mut text),
        Some("zsh") => zsh(&mut text),
        Some("fish") => fish(&mut text),
        other => {
            let other = other.unwrap_or_default();
            return Err(
                format!("completions are there for bash, zsh and fish, not for {other:?}").into(),
            );
        }
    };
    say(&text);
    Ok(Exit::Done)
}

/// The words that a flag's value or an operand can be; none where it is a file, or anything.
fn words(command: &Command, placeholder: &str) -> Vec<&'static str> {
    match placeholder.trim_matches(['[', ']', '.']) {
        "LIST" => NETWORKS.iter().map(|network| network.name).collect(),
        "TYPE" => vec!["consensus", "account"],
        "FORM" => vec![
            "cosmos-json",
            "base64",
            "hex",
            "bech32",
            "address",
            "valcons",
        ],
        "KIND" => vec!["wrap", "base64", "json"],
        "STEP" => vec!["none", "proposal", "prevote", "precommit"],
        "FORMAT" if command.words == ["state", "export"] => vec!["filepv", "tmkms"],
        "FORMAT" => vec!["json"],
        "SHELL" => vec!["bash", "zsh", "fish"],
        "COMMAND" => firsts().into_iter().map(|(word, _)| word).collect(),
        _ => Vec::new(),
    }
}

/// The words that a command can begin with, each with what it does.
fn firsts() -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for command in COMMANDS {
        let Some(word) = command.words.first() else {
            continue;
        };
        if found.iter().all(|(known, _)| known != word) {
            let about = match *word {
                "softsign" => "keys in files",
                "state" => "how far each chain is signed",
                "yubihsm" => "a YubiHSM 2 and its keys",
                group if is_group(&[group]) => "",
                _ => command.about,
            };
            found.push((word, about));
        }
    }
    found
}

/// What can follow the words of a group, each with what it does.
fn seconds(group: &str) -> Vec<(&'static str, &'static str)> {
    let group: Vec<&str> = group.split(' ').collect();
    let mut found: Vec<(&str, &str)> = Vec::new();
    for command in COMMANDS {
        if !command.words.starts_with(&group) {
            continue;
        }
        let Some([word, rest @ ..]) = command.words.get(group.len()..) else {
            continue;
        };
        if found.iter().all(|(known, _)| known != word) {
            let about = if rest.is_empty() {
                command.about
            } else {
                "keys in the device"
            };
            found.push((word, about));
        }
    }
    found
}

/// The beginnings of commands that go on, such as `state`.
fn groups() -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for command in COMMANDS {
        for len in 1..command.words.len() {
            let group = command.words.get(..len).unwrap_or_default().join(" ");
            if !found.contains(&group) {
                found.push(group);
            }
        }
    }
    found
}

/// `-c` and `--config`.
fn spellings(flag: &Flag) -> Vec<String> {
    let mut all = vec![format!("--{}", flag.long)];
    if let Some(short) = flag.short {
        all.insert(0, format!("-{short}"));
    }
    all
}

fn flags(command: &Command) -> String {
    let mut all: Vec<String> = command.flags.iter().flat_map(spellings).collect();
    all.push("--help".to_owned());
    all.join(" ")
}

/// A file's name is what bash itself completes to where nothing is offered.
fn bash(to: &mut String) -> fmt::Result {
    let first: Vec<&str> = firsts().into_iter().map(|(word, _)| word).collect();
    writeln!(to, "# tmkms completions bash")?;
    writeln!(to, "_tmkms() {{")?;
    writeln!(
        to,
        "    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words="
    )?;
    writeln!(to, "    if ((COMP_CWORD == 1)); then")?;
    writeln!(to, "        words='{}'", first.join(" "))?;
    writeln!(to, "    else")?;
    writeln!(to, "        case \"${{COMP_WORDS[*]:1:COMP_CWORD}} \" in")?;
    for command in COMMANDS {
        let name = format!("'{} '*", command.words.join(" "));
        let begin = command.words.len().saturating_add(1);
        writeln!(to, "        {name})")?;
        writeln!(to, "            ((COMP_CWORD < {begin})) || case $prev in")?;
        for flag in command.flags {
            if let Some(value) = flag.value {
                let words = words(command, value).join(" ");
                writeln!(
                    to,
                    "            {}) words='{words}' ;;",
                    spellings(flag).join("|")
                )?;
            }
        }
        writeln!(to, "            *)")?;
        writeln!(
            to,
            "                words='{}'",
            words(command, command.operands).join(" ")
        )?;
        writeln!(
            to,
            "                [[ $cur == -* ]] && words='{}'",
            flags(command)
        )?;
        writeln!(to, "                ;;\n            esac\n            ;;")?;
    }
    writeln!(to, "        esac")?;
    for group in groups() {
        let second: Vec<&str> = seconds(&group).into_iter().map(|(word, _)| word).collect();
        let count = group.split(' ').count();
        writeln!(
            to,
            "        [[ $COMP_CWORD == {} && \"${{COMP_WORDS[*]:1:{count}}}\" == '{group}' ]] && words='{}'",
            count.saturating_add(1),
            second.join(" ")
        )?;
    }
    writeln!(to, "    fi")?;
    writeln!(
        to,
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")"
    )?;
    writeln!(to, "}}\ncomplete -o default -F _tmkms tmkms")
}

fn zsh(to: &mut String) -> fmt::Result {
    writeln!(to, "#compdef tmkms\n# tmkms completions zsh")?;
    writeln!(to, "_tmkms() {{\n    local -a commands")?;
    zsh_level(to, "    ", &[])?;
    // Loaded by its first use, and then used.
    writeln!(
        to,
        "}}\nif [[ $funcstack[1] == _tmkms ]]; then\n    _tmkms \"$@\"\nelse\n    compdef _tmkms tmkms\nfi"
    )
}

/// What follows these words: other words, or what the command takes.
fn zsh_level(to: &mut String, indent: &str, group: &[&str]) -> fmt::Result {
    let inner = format!("{indent}    ");
    let next = if group.is_empty() {
        firsts()
    } else {
        seconds(&group.join(" "))
    };
    writeln!(to, "{indent}if (( CURRENT == 2 )); then")?;
    zsh_commands(to, &inner, next.iter().copied())?;
    writeln!(to, "{indent}fi\n{indent}case ${{words[2]}} in")?;
    for (word, _) in next {
        let words = [group, &[word]].concat();
        writeln!(
            to,
            "{indent}{word})\n{inner}shift words; (( CURRENT -= 1 ))"
        )?;
        if is_group(&words) {
            zsh_level(to, &inner, &words)?;
        } else if let Some(command) = COMMANDS.iter().find(|command| command.words == words) {
            zsh_arguments(to, &inner, command)?;
        }
        writeln!(to, "{inner};;")?;
    }
    writeln!(to, "{indent}esac")
}

fn zsh_commands(
    to: &mut String,
    indent: &str,
    commands: impl Iterator<Item = (&'static str, &'static str)>,
) -> fmt::Result {
    writeln!(to, "{indent}commands=(")?;
    for (word, about) in commands {
        writeln!(to, "{indent}    {}", quoted(&format!("{word}:{about}")))?;
    }
    writeln!(
        to,
        "{indent})\n{indent}_describe command commands\n{indent}return"
    )
}

fn zsh_arguments(to: &mut String, indent: &str, command: &Command) -> fmt::Result {
    write!(to, "{indent}_arguments")?;
    for flag in command.flags {
        let about = flag.about.replace('[', "(").replace(']', ")");
        let value = flag.value.map_or_else(String::new, |value| {
            format!(":{value}:{}", zsh_values(command, value))
        });
        for spelling in spellings(flag) {
            write!(
                to,
                " \\\n{indent}    {}",
                quoted(&format!("{spelling}[{about}]{value}"))
            )?;
        }
    }
    if !command.operands.is_empty() {
        write!(
            to,
            " \\\n{indent}    '*::{}'",
            zsh_values(command, command.operands)
        )?;
    }
    writeln!(to)
}

fn zsh_values(command: &Command, placeholder: &str) -> String {
    let words = words(command, placeholder);
    if words.is_empty() {
        "_files".to_owned()
    } else {
        format!("({})", words.join(" "))
    }
}

fn fish(to: &mut String) -> fmt::Result {
    writeln!(to, "# tmkms completions fish")?;
    writeln!(
        to,
        "function __tmkms_words\n    string join ' ' (string match --invert -- '-*' (commandline -opc)[2..])\nend"
    )?;
    writeln!(
        to,
        "function __tmkms_at\n    test \"$(__tmkms_words)\" = \"$argv\"\nend"
    )?;
    writeln!(
        to,
        "function __tmkms_in\n    string match --quiet -- \"$argv *\" \"$(__tmkms_words) \"\nend"
    )?;
    for (word, about) in firsts() {
        writeln!(
            to,
            "complete -c tmkms -n __tmkms_at -f -a {word} -d {}",
            quoted(about)
        )?;
    }
    for group in groups() {
        for (word, about) in seconds(&group) {
            writeln!(
                to,
                "complete -c tmkms -n '__tmkms_at {group}' -f -a {word} -d {}",
                quoted(about)
            )?;
        }
    }
    for command in COMMANDS {
        let name = command.words.join(" ");
        for flag in command.flags {
            let short = flag
                .short
                .map_or_else(String::new, |short| format!(" -s {short}"));
            let value = match flag.value.map(|value| words(command, value)) {
                None => String::new(),
                Some(words) if words.is_empty() => " -r".to_owned(),
                Some(words) => format!(" -x -a '{}'", words.join(" ")),
            };
            writeln!(
                to,
                "complete -c tmkms -n '__tmkms_in {name}'{short} -l {}{value} -d {}",
                flag.long,
                quoted(flag.about)
            )?;
        }
        let words = words(command, command.operands);
        if !words.is_empty() {
            writeln!(
                to,
                "complete -c tmkms -n '__tmkms_in {name}' -f -a '{}'",
                words.join(" ")
            )?;
        }
    }
    Ok(())
}

/// In single quotes, as all three shells take it; these texts have no backslash.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "\u{2019}"))
}
