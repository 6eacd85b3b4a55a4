use super::provider::{Backend, Built};
use super::*;

/// Every backend, whatever this build has.
const ALL: [Backend; 4] = [
    Backend::new("softsign", Built::In),
    Backend::new("yubihsm", Built::In),
    Backend::new("ledgertm", Built::In),
    Backend::new("fortanixdsm", Built::In),
];

fn problems(text: &str) -> Vec<String> {
    match read(text, Purpose::Sign, &ALL) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn scratch() {
    println!("{:#?}", problems(&template("/home/user/.kms", &[])));
    println!(
        "{:#?}",
        problems(&template("/home/user/.kms", &NETWORKS[..4]))
    );
    println!("{:#?}", problems(""));
}
