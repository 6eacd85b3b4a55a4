//! The app of a Ledger as a process: `ledger_app PORT SEED [agree]`, the seed in hexadecimal. Prints its public key,
//! then a line whenever its watermark has moved.

mod app;

use std::io::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let read = match arguments.as_slice() {
        [port, seed, rest @ ..] => port.parse().ok().zip(hex(seed)).map(|ok| (ok, rest)),
        _ => None,
    };
    let Some(((port, seed), rest)) = read else {
        eprintln!("ledger_app PORT SEED [agree]");
        return ExitCode::from(2);
    };
    let app = match app::App::start(seed, app::RELEASE, port) {
        Ok(app) => app,
        Err(error) => {
            eprintln!("port {port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    if rest == ["agree"] {
        app.agree();
    }
    let key: String = app
        .public_key()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("{key}");
    let mut shown = None;
    loop {
        let now = app.watermark();
        if now != shown {
            println!("{now:?}");
            shown = now;
        }
        if std::io::stdout().flush().is_err() {
            return ExitCode::SUCCESS;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    bytes?.try_into().ok()
}
