//! The commands for a YubiHSM 2.

use super::{CONFIG, VERBOSE};
use crate::cli::command::{Command, Flag};

const SERIAL: Flag = Flag {
    short: None,
    long: "serial",
    value: Some("NUMBER"),
    about: "the device with this serial number, if the configuration has several",
};
const AUTH_KEY: Flag = Flag {
    short: None,
    long: "auth-key",
    value: Some("ID"),
    about: "log in with this authentication key, not with that of `auth`",
};
const PASSWORD_FILE: Flag = Flag {
    short: None,
    long: "password-file",
    value: Some("FILE"),
    about: "its password; else a terminal is asked",
};
const WRAP_KEY: Flag = Flag {
    short: Some('w'),
    long: "wrapkey",
    value: Some("ID"),
    about: "the wrap key of the backup (default 1)",
};
const LABEL: Flag = Flag {
    short: Some('l'),
    long: "label",
    value: Some("TEXT"),
    about: "what the key is called in the device, 40 bytes at most",
};
const NON_EXPORTABLE: Flag = Flag {
    short: None,
    long: "non-exportable",
    value: None,
    about: "make a key that never leaves the device: without a backup",
};

pub(super) const DETECT: Command = Command {
    words: &["yubihsm", "detect"],
    operands: "",
    count: 0..=0,
    flags: &[CONFIG, VERBOSE],
    about: "list the devices on USB, and those behind configured connectors",
    details: "Asks the kernel for what is on USB, and disturbs no signer. Needs no configuration.",
};

pub(super) const SETUP: Command = Command {
    words: &["yubihsm", "setup"],
    operands: "",
    count: 0..=0,
    flags: &[
        CONFIG,
        VERBOSE,
        SERIAL,
        AUTH_KEY,
        PASSWORD_FILE,
        Flag {
            short: Some('p'),
            long: "print-only",
            value: None,
            about: "print what would be made, and change nothing",
        },
        Flag {
            short: Some('r'),
            long: "restore",
            value: None,
            about: "from 24 words that there are already, read from the standard input",
        },
        Flag {
            short: Some('w'),
            long: "write-report",
            value: Some("FILE"),
            about: "write the report of the set-up, in JSON, to this new file",
        },
        Flag {
            short: None,
            long: "yes",
            value: Some("SERIAL"),
            about: "erase the device with this serial number, without asking",
        },
    ],
    about: "ERASE a device, and make its roles and wrap key from 24 words",
    details: "Makes authentication keys 1 (admin, whose password is the 24 words), 2 (operator), 3 (auditor)\n\
              and 4 (validator), wrap key 1, and a report in opaque object 0xfffe: what tmkms makes, so that the\n\
              words of either restore a device of the other. The device is erased only once its serial\n\
              number is typed, or given with --yes.",
};

pub(super) const TEST: Command = Command {
    words: &["yubihsm", "test"],
    operands: "[KEY_ID]",
    count: 0..=1,
    flags: &[
        CONFIG,
        VERBOSE,
        SERIAL,
        AUTH_KEY,
        PASSWORD_FILE,
        Flag {
            short: None,
            long: "count",
            value: Some("N"),
            about: "how many signatures (default 10)",
        },
    ],
    about: "sign and verify with a key made for the test, and print how long it takes",
    details: "The key is deleted afterwards. KEY_ID: sign with this key instead, which must be none that a chain\n\
              is configured with: a consensus key is never used for a test. What is signed is 128 zero bytes,\n\
              which are no vote.",
};

pub(super) const LIST: Command = Command {
    words: &["yubihsm", "keys", "list"],
    operands: "",
    count: 0..=0,
    flags: &[CONFIG, VERBOSE, SERIAL, AUTH_KEY, PASSWORD_FILE],
    about: "list the keys in the device, with what each may do",
    details: "",
};

pub(super) const GENERATE: Command = Command {
    words: &["yubihsm", "keys", "generate"],
    operands: "KEY_ID",
    count: 1..=1,
    flags: &[
        CONFIG,
        VERBOSE,
        SERIAL,
        AUTH_KEY,
        PASSWORD_FILE,
        LABEL,
        Flag {
            short: Some('p'),
            long: "prefix",
            value: Some("PREFIX"),
            about: "bech32 prefix to print the key with, such as cosmosvalconspub",
        },
        Flag {
            short: Some('t'),
            long: "type",
            value: Some("TYPE"),
            about: "consensus (Ed25519, the default) or account (secp256k1)",
        },
        NON_EXPORTABLE,
        Flag {
            short: Some('b'),
            long: "backup",
            value: Some("FILE"),
            about: "write an encrypted backup of the key to this new file",
        },
        WRAP_KEY,
    ],
    about: "make a key in the device",
    details: "KEY_ID is a number that no key of the device has, such as 1 or 0x0001.",
};

pub(super) const IMPORT: Command = Command {
    words: &["yubihsm", "keys", "import"],
    operands: "PATH",
    count: 1..=1,
    flags: &[
        CONFIG,
        VERBOSE,
        SERIAL,
        AUTH_KEY,
        PASSWORD_FILE,
        Flag {
            short: Some('i'),
            long: "id",
            value: Some("ID"),
            about: "the number that the key gets; a backup brings its own",
        },
        WRAP_KEY,
        Flag {
            short: Some('t'),
            long: "type",
            value: Some("KIND"),
            about: "wrap, base64 or json; seen from the content if it is not said",
        },
        LABEL,
        NON_EXPORTABLE,
    ],
    about: "put a backup, or a validator's key, into the device",
    details: "PATH is a backup that `keys export` has made, here or in tmkms, or any key that\n\
              `softsign import` reads. A key that has signed takes its state along: `state import`.",
};

pub(super) const EXPORT: Command = Command {
    words: &["yubihsm", "keys", "export"],
    operands: "PATH",
    count: 1..=1,
    flags: &[
        CONFIG,
        VERBOSE,
        SERIAL,
        AUTH_KEY,
        PASSWORD_FILE,
        Flag {
            short: Some('i'),
            long: "id",
            value: Some("ID"),
            about: "the key; needed",
        },
        WRAP_KEY,
    ],
    about: "write an encrypted backup of a key to a new file",
    details: "The backup is in base64, under a wrap key of the device: only a device with the same wrap key,\n\
              which the 24 words of `yubihsm setup` restore, can read it.",
};
