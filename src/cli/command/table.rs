//! Every command, as it is typed and explained.

#[cfg(feature = "yubihsm")]
mod yubihsm;

use super::{Command, Flag};

const CONFIG: Flag = Flag {
    short: Some('c'),
    long: "config",
    value: Some("FILE"),
    about: "the configuration; else $TMKMS_CONFIG_FILE, else ./tmkms.toml",
};
const VERBOSE: Flag = Flag {
    short: Some('v'),
    long: "verbose",
    value: None,
    about: "debug messages as well",
};

const JSON: Flag = Flag {
    short: None,
    long: "json",
    value: None,
    about: "print JSON, for programs",
};
const FORCE: Flag = Flag {
    short: None,
    long: "force",
    value: None,
    about: "lower the watermark if INPUT is lower: two signatures for one height are then possible",
};
const CHAIN_ID_AGAIN: Flag = Flag {
    short: None,
    long: "chain-id-again",
    value: Some("CHAIN"),
    about: "goes with --force where there is no terminal to ask at",
};
const PASSPHRASE_FD: Flag = Flag {
    short: None,
    long: "passphrase-fd",
    value: Some("N"),
    about: "read the passphrase of encrypted keys from this descriptor: a line, or all of it",
};
const PASSPHRASE_FILE: Flag = Flag {
    short: None,
    long: "passphrase-file",
    value: Some("FILE"),
    about: "or from this file; else $TMKMS_PASSPHRASE_FILE, else systemd's credential, else a terminal",
};
const WORK: Flag = Flag {
    short: None,
    long: "work",
    value: Some("N"),
    about: "what a guess at the passphrase costs: 2^N KiB of memory, 10 to 18 (default 16)",
};
const ENCRYPT: Flag = Flag {
    short: Some('e'),
    long: "encrypt",
    value: None,
    about: "put the key under a passphrase",
};
const PREFIX: Flag = Flag {
    short: Some('p'),
    long: "prefix",
    value: Some("PREFIX"),
    about: "bech32 prefix of the chain's accounts (default cosmos)",
};

/// Every command, in the order in which help lists them.
pub(in crate::cli) const COMMANDS: &[Command] = &[
    Command {
        words: &["init"],
        operands: "HOME",
        count: 1..=1,
        flags: &[
            Flag {
                short: Some('n'),
                long: "networks",
                value: Some("LIST"),
                about: "networks to configure, with commas: cosmoshub,osmosis,...",
            },
            Flag {
                short: None,
                long: "chain-id",
                value: Some("ID"),
                about: "the chain to configure, if it is none of these",
            },
            Flag {
                short: None,
                long: "addr",
                value: Some("ADDR"),
                about: "the node's priv_validator_laddr, as it is reached from here",
            },
            Flag {
                short: None,
                long: "key",
                value: Some("FILE"),
                about: "the validator's priv_validator_key.json, to be imported as well",
            },
        ],
        about: "make a directory with a configuration and an identity key",
        details: "Makes HOME with secrets/ (0700), state/, schema/, tmkms.toml and secrets/kms-identity.key\n\
                  (0600). What is there already is left as it is. With --key, the chain need not be named if\n\
                  the key lies in a node's directory and the node has signed with it.",
    },
    Command {
        words: &["start"],
        operands: "",
        count: 0..=0,
        flags: &[CONFIG, VERBOSE, PASSPHRASE_FD, PASSPHRASE_FILE],
        about: "sign for the configured validators, in the foreground",
        details: "Dials every [[validator]] and answers it until SIGTERM or SIGINT. Everything that is wrong is\n\
                  reported at once before anything is made, changed or dialled. If keys are encrypted, their\n\
                  passphrase is asked for once, and only if nothing else is wrong.",
    },
    Command {
        words: &["softsign", "keygen"],
        operands: "PATH",
        count: 1..=1,
        flags: &[
            Flag {
                short: Some('t'),
                long: "type",
                value: Some("TYPE"),
                about: "consensus (the default) or account",
            },
            ENCRYPT,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            WORK,
            PREFIX,
        ],
        about: "make a key and write it to PATH",
        details: "A key that lies at PATH is moved aside to PATH.old-FINGERPRINT, never destroyed. Beside a\n\
                  consensus key a mark is left, PATH.begin-once, with which `start` makes the key's first state.\n\
                  `softsign kengen` is the same.",
    },
    Command {
        words: &["softsign", "import"],
        operands: "INPUT OUTPUT",
        count: 2..=2,
        flags: &[
            Flag {
                short: Some('f'),
                long: "format",
                value: Some("FORMAT"),
                about: "accepted and not needed: the format is seen from the content",
            },
            ENCRYPT,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            WORK,
            PREFIX,
        ],
        about: "take a validator's key over, from its priv_validator_key.json",
        details: "INPUT is recognised by content: a priv_validator_key.json (nodes, cosmos/kms, horcrux in single-signer\n\
                  mode), a key file of tmkms, or 32 bytes of seed, or 64 of seed and public key, in base64, in\n\
                  hexadecimal or bare. A key that lies at OUTPUT is moved aside to OUTPUT.old-FINGERPRINT; the same key changes\n\
                  nothing. If the node's own state, ../data/priv_validator_state.json, is found beside INPUT, a\n\
                  mark is left with which `start` goes on from there.",
    },
    Command {
        words: &["softsign", "show"],
        operands: "PATH",
        count: 1..=1,
        flags: &[
            Flag {
                short: Some('f'),
                long: "format",
                value: Some("FORM"),
                about: "print this form alone: cosmos-json, base64, hex, bech32, address, valcons",
            },
            PREFIX,
        ],
        about: "print the public key in every form",
        details: "PATH is any key that `import` reads, or an encrypted one: that takes no passphrase.\n\
                  create-validator --pubkey \"$(tmkms softsign show -f cosmos-json PATH)\"",
    },
    Command {
        words: &["softsign", "encrypt"],
        operands: "PATH",
        count: 1..=1,
        flags: &[PASSPHRASE_FD, PASSPHRASE_FILE, WORK, PREFIX],
        about: "put a key under a passphrase, in its place",
        details: "The encrypted key replaces the plain one, whose bytes are then overwritten. Backups, snapshots,\n\
                  copy-on-write file systems and SSDs may keep them. Identity keys may be encrypted as well.",
    },
    Command {
        words: &["softsign", "decrypt"],
        operands: "PATH",
        count: 1..=1,
        flags: &[PASSPHRASE_FD, PASSPHRASE_FILE, PREFIX],
        about: "write an encrypted key in plain again, in its place",
        details: "",
    },
    Command {
        words: &["state", "show"],
        operands: "[CHAIN...]",
        count: 0..=usize::MAX,
        flags: &[CONFIG, JSON],
        about: "print how far each chain is signed",
        details: "Reads without a lock, so it works while a signer runs. CHAIN: all, if none is named.\n\
                  --json prints one array with an object for each chain: chain_id, state_file, status (new,\n\
                  active, retired, foreign, missing or bad), format (of a foreign file: filepv, tmkms or\n\
                  horcrux), height (a string, as it may pass 2^53), round, step (none, proposal, prevote or\n\
                  precommit), block_hash (null: none or not known), sign_bytes_known, problem. What is not\n\
                  known is null.",
    },
    Command {
        words: &["state", "init"],
        operands: "[CHAIN...]",
        count: 0..=usize::MAX,
        flags: &[
            CONFIG,
            Flag {
                short: Some('H'),
                long: "height",
                value: Some("HEIGHT"),
                about: "begin at this height: nothing below it is ever signed (default 0)",
            },
            Flag {
                short: Some('r'),
                long: "round",
                value: Some("ROUND"),
                about: "begin at this round of it (default 0)",
            },
            Flag {
                short: None,
                long: "step",
                value: Some("STEP"),
                about: "what is signed already in this round: none (the default), proposal, prevote, precommit",
            },
        ],
        about: "make the state of a key that has never signed, or begin at a height",
        details: "Without --height, only for a key that has never signed: a key that has needs `state import`, or\n\
                  --height with a height above any that it may have signed. A sound state is left as it is. A\n\
                  damaged one is kept beside the new one, which then needs --height. With a --height above it, a\n\
                  retired one signs again.",
    },
    Command {
        words: &["state", "import"],
        operands: "CHAIN INPUT...",
        count: 2..=usize::MAX,
        flags: &[CONFIG, FORCE, CHAIN_ID_AGAIN],
        about: "take over how far a chain is signed, from another program's state file",
        details: "Reads the state files of tmkms, of nodes (priv_validator_state.json), cosmos/kms and horcrux,\n\
                  and our own, recognised by content. Of several (horcrux has two) the highest counts. The\n\
                  watermark is only ever raised; a retired state signs again if INPUT is not below it.\n\
                  --force lowers it, for a chain that began again from an earlier height; the chain id has to be\n\
                  typed again, and the old state is kept beside the new one.",
    },
    Command {
        words: &["state", "export"],
        operands: "CHAIN OUTPUT",
        count: 2..=2,
        flags: &[
            CONFIG,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            Flag {
                short: Some('f'),
                long: "format",
                value: Some("FORMAT"),
                about: "filepv (a node, cosmos/kms, horcrux) or tmkms; needed",
            },
            Flag {
                short: None,
                long: "keep",
                value: None,
                about: "do not retire this copy: then nobody may sign with the exported one",
            },
        ],
        about: "hand a chain's state over to another program, and retire this copy",
        details: "First this copy is retired, so that `start` refuses it, then OUTPUT is written (- is the\n\
                  standard output). If something comes in between, nobody signs: run it again. A state that\n\
                  lies at OUTPUT is kept as OUTPUT.old-FORMAT, unless it is higher: then nothing is done. The\n\
                  key, if it is to move too, is yours to move. `state import` brings the state back.",
    },
    Command {
        words: &["state", "retire"],
        operands: "CHAIN",
        count: 1..=1,
        flags: &[CONFIG],
        about: "make this copy of a chain's state refuse to sign",
        details: "For a state that was copied elsewhere. `state export` of it still works, and `state import`\n\
                  of a state that is not below it, or `state init` above it, makes it sign again.",
    },
    #[cfg(feature = "ledger")]
    Command {
        words: &["ledger", "init"],
        operands: "[CHAIN]",
        count: 0..=1,
        flags: &[
            CONFIG,
            Flag {
                short: Some('H'),
                long: "height",
                value: Some("HEIGHT"),
                about: "the device signs nothing below it (default: what the state says)",
            },
            Flag {
                short: Some('r'),
                long: "round",
                value: Some("ROUND"),
                about: "nor below this round of it, 0 to 127 (default 0)",
            },
        ],
        about: "set how far a Ledger takes itself to have signed",
        details: "The app forgets its watermark when it is left, and asks on its screen before it begins again: this\n\
                  has it ask now, not at the first vote. The state is raised first, durably; below it nothing is\n\
                  set. Without --height the state's own height and round are used. The signer must not run.",
    },
    Command {
        words: &["check"],
        operands: "",
        count: 0..=0,
        flags: &[
            CONFIG,
            JSON,
            PASSPHRASE_FD,
            PASSPHRASE_FILE,
            Flag {
                short: None,
                long: "dial",
                value: None,
                about: "also connect to every node, and say what it asks; nothing is signed",
            },
        ],
        about: "find everything that `start` would refuse, and more, without signing",
        details: "Writes nothing and dials nobody (but with --dial). Exit code as that of `start`; 0 with\n\
                  warnings only. A signer that runs on a state is told and no problem; its connections are\n\
                  not dialled, since a node serves one signer at a time.\n\
                  --json prints an object: file, exit, problems and warnings (each with class, line, column,\n\
                  message, cure), chains (chain_id, public_key, state_file, begins: state, new, running, tmkms,\n\
                  filepv or horcrux, height, round, step) and dials (chain_id, addr, skipped, peer_id, asked,\n\
                  problem).",
    },
    #[cfg(feature = "yubihsm")]
    yubihsm::DETECT,
    #[cfg(feature = "yubihsm")]
    yubihsm::SETUP,
    #[cfg(feature = "yubihsm")]
    yubihsm::TEST,
    #[cfg(feature = "yubihsm")]
    yubihsm::LIST,
    #[cfg(feature = "yubihsm")]
    yubihsm::GENERATE,
    #[cfg(feature = "yubihsm")]
    yubihsm::IMPORT,
    #[cfg(feature = "yubihsm")]
    yubihsm::EXPORT,
    Command {
        words: &["completions"],
        operands: "SHELL",
        count: 1..=1,
        flags: &[],
        about: "print completions for bash, zsh or fish",
        details: "bash: source <(tmkms completions bash). zsh: into a file _tmkms in $fpath. fish: into\n\
                  ~/.config/fish/completions/tmkms.fish.",
    },
    Command {
        words: &["version"],
        operands: "",
        count: 0..=0,
        flags: &[],
        about: "print the version",
        details: "",
    },
    Command {
        words: &["help"],
        operands: "[COMMAND]",
        count: 0..=3,
        flags: &[Flag {
            short: None,
            long: "man",
            value: None,
            about: "all of it as a manual page: tmkms help --man | man -l -",
        }],
        about: "explain a command",
        details: "",
    },
];
