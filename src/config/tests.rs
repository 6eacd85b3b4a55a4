use std::fs;
use std::path::Path;

use super::provider::{Backend, Built};
use super::*;
use crate::types::{ChainId, Height, NodeId};

/// Every backend, whatever this build has.
const ALL: [Backend; 4] = [
    Backend::new("softsign", Built::In),
    Backend::new("yubihsm", Built::In),
    Backend::new("ledgertm", Built::In),
    Backend::new("fortanixdsm", Built::In),
];

/// A build with `softsign` alone.
const SOFTSIGN: [Backend; 4] = [
    Backend::new("softsign", Built::In),
    Backend::new("yubihsm", Built::Feature("yubihsm")),
    Backend::new("ledgertm", Built::Feature("ledger")),
    Backend::new("fortanixdsm", Built::Feature("fortanixdsm")),
];

fn vectors() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/config");
    let mut vectors: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    vectors.sort();
    vectors
}

fn vector(name: &str) -> String {
    let found = vectors().into_iter().find(|(file, _)| file == name);
    found.unwrap().1
}

/// Reads a vector as its head asks for it.
fn run(text: &str) -> Result<Parsed, Vec<Problem>> {
    let option = |option| text.lines().any(|line| line == option);
    let purpose = if option("# purpose: device") {
        Purpose::Device
    } else {
        Purpose::Sign
    };
    let backends = if option("# build: softsign") {
        &SOFTSIGN
    } else {
        &ALL
    };
    read(text, purpose, backends)
}

/// What a vector gives, in the lines that its head has for it.
fn outcome(text: &str) -> Vec<String> {
    let lines = |kind: &str, found: &[Problem]| -> Vec<String> {
        found
            .iter()
            .flat_map(|found| {
                let position = found.position.map_or("-".into(), |at| at.to_string());
                [
                    format!("# {kind}: {position} {}", found.message),
                    format!("#   cure: {}", found.cure),
                ]
            })
            .collect()
    };
    match run(text) {
        Ok(parsed) => {
            let ok = vec!["# expect: ok".to_owned()];
            [ok, lines("warn", &parsed.warnings)].concat()
        }
        Err(problems) => lines("expect", &problems),
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn every_vector_gives_what_its_head_says() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 217);
    for (name, text) in vectors {
        let head: Vec<_> = text.lines().take_while(|line| !line.is_empty()).collect();
        assert_eq!(outcome(&text), head, "{name}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    for (name, text) in vectors() {
        let expected = outcome(&text);
        let crlf = outcome(&text.replace('\n', "\r\n"));
        assert_eq!(crlf, expected, "{name}");
        let marked = outcome(&format!("\u{feff}{text}"));
        assert_eq!(marked, expected, "{name}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn no_message_quotes_a_secret() {
    for (name, text) in vectors() {
        for line in outcome(&text) {
            for secret in ["secret-word", "55559999", "c2VjcmV0", "correct horse"] {
                assert!(!line.contains(secret), "{name}: {line}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn every_problem_has_a_message_and_a_cure_without_a_full_stop() {
    for (name, text) in vectors() {
        let (Ok(Parsed {
            warnings: found, ..
        })
        | Err(found)) = run(&text);
        for problem in found {
            for text in [problem.message, problem.cure] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn the_walkthrough_is_read_as_it_is_written() {
    let Ok(Parsed { config, warnings }) = run(&vector("ok_walkthrough.toml")) else {
        panic!("refused");
    };
    assert_eq!(warnings, []);
    let [chain] = &config.chains[..] else {
        panic!("one chain");
    };
    assert_eq!(chain.id.value.as_str(), "metaos_99237-1");
    assert_eq!(
        chain.key_format,
        KeyFormat::Bech32 {
            account_key_prefix: "mtospub".into(),
            consensus_key_prefix: "mtosvalconspub".into(),
        }
    );
    assert_eq!(chain.sign_extensions, None);
    assert_eq!(
        chain.state_file.value,
        Path::new("/home/user/.kms/state/metaos_99237-1-consensus.json")
    );
    let [key] = &config.softsign[..] else {
        panic!("one key");
    };
    assert_eq!(key.chain_ids[0].value, chain.id.value);
    assert_eq!(key.key_type, KeyType::Consensus);
    assert_eq!(key.key_format, FileFormat::Base64);
    assert_eq!(
        key.path.value,
        Path::new("/home/user/.kms/secrets/consensus.key")
    );
    let [validator] = &config.validators[..] else {
        panic!("one validator");
    };
    assert_eq!(validator.chain_id.value, chain.id.value);
    assert_eq!(validator.addr.value.to_string(), "tcp://127.0.0.1:26660");
    assert!(validator.reconnect);
    assert_eq!(validator.timeout, TIMEOUT_DEFAULT);
    assert_eq!(validator.max_height, None);
    assert_eq!(
        validator.secret_key.as_ref().unwrap().value,
        Path::new("/home/user/.kms/secrets/kms-identity.key")
    );
}

#[test]
fn every_setting_is_read() {
    let Ok(Parsed { config, warnings }) = run(&vector("ok_every_setting.toml")) else {
        panic!("refused");
    };
    assert_eq!(warnings, []);

    let formats: Vec<_> = config
        .chains
        .iter()
        .map(|chain| &chain.key_format)
        .collect();
    assert!(matches!(
        formats[..],
        [
            KeyFormat::Bech32 { .. },
            KeyFormat::CosmosJson,
            KeyFormat::Hex,
            KeyFormat::Hex
        ]
    ));
    assert_eq!(config.chains[0].sign_extensions, Some(true));
    let default = &config.chains[2].state_file;
    assert_eq!(default.value, Path::new("old_3_priv_validator_state.json"));

    assert_eq!(config.softsign[0].key_format, FileFormat::Json);
    assert_eq!(config.softsign[1].key_type, KeyType::Account);
    assert_eq!(config.softsign[1].chain_ids.len(), 2);

    let [usb, http] = &config.yubihsm[..] else {
        panic!("two devices");
    };
    let half_a_second = core::time::Duration::from_millis(500);
    assert!(matches!(usb.adapter, Adapter::Usb { timeout } if timeout == half_a_second));
    assert_eq!(usb.auth_key, 4);
    assert!(matches!(&usb.password, Password::File(path)
        if path.value == Path::new("/var/lib/tmkms/password")));
    assert_eq!(usb.keys[0].id.value, 7);
    assert_eq!(usb.keys[1].key_type, KeyType::Account);
    assert_eq!(usb.serial_number.as_ref().unwrap().value, "0123456789");
    let audit_log = &usb.audit_log.as_ref().unwrap().value;
    assert_eq!(audit_log, Path::new("yubihsm-audit.log"));
    assert_eq!(usb.connector_server.as_ref().unwrap().cli_auth_key, Some(2));
    assert!(matches!(&http.adapter, Adapter::Http { addr }
        if addr.value.to_string() == "tcp://127.0.0.1:12345"));
    assert!(matches!(&http.password, Password::Text(password)
        if password.expose() == "correct horse battery staple"));

    assert_eq!(config.ledgertm[0].chain_id.value.as_str(), "old_3");

    let [dsm] = &config.fortanixdsm[..] else {
        panic!("one service");
    };
    assert_eq!(dsm.api_endpoint.value.host, "amer.smartkey.io");
    assert_eq!(dsm.api_endpoint.value.port, 443);
    assert!(matches!(&dsm.api_key, ApiKey::File(path)
        if path.value.to_str() == Some("/var/lib/tmkms/api-key")));
    assert_eq!(
        dsm.ca_file.as_ref().unwrap().value.to_str(),
        Some("/var/lib/tmkms/dsm-ca.pem")
    );
    let client = dsm.client_certificate.as_ref().unwrap();
    assert_eq!(
        (
            client.cert_file.value.to_str(),
            client.key_file.value.to_str()
        ),
        (
            Some("/var/lib/tmkms/client.pem"),
            Some("/var/lib/tmkms/client.key")
        )
    );
    let proxy = &dsm.proxy.as_ref().unwrap().value;
    assert_eq!(proxy.authority(80), "10.0.0.1:3128");
    assert_eq!(dsm.timeout.as_millis(), 1_500);
    let id = DsmKeyName::Id("72e9ed9e-9eb4-46bd-a135-e78ed9bfd611".into());
    assert_eq!(dsm.signing_keys[0].key.value, id);
    let name = DsmKeyName::Name("My Key".into());
    assert_eq!(dsm.signing_keys[1].key.value, name);

    let [first, second, third, fourth, _] = &config.validators[..] else {
        panic!("five validators");
    };
    let id = NodeId::from_hex("d9bbd8d7470f480d63736bee1a32f75a60999024");
    assert_eq!(
        first.addr.value,
        Address::Tcp {
            peer_id: id,
            host: "::1".into(),
            port: 26658,
        }
    );
    assert_eq!(first.addr.value.to_string(), "tcp://[::1]:26658");
    assert!(!first.reconnect);
    assert_eq!(first.timeout, TIMEOUT_MAX);
    assert_eq!(first.max_height, Height::new(500_000));
    assert_eq!(second.addr.value.to_string(), "tcp://node_2.example:26658");
    assert_eq!(second.max_height, Height::new(i64::MAX));
    assert_eq!(
        third.addr.value.to_string(),
        "unix:///run/zone/privval.sock"
    );
    assert_eq!(fourth.addr.value.to_string(), "unix://relative.sock");
    assert!(fourth.secret_key.is_none());
}

#[test]
fn a_value_knows_where_it_stands() {
    let text = "\n[[chain]]\n  id = 'a'\nstate_file = \"\"\"\nx\"\"\"\n";
    let text = format!(
        "{text}[[providers.softsign]]\nchain_ids = ['a']\npath = 'k'\n\
         [[validator]]\nchain_id = 'a'\naddr = 'unix:///s'\n"
    );
    let Ok(Parsed { config, .. }) = run(&text) else {
        panic!("refused");
    };
    let at = |line, column| Position { line, column };
    assert_eq!(config.chains[0].id.position, at(3, 8));
    assert_eq!(config.softsign[0].chain_ids[0].position, at(7, 14));
    assert_eq!(config.validators[0].addr.position, at(11, 8));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn a_file_above_the_limit_is_not_read() {
    let comment = "#".repeat(TEXT_MAX_LEN);
    assert_eq!(parse(&comment).err().unwrap().len(), 2);
    let problems = parse(&format!("{comment}#")).err().unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].message,
        "the file has 1048577 bytes, of at most 1048576"
    );
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn nesting_cannot_exhaust_the_stack() {
    let deepest = |open: &str, close: &str| {
        format!(
            "[{}a]\n{}b = {}1{}\n",
            "h.".repeat(127),
            "d.".repeat(60),
            open.repeat(60),
            close.repeat(60)
        )
    };
    let hostile = [
        format!("a = {}", "[".repeat(500_000)),
        format!("a = {}", "{a = ".repeat(200_000)),
        format!("a = {}", "[{a = ".repeat(150_000)),
        format!("{}a = 1", "a.".repeat(500_000)),
        format!("[{}a]", "a.".repeat(500_000)),
        deepest("[", "]"),
        deepest("{c = ", "}"),
    ];
    for text in hostile {
        // A quarter of what a thread gets by default.
        let reader = std::thread::Builder::new().stack_size(512 << 10);
        let problems = reader.spawn(move || parse(&text).err().unwrap());
        assert!(!problems.unwrap().join().unwrap().is_empty());
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn a_build_says_which_backends_it_has() {
    let text = vector("ok_smallest.toml");
    let built = parse(&text).map(|_| ()).map_err(|problems| problems.len());
    let expected = if cfg!(feature = "softsign") {
        Ok(())
    } else {
        Err(1)
    };
    assert_eq!(built, expected);
}

fn drafts(count: usize) -> Vec<Draft> {
    NETWORKS[..count].iter().copied().map(Draft::from).collect()
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn the_template_of_known_networks_has_nothing_left_to_fill_in() {
    for home in ["/home/user/.kms", "/", "/srv/a \"b\" \\c/☃"] {
        let text = template(home, &drafts(5));
        assert_eq!(outcome(&text), ["# expect: ok"], "{text}");
    }
    let Ok(Parsed { config, .. }) = run(&template("/srv/\"kms\"/", &drafts(1))) else {
        panic!("refused");
    };
    assert_eq!(
        config.chains[0].state_file.value,
        Path::new("/srv/\"kms\"/state/cosmoshub-4-consensus.json")
    );
    assert_eq!(
        config.softsign[0].path.value,
        Path::new("/srv/\"kms\"/secrets/cosmoshub-4-consensus.key")
    );
    assert_eq!(
        config.validators[0].secret_key.as_ref().unwrap().value,
        Path::new("/srv/\"kms\"/secrets/kms-identity.key")
    );
}

#[test]
fn only_the_chain_id_is_to_be_filled_in_where_no_chain_is_named() {
    let text = template("/home/user/.kms", &[Draft::unnamed()]);
    let problems = run(&text).err().unwrap();
    assert_eq!(problems.len(), 3);
    for problem in problems {
        let message = "\"<chain-id>\" is left to fill in";
        assert_eq!(problem.message, message);
    }
    let filled = text.replace("<chain-id>", "test-1");
    assert_eq!(outcome(&filled), ["# expect: ok"], "{filled}");
}

#[test]
fn a_named_chain_with_its_address_has_nothing_left_to_fill_in() {
    for (id, addr) in [
        ("metaos_99237-1", "tcp://127.0.0.1:26660"),
        ("a \"b\"/c", "unix:///run/a \"b\".sock"),
        ("osmosis-1", "tcp://[::1]:1"),
    ] {
        let mut draft = Draft::of_chain(ChainId::new(id).unwrap());
        draft.dial(addr).unwrap();
        let text = template("/home/user/.kms", &[draft]);
        let Ok(Parsed { config, .. }) = run(&text) else {
            panic!("{text}");
        };
        assert_eq!(config.chains[0].id.value.as_str(), id);
        assert_eq!(config.validators[0].addr.value.to_string(), addr);
        let is_known = matches!(config.chains[0].key_format, KeyFormat::Bech32 { .. });
        assert_eq!(is_known, id == "osmosis-1");
    }
    let error = Draft::unnamed().dial("127.0.0.1").unwrap_err();
    assert!(error.contains("is no address"), "{error}");
}

#[test]
fn networks_are_found_by_name_and_each_chain_once() {
    let ids = |list| -> Vec<&str> {
        let found = networks(list).unwrap();
        found.iter().map(|network| network.chain_id).collect()
    };
    assert_eq!(ids("osmosis, cosmoshub,"), ["osmosis-1", "cosmoshub-4"]);
    assert_eq!(ids("core,persistence"), ["core-1"]);
    assert_eq!(ids(""), [""; 0]);
    assert_eq!(
        networks("osmosis,osmo").unwrap_err().to_string(),
        "no network is called \"osmo\"; known are \
         cosmoshub, irishub, sentinelhub, osmosis, core, persistence"
    );
}

/// Marsaglia's xorshift: the same cases on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri")]
fn no_text_makes_the_reader_panic() {
    const CASES: usize = 10_000;
    const PIECES: [&str; 24] = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "\\",
        "\n",
        "\r",
        "#",
        "\u{feff}",
        "ü",
        "0x",
        "-",
        "[a.b]\n",
        "[[chain]]\n",
        "true",
    ];
    let texts: Vec<_> = vectors().into_iter().map(|(_, text)| text).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for case in 0..CASES {
        let mut bytes = texts[random.below(texts.len())].clone().into_bytes();
        for _ in 0..=random.below(6) {
            let at = random.below(bytes.len());
            let end = (at + random.below(40)).min(bytes.len());
            match random.below(5) {
                0 => bytes[at..end]
                    .iter_mut()
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << (case % 8)),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let piece = PIECES[random.below(PIECES.len())];
                    bytes.splice(at..at, piece.bytes());
                }
                3 => {
                    let piece = bytes[at..end].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => {
                    let other = texts[random.below(texts.len())].as_bytes();
                    let from = random.below(other.len());
                    let to = (from + random.below(80)).min(other.len());
                    bytes.splice(at..end, other[from..to].iter().copied());
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.matches('\n').count() + 1;
        let (Ok(Parsed {
            warnings: found, ..
        })
        | Err(found)) = run(&text);
        for problem in found {
            let line = problem.position.map_or(1, |position| position.line);
            assert!((1..=lines).contains(&line), "case {case}: {problem}");
        }
    }
}
