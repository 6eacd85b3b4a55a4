//! A stand-in for Fortanix DSM: real TLS, the service's JSON, and faults on demand.
//!
//! `dsm-server DIR [--port PORT] [--import NAME priv_validator_key.json]…` makes certificates, an API key and
//! keys below DIR, or takes those that are there, and prints the ports that it serves and is controlled at:
//! `https PORT` and `control PORT`. What can be told to the control port stands in `control.rs`.

#![forbid(unsafe_code)]

mod certificates;
mod control;
mod http;
mod keys;
mod service;

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::{ServerConnection, StreamOwned};

use certificates::Certificates;
use control::World;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("name a directory")?);
    let mut port = 0;
    let mut imports = Vec::new();
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or("a value is missing");
        match flag.as_str() {
            "--port" => port = value()?.parse()?,
            "--import" => imports.push((value()?, PathBuf::from(value()?))),
            other => return Err(format!("what is {other}?").into()),
        }
    }
    std::fs::create_dir_all(&dir)?;
    let certificates = Certificates::open(&dir)?;
    let mut world = World::new(certificates, service::api_key(&dir)?);
    for (name, path) in imports {
        world.keys.import(&name, &path)?;
    }
    let world = Arc::new(Mutex::new(world));
    let service = TcpListener::bind(("127.0.0.1", port))?;
    let control = TcpListener::bind(("127.0.0.1", 0))?;
    println!("https {}", service.local_addr()?.port());
    println!("control {}", control.local_addr()?.port());
    let told = Arc::clone(&world);
    thread::spawn(move || {
        for stream in control.incoming().flatten() {
            let world = Arc::clone(&told);
            thread::spawn(move || control::obey(&stream, &world));
        }
    });
    for stream in service.incoming().flatten() {
        let world = Arc::clone(&world);
        thread::spawn(move || serve(stream, &world));
    }
    Ok(())
}

/// Whatever thread failed while it held the lock, the world is whole.
fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, world: &Arc<Mutex<World>>) {
    let Ok(config) = lock(world).connected(&stream) else {
        return;
    };
    let _ = stream.set_nodelay(true);
    let Some(config) = config else {
        // Somebody who does not speak TLS.
        let _ = http::plain(&stream);
        return;
    };
    let Ok(tls) = ServerConnection::new(config) else {
        return;
    };
    let mut stream = StreamOwned::new(tls, stream);
    while let Ok(Some(request)) = http::Request::read(&mut stream) {
        match service::answer(&mut stream, &request, world) {
            Ok(true) => {}
            Ok(false) | Err(_) => break,
        }
    }
    stream.conn.send_close_notify();
    let _ = stream.conn.complete_io(&mut stream.sock);
}
