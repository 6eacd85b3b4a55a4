//! `make install`: everything in its place, and the unit names the program where it lies.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::scene::{BINARY, Scene};

#[test]
fn puts_everything_in_its_place() {
    let scene = Scene::new("install");
    let root = scene.home.path("root");
    let output = Command::new("make")
        .arg("install")
        .arg(format!("DESTDIR={}", root.display()))
        .args(["PREFIX=/opt/kms", &format!("BINARY={BINARY}")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Of the make that runs the tests.
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    let prefix = root.join("opt/kms");
    for (name, mode, begin) in [
        ("bin/tmkms", 0o755, "\u{7f}ELF"),
        (
            "lib/systemd/system/tmkms.service",
            0o644,
            "# tmkms as a service",
        ),
        ("lib/sysusers.d/tmkms.conf", 0o644, "# The user"),
        ("lib/tmpfiles.d/tmkms.conf", 0o644, "# What"),
        (
            "share/bash-completion/completions/tmkms",
            0o644,
            "# tmkms completions bash",
        ),
        ("share/zsh/site-functions/_tmkms", 0o644, "#compdef tmkms"),
        (
            "share/fish/vendor_completions.d/tmkms.fish",
            0o644,
            "# tmkms completions fish",
        ),
        ("lib/udev/rules.d/60-yubihsm.rules", 0o644, "# udev"),
        ("share/doc/tmkms/tmkms-yubihsm.conf", 0o644, "# A drop-in"),
        ("share/man/man1/tmkms.1", 0o644, ".TH TMKMS 1"),
        ("share/doc/tmkms/LICENSE", 0o644, ""),
    ] {
        let path = prefix.join(name);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(bytes.starts_with(begin.as_bytes()), "{name}");
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(found, mode, "{name}");
    }
    let unit = fs::read_to_string(prefix.join("lib/systemd/system/tmkms.service")).unwrap();
    assert!(
        unit.contains("\nExecStart=/opt/kms/bin/tmkms start"),
        "{unit}"
    );
}

#[test]
fn the_user_and_the_directory_are_understood() {
    let config = format!("{}/config", env!("CARGO_MANIFEST_DIR"));
    for (program, file) in [
        ("systemd-sysusers", "tmkms.sysusers"),
        ("systemd-tmpfiles", "tmkms.tmpfiles"),
    ] {
        let scene = Scene::new(&format!("install_{program}"));
        let root = scene.home.path("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        let mut command = Command::new(program);
        command.arg(format!("--root={}", root.display()));
        if program == "systemd-tmpfiles" {
            fs::write(root.join("etc/passwd"), "tmkms:x:7:7::/:/bin/false\n").unwrap();
            fs::write(root.join("etc/group"), "tmkms:x:7:\n").unwrap();
            command.arg("--create");
        }
        let Ok(output) = command.arg(format!("{config}/{file}")).output() else {
            continue;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        for line in said.lines() {
            assert!(!line.contains(file), "{line}");
        }
    }
}
