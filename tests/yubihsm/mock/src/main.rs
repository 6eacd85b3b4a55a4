//! A connector with a fake device behind it: the crate's own mock, as a process.
//!
//! `mock-yubihsm 127.0.0.1:12345 ed25519:1 ed25519:2:exportable p256:3 audit:on` listens there, with key 1 and so
//! on made of the seed `[ID; 32]`. Authentication key 1 has the password `password`, as a new device has.

use yubihsm::connector::http::Server;
use yubihsm::{
    AuditOption, Capability, Client, Connector, Credentials, Domain, HttpConfig, asymmetric,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let addr = arguments
        .next()
        .expect("an address, such as 127.0.0.1:12345");
    let (host, port) = addr.rsplit_once(':').expect("host:port");
    let config = HttpConfig {
        addr: host.to_owned(),
        port: port.parse().expect("a port"),
        timeout_ms: 5000,
    };
    let connector = Connector::mockhsm();
    let client = Client::open(connector.clone(), Credentials::default(), false).expect("a session");
    for object in arguments {
        make(&client, &object);
    }
    let server = match Server::new(&config, connector) {
        Ok(server) => server,
        Err(error) => {
            println!("cannot listen on {addr}: {error}");
            std::process::exit(1);
        }
    };
    println!("listening on {addr}");
    loop {
        // One bad request is no reason to end.
        if let Err(error) = server.handle_request() {
            println!("{error}");
        }
    }
}

fn make(client: &Client, object: &str) {
    let words: Vec<&str> = object.split(':').collect();
    match words.as_slice() {
        ["ed25519", id, more @ ..] => {
            let id: u16 = id.parse().expect("a number");
            let mut capabilities = Capability::SIGN_EDDSA;
            for capability in more {
                capabilities |= match *capability {
                    "exportable" => Capability::EXPORTABLE_UNDER_WRAP,
                    other => other.parse().expect("a capability"),
                };
            }
            let seed = [id.to_be_bytes()[1]; 32];
            let algorithm = asymmetric::Algorithm::Ed25519;
            let label = object.into();
            let put =
                client.put_asymmetric_key(id, label, Domain::DOM1, capabilities, algorithm, seed);
            put.expect("a key");
        }
        ["p256", id] => {
            let id: u16 = id.parse().expect("a number");
            let algorithm = asymmetric::Algorithm::EcP256;
            let capabilities = Capability::SIGN_ECDSA;
            let made = client.generate_asymmetric_key(
                id,
                object.into(),
                Domain::DOM1,
                capabilities,
                algorithm,
            );
            made.expect("a key");
        }
        ["audit", "on"] => client
            .set_force_audit_option(AuditOption::On)
            .expect("an option"),
        _ => panic!("what is {object:?}?"),
    }
}
