//! What a start finds out.

use std::fs;
use std::process::Command;

use super::stage::{BINARY, Stage, VALIDATOR, accept, assert_signs};
use super::validator::Process;

#[test]
fn a_key_that_cannot_sign_votes_is_refused_with_its_reason() {
    for (key, said) in [
        (
            r#"key_name = "nobody""#,
            "it has no key \"nobody\" for this app (404): Security object does not exist",
        ),
        (
            r#"key_id = "00000000-0000-0000-0000-000000000000""#,
            "it has no key 00000000-0000-0000-0000-000000000000 for this app",
        ),
        (
            r#"key_name = "account""#,
            "the key \"account\" is not an Ed25519 key, but SecP256K1",
        ),
        (
            r#"key_name = "verifier""#,
            "the key \"verifier\" is not for signing",
        ),
        (
            r#"key_name = "retired""#,
            "the key \"retired\" is not active, but Deactivated",
        ),
        (r#"key_name = "second""#, "the key \"second\" is disabled"),
    ] {
        let mut stage = Stage::new("keys");
        stage.service.tell("key second disabled");
        stage.chain(key, "");
        let _node = stage.node();
        let (code, printed) = stage.refused();
        assert_eq!(code, 7, "{key}: {printed}");
        assert!(printed.contains(said), "{key}: {printed}");
    }
}

#[test]
fn a_certificate_that_is_wrong_stops_the_start() {
    for (certificate, said) in [
        (
            "other-ca",
            "its certificate is from an authority that is not trusted here",
        ),
        ("other-name", "its certificate is for another name"),
        ("plain", "what answers there does not speak TLS"),
    ] {
        let mut stage = Stage::new("certificates");
        stage.chain(VALIDATOR, "");
        let _node = stage.node();
        stage.begin();
        stage.service.tell(&format!("certificate {certificate}"));
        let (code, printed) = stage.refused();
        assert_eq!(code, 7, "{certificate}: {printed}");
        assert!(printed.contains(said), "{certificate}: {printed}");
        assert_eq!(stage.service.count("sign"), 0);
    }
}

#[test]
fn the_authorities_of_the_world_do_not_vouch_for_a_service_of_ones_own() {
    let stage = Stage::new("public");
    stage.chain(VALIDATOR, "");
    let text = fs::read_to_string(stage.home.config()).unwrap();
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("ca_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(stage.home.config(), text).unwrap();
    let _node = stage.node();
    let (code, printed) = stage.refused();
    assert_eq!(code, 7, "{printed}");
    assert!(
        printed.contains("name its authority with `ca_file`"),
        "{printed}"
    );
}

#[test]
fn a_certificate_out_of_its_time_is_waited_for() {
    for (certificate, said) in [
        ("expired", "its certificate has expired"),
        ("future", "its certificate is not valid yet"),
    ] {
        let mut stage = Stage::new("out-of-time");
        stage.chain(VALIDATOR, "");
        let node = stage.node();
        stage.begin();
        stage.service.tell(&format!("certificate {certificate}"));
        let mut signer = stage.start();
        let _link = accept(&node, &mut signer);
        let found = signer.find(&["WARN", said], super::stage::PATIENCE);
        assert!(found.is_ok(), "{found:?}");
    }
}

#[test]
fn an_answer_that_will_not_change_stops_the_start_and_one_that_may_does_not() {
    for (fault, code, said) in [
        (
            "auth * status 401",
            7,
            "it does not accept the API key (401)",
        ),
        ("auth * status 403", 7, "it does not let this app in (403)"),
        ("auth * status 404", 7, "there is no Fortanix DSM (404)"),
        ("auth * status 301", 7, "it sends us elsewhere (301)"),
        (
            "info * status 403",
            7,
            "this app may not see the key \"validator\" (403)",
        ),
        ("auth * status 500", 7, "says which key it holds"),
        ("auth * status 429 30", 7, "says which key it holds"),
        ("info * status 503", 7, "says which key it holds"),
    ] {
        let mut stage = Stage::new("answers");
        stage.chain(VALIDATOR, "");
        let _node = stage.node();
        stage.service.tell(&format!("fault {fault}"));
        let (found, printed) = stage.refused();
        assert_eq!(found, code, "{fault}: {printed}");
        assert!(printed.contains(said), "{fault}: {printed}");
    }
}

#[test]
fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let mut stage = Stage::new("client");
    stage.service.tell("client on");
    let client = |name: &str| {
        format!(
            "client_cert_file = {:?}\nclient_key_file = {:?}",
            stage.service.file(&format!("{name}.pem")),
            stage.service.file(&format!("{name}.key"))
        )
    };
    for (more, said) in [
        (String::new(), "it does not accept our client certificate"),
        (
            client("other-client"),
            "it does not accept our client certificate",
        ),
        (
            client("client").replace("client.key", "other-client.key"),
            "do not fit",
        ),
    ] {
        fs::write(stage.home.config(), "").unwrap();
        stage.chain(VALIDATOR, &more);
        let _node = stage.node();
        let (code, printed) = stage.refused();
        assert_eq!(code, 7, "{more}: {printed}");
        assert!(printed.contains(said), "{more}: {printed}");
    }
    fs::write(stage.home.config(), "").unwrap();
    let more = client("client");
    stage.chain(VALIDATOR, &more);
    let mut running = stage.run();
    running.signs();
    // And for every connection.
    running.service().tell("drop");
    running.signs();
}

#[test]
fn the_api_key_comes_from_a_file_a_credential_or_the_environment() {
    let stage = Stage::new("sources");
    stage.chain(VALIDATOR, "# no key");
    let node = stage.node();
    let (code, printed) = stage.refused();
    assert_eq!(code, 7, "{printed}");
    assert!(printed.contains("there is no API key"), "{printed}");
    assert!(printed.contains("LoadCredentialEncrypted") && printed.contains("$FORTANIX_API_KEY"));

    let key = fs::read_to_string(stage.service.file("api-key")).unwrap();
    let credentials = stage.home.path("credentials");
    fs::create_dir(&credentials).unwrap();
    let file = credentials.join("fortanix-api-key");
    fs::copy(stage.service.file("api-key"), &file).unwrap();
    let start = |variable: &str, value: &std::ffi::OsStr, init: bool| {
        let mut command = Command::new(BINARY);
        command.env_remove("FORTANIX_API_KEY").env(variable, value);
        let words: &[&str] = if init {
            &["state", "init", "-c"]
        } else {
            &["start", "-c"]
        };
        command.args(words).arg(stage.home.config());
        command
    };
    let begun = start("FORTANIX_API_KEY", key.as_ref(), true)
        .output()
        .unwrap();
    assert!(begun.status.success(), "{begun:?}");
    for (height, (variable, value)) in [
        (1, ("FORTANIX_API_KEY", key.as_ref())),
        (2, ("CREDENTIALS_DIRECTORY", credentials.as_os_str())),
    ] {
        let mut signer = Process::spawn(&mut start(variable, value, false)).unwrap();
        let mut link = accept(&node, &mut signer);
        let vote = stage.vote(height);
        assert_signs(&link.sign_vote(&vote).unwrap(), &vote, 1, &mut signer);
    }
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new("files");
    let file = |name: &str, text: &str, mode| {
        let path = stage.home.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let wide = file("wide", "a2V5", 0o644);
    let empty = file("empty", "\n", 0o600);
    let words = file("words", "two words", 0o600);
    let no_pem = file("no.pem", "-----BEGIN CERTIFICATE-----", 0o644);
    let absent = stage.home.path("absent").to_str().unwrap().to_owned();
    let client = stage.service.file("client.pem");
    for (more, said) in [
        (
            format!("api_key_file = {wide:?}"),
            "a secret that others than its owner may use (mode 0644)",
        ),
        (
            format!("api_key_file = {empty:?}"),
            "its API key is not one",
        ),
        (
            format!("api_key_file = {words:?}"),
            "its API key is not one",
        ),
        (format!("api_key_file = {absent:?}"), "cannot open"),
        (format!("ca_file = {no_pem:?}"), "has no certificate in PEM"),
        (format!("ca_file = {absent:?}"), "No such file or directory"),
        (
            format!("client_cert_file = {client:?}\nclient_key_file = {empty:?}"),
            "has no private key in PEM",
        ),
        (
            format!("client_cert_file = {client:?}\nclient_key_file = {wide:?}"),
            "a secret that others than its owner may use",
        ),
    ] {
        fs::write(stage.home.config(), "").unwrap();
        stage.chain(VALIDATOR, &more);
        let node = stage.node();
        let (code, printed) = stage.refused();
        assert_eq!(code, 7, "{more}: {printed}");
        assert!(printed.contains(said), "{more}: {printed}");
        drop(node);
    }
}

#[test]
fn nothing_is_asked_where_the_state_says_enough() {
    let mut stage = Stage::new("quiet");
    stage.chain(VALIDATOR, "");
    let _node = stage.node();
    stage.begin();
    let before = stage.service.count("connections");
    let (code, printed) = stage.ends(&["state", "show", "-c", "tmkms.toml"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(stage.service.count("connections"), before);
}
