//! `softsign import` and `show`: every form of a key, and what is none.

use super::{Place, SEED, base64, hex, key, pair};

fn json() -> String {
    let public = key().public_key();
    format!(
        r#"{{"address":"{}","pub_key":{{"type":"tendermint/PubKeyEd25519","value":"{}"}},"priv_key":{{"type":"tendermint/PrivKeyEd25519","value":"{}"}}}}"#,
        public.address_hex(),
        public.to_base64(),
        base64(&pair())
    )
}

#[test]
fn import_takes_every_form_and_writes_the_form_of_tmkms() {
    let place = Place::new("import_forms");
    for (name, content) in [
        ("priv_validator_key.json", json().into_bytes()),
        ("pretty.json", json().replace(',', ",\n  ").into_bytes()),
        (
            "extra.json",
            json().replace('{', "{\"last_height\":\"0\",").into_bytes(),
        ),
        ("tmkms.key", base64(&SEED).into_bytes()),
        ("tmkms_newline.key", format!("{}\n", base64(&SEED)).into()),
        ("pair.base64", base64(&pair()).into_bytes()),
        ("seed.hex", hex(&SEED).into_bytes()),
        ("seed_upper.hex", hex(&SEED).to_uppercase().into_bytes()),
        ("pair.hex", format!("{}\n", hex(&pair())).into_bytes()),
        ("seed.raw", SEED.to_vec()),
        ("pair.raw", pair()),
    ] {
        place.write(name, &content);
        let output = format!("{name}.imported");
        let ran = place
            .run(&["softsign", "import", name, &output])
            .succeeded();
        assert!(ran.out.contains(&key().public_key().to_cosmos_json()));
        assert_eq!(place.read(&output), base64(&SEED).as_bytes(), "{name}");
        assert_eq!(place.mode(&output), 0o600);
        assert_eq!(place.read(name), content, "{name}");
    }
}

#[test]
fn import_refuses_by_name_what_is_no_validators_key() {
    let place = Place::new("import_refusals");
    let typed = |kind: &str| json().replace("tendermint/PrivKeyEd25519", kind);
    let node_key = format!(
        r#"{{"priv_key":{{"type":"tendermint/PrivKeyEd25519","value":"{}"}}}}"#,
        base64(&pair())
    );
    for (name, content, complaint) in [
        (
            "expanded",
            base64(&[0x48; 64]),
            "expanded key of tmkms 0.15",
        ),
        (
            "expanded.hex",
            hex(&[0x48; 64]),
            "expanded key of tmkms 0.15",
        ),
        ("yubihsm", base64(&[0x48; 96]), "export of a YubiHSM"),
        ("node_key.json", node_key, "node's identity"),
        (
            "secp.json",
            typed("tendermint/PrivKeySecp256k1"),
            "secp256k1",
        ),
        (
            "eth.json",
            typed("cometbft/PrivKeySecp256k1eth"),
            "secp256k1",
        ),
        ("bls.json", typed("cometbft/PrivKeyBls12_381"), "BLS12-381"),
        ("dsa.json", typed("cometbft/PrivKeyMlDsa65"), "ML-DSA-65"),
        ("later.json", typed("nobody/Later"), "unknown type"),
        (
            "shard.json",
            r#"{"pubKey":"AA==","privateShard":"AA==","id":1}"#.to_owned(),
            "one part of a key that horcrux has split",
        ),
        (
            "ecies.json",
            r#"{"eciesKey":"AA==","eciesPubs":[],"id":1}"#.to_owned(),
            "cosigners talk",
        ),
        (
            "state.json",
            r#"{"height":"5","round":0,"step":3}"#.to_owned(),
            "record of what was signed",
        ),
        (
            "account.armor",
            "-----BEGIN TENDERMINT PRIVATE KEY-----\n".to_owned(),
            "account",
        ),
        ("halves.json", json().replace("nZ2d", "nZ2e"), "two halves"),
        ("empty", String::new(), "is empty"),
        ("cut", base64(&SEED)[..32].to_owned(), "holds 24 bytes"),
    ] {
        place.write(name, content.as_bytes());
        place
            .run(&["softsign", "import", name, "out.key"])
            .failed(4, complaint);
        place.run(&["softsign", "show", name]).failed(4, complaint);
        assert!(!place.path("out.key").exists(), "{name}");
        assert_eq!(place.read(name), content.as_bytes());
    }
}

#[test]
fn show_prints_every_form_of_the_public_key() {
    let place = Place::new("show");
    place.key("plain.key");
    place.encrypted_key("sealed.key");
    let public = key().public_key();
    for name in ["plain.key", "sealed.key"] {
        let whole = place.run(&["softsign", "show", name]).succeeded().out;
        let rows: Vec<&str> = whole.lines().skip(1).collect();
        assert!(rows[0].contains(&public.to_cosmos_json()), "{whole}");
        assert_eq!(whole.contains("(encrypted)"), name == "sealed.key");
        let forms = [
            ("cosmos-json", public.to_cosmos_json()),
            ("base64", public.to_base64()),
            ("hex", public.to_hex()),
            ("address", public.address_hex()),
        ];
        for (form, text) in &forms {
            assert!(whole.contains(text.as_str()), "{whole}");
            let alone = place.run(&["softsign", "show", "-f", form, name]);
            assert_eq!(alone.succeeded().out, format!("{text}\n"));
        }
        for (form, start) in [
            ("bech32", "osmovalconspub1zcjduepq"),
            ("valcons", "osmovalcons1"),
        ] {
            let alone = place.run(&["softsign", "show", "-p", "osmo", "-f", form, name]);
            assert!(alone.succeeded().out.starts_with(start));
        }
    }
    place
        .run(&["softsign", "show", "-f", "xml", "plain.key"])
        .failed(2, "a form is one of");
    place
        .run(&["softsign", "show", "-p", "Ä", "plain.key"])
        .failed(2, "a prefix is");
}

#[test]
fn every_command_that_writes_a_key_prints_what_show_prints() {
    let place = Place::new("same_block");
    place.key("input.key");
    let passphrase = ["--passphrase-file", "passphrase", "--work", super::WORK];
    let sealed = |words: &[&'static str]| [words, &passphrase].concat();
    for (words, path) in [
        (vec!["softsign", "keygen", "new.key"], "new.key"),
        (
            vec!["softsign", "import", "input.key", "imported.key"],
            "imported.key",
        ),
        (
            sealed(&["softsign", "keygen", "-e", "new_sealed.key"]),
            "new_sealed.key",
        ),
        (
            sealed(&[
                "softsign",
                "import",
                "input.key",
                "-e",
                "imported_sealed.key",
            ]),
            "imported_sealed.key",
        ),
        (sealed(&["softsign", "encrypt", "new.key"]), "new.key"),
        (
            vec![
                "softsign",
                "decrypt",
                "new.key",
                "--passphrase-file",
                "passphrase",
            ],
            "new.key",
        ),
    ] {
        let printed = place.run(&words).succeeded().out;
        let shown = place.run(&["softsign", "show", path]).succeeded().out;
        assert!(printed.contains(&shown), "{words:?}: {printed}\n{shown}");
    }
}
