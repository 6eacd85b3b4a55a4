//! Hostile peers: everything that a node, or whoever listens in its place, can do to the socket of the
//! real program. It neither panics nor grows, signs nothing twice, and serves its other chain all along.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::ground::{Ground, Node, Outcome, PATIENCE, Rng, SEED, public_key};
use super::validator::{Block, Connection, Process, Proto, Stream, Validator, VoteRequest};

const CALM: &str = "calm-1";
const STORM: &str = "storm-1";
/// Longer than any deadline of the signer that an attack waits for.
const DEADLINE: Duration = Duration::from_secs(40);

pub fn run(ground: &Ground) -> Outcome {
    let cuts = ground.count(1_000);
    let node = Node::new(&ground.on_disk("hostile")?, CALM)?;
    let storm = Validator::listen_tcp()?;
    node.home.chain(STORM, "")?;
    let _ = node
        .home
        .write_key(&format!("{STORM}-consensus.key"), &SEED)?;
    node.home.validator(STORM, &storm.addr(), "")?;
    node.init(ground)?;
    let mut process = node.home.start(ground.binary())?;
    let pid = process.id();
    let mut calm = node.listener.accept(PATIENCE)?;
    calm.ping()?;

    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let (attacks, before, after) = thread::scope(|scope| {
        // Whatever happens there, here every vote is answered within a node's five seconds.
        let neighbour = scope.spawn(|| -> Result<(), String> {
            let mut height = 0;
            while !over.load(Ordering::SeqCst) {
                height += 1;
                let vote = VoteRequest::precommit(CALM, height, 0);
                let reply = calm.sign_vote(&vote).map_err(|error| error.to_string())?;
                if !reply.signs(&public_key().0, &vote.sign_bytes()) {
                    return Err(format!("{reply:?}"));
                }
                let _ = asked.fetch_add(1, Ordering::SeqCst);
                thread::park_timeout(Duration::from_millis(2));
            }
            Ok(())
        });
        let outcome = storm_of(ground, &storm, &mut process, pid, cuts);
        over.store(true, Ordering::SeqCst);
        match neighbour.join() {
            Ok(Ok(())) => outcome,
            Ok(Err(error)) => Err(format!("the other chain: {error}").into()),
            Err(_) => Err("the other chain's node has failed".into()),
        }
    })?;
    let lines = process.lines();
    if let Some(line) = lines.iter().find(|line| line.contains("panicked")) {
        return Err(format!("it panicked: {line}").into());
    }
    ground.say(&format!(
        "{attacks} hostile connections of {} kinds, {cuts} of them cut at one byte after another: no panic, threads {} → {}, \
         open files {} → {}, resident memory {} → {} KiB, {} log lines; {} votes of the other chain answered meanwhile (seed {})",
        ATTACKS.len() + 2,
        before.threads,
        after.threads,
        before.files,
        after.files,
        before.resident,
        after.resident,
        lines.len(),
        asked.load(Ordering::SeqCst),
        ground.seed
    ));
    if before.threads != after.threads || before.files != after.files {
        return Err("threads or open files grew".into());
    }
    if after.resident > before.resident + RESIDENT_SLACK {
        return Err("memory grew".into());
    }
    Ok(())
}

/// What the allocator may keep for itself, in KiB: less than one message of the longest that is read.
const RESIDENT_SLACK: u64 = 1_024;

#[derive(Debug, Clone, Copy)]
struct Size {
    threads: u64,
    files: u64,
    resident: u64,
}

impl Size {
    fn of(pid: u32) -> Result<Self, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |name: &str| -> Option<u64> {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Ok(Self {
            threads: number("Threads:").ok_or("no threads")?,
            files: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
            resident: number("VmRSS:").ok_or("no memory")?,
        })
    }
}

type Storm = (u64, Size, Size);

fn storm_of(
    ground: &Ground,
    listener: &Validator,
    process: &mut Process,
    pid: u32,
    cuts: u64,
) -> Result<Storm, Box<dyn Error>> {
    let mut rng = ground.rng();
    let mut height = 0;
    let mut attacks = 0;
    // Every buffer has its size after a first message of each length.
    let mut warm = listener.accept(PATIENCE)?;
    let extension = vec![7; 60_000];
    let _ = warm.sign_vote(&VoteRequest::precommit(STORM, 1, 0).with_extension(&extension))?;
    drop(warm);
    peace(listener, &mut height)?;
    let before = at_rest(listener, pid)?;
    for (name, attack) in ATTACKS {
        let run = || -> Outcome {
            let mut stream = listener.accept_stream(PATIENCE)?;
            attack(&mut stream, listener, &mut rng)
        };
        let mut run = run;
        run().map_err(|error| format!("{name}: {error}"))?;
        attacks += 1;
        if process.wait(Duration::ZERO)?.is_some() {
            return Err(format!("{name}: the process has ended").into());
        }
        peace(listener, &mut height).map_err(|error| format!("after {name}: {error}"))?;
    }
    for cut in 0..cuts {
        cut_at(listener, cut, &mut height)?;
        attacks += 1;
    }
    for round in 0..cuts {
        garbled(listener, &mut rng, height).map_err(|error| format!("garbled {round}: {error}"))?;
        attacks += 1;
    }
    // A garbled height may have been signed, and what lies below it is refused from then on.
    Ok((attacks, before, at_rest(listener, pid)?))
}

/// With a link that stands, so that no dial is under way.
fn at_rest(listener: &Validator, pid: u32) -> Result<Size, Box<dyn Error>> {
    let mut node = listener.accept(PATIENCE)?;
    while node.ping().is_err() {
        node = listener.accept(PATIENCE)?;
    }
    Size::of(pid)
}

/// A stock node on the same socket: it is served as if nothing had been.
fn peace(listener: &Validator, height: &mut i64) -> Outcome {
    // A dial that was made before the attack ended may wait in the queue, closed.
    for _ in 0..5 {
        let Ok(mut node) = listener.accept(DEADLINE) else {
            continue;
        };
        if node.ping().is_err() {
            continue;
        }
        *height += 1;
        let vote = VoteRequest::prevote(STORM, *height + 1, 0);
        let reply = node.sign_vote(&vote)?;
        if !reply.signs(&public_key().0, &vote.sign_bytes()) {
            return Err(format!("{reply:?}").into());
        }
        let other = vote.with_block(Some(Block::numbered(2)));
        if node.sign_vote(&other)?.error.is_none() {
            return Err("TWO SIGNATURES".into());
        }
        return Ok(());
    }
    Err("it does not come back".into())
}

/// The link breaks off inside a request: at the first byte, the second, and so on.
fn cut_at(listener: &Validator, cut: u64, height: &mut i64) -> Outcome {
    let mut node = listener.accept(PATIENCE)?;
    node.ping()?;
    *height += 1;
    let vote = VoteRequest::prevote(STORM, *height + 1, 0);
    let mut message = Vec::new();
    message.push(u8::try_from(vote.body().len()).unwrap_or(0x7f));
    message.extend_from_slice(&vote.body());
    let sealed = node.sealed(&message)?;
    let cut = cut as usize % (sealed.len() + 1);
    node.stream().write_all(&sealed[..cut])?;
    Ok(())
}

/// A valid request with a few bytes changed, sealed as it should be: it is answered or hung up on.
fn garbled(listener: &Validator, rng: &mut Rng, height: i64) -> Outcome {
    let mut node = listener.accept(PATIENCE)?;
    node.ping()?;
    let vote = VoteRequest::precommit(STORM, height + 1, 0).with_extension(b"extension");
    let mut body = vote.body();
    for _ in 0..=rng.below(3) {
        let at = rng.below(body.len() as u64) as usize;
        match rng.below(3) {
            0 => body[at] ^= 1 << rng.below(8),
            1 => body[at] = (rng.next() >> 56) as u8,
            _ => drop(body.remove(at)),
        }
    }
    let _ = node.send(&body);
    node.set_timeout(DEADLINE);
    match node.receive() {
        // No longer than nodes read, or it would be an error.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err("no answer".into()),
        Err(_) => Ok(()),
    }
}

type Attack = fn(&mut Stream, &Validator, &mut Rng) -> Outcome;

/// Named after what arrives. All must end with the signer hanging up, or with its answer.
const ATTACKS: &[(&str, Attack)] = &[
    ("nothing, closed at once", |_, _, _| Ok(())),
    ("one byte of a handshake", |it, _, _| {
        send_and_close(it, &[0x22])
    }),
    ("half a handshake", |it, _, _| {
        send_and_close(it, &HELLO_ZERO[..20])
    }),
    ("a handshake of a point of low order", |it, _, _| {
        refuses(it, &HELLO_ZERO)
    }),
    ("a handshake of a point of order eight", |it, _, _| {
        let mut hello = HELLO_ZERO;
        hello[3..].copy_from_slice(&ORDER_EIGHT);
        refuses(it, &hello)
    }),
    ("a handshake that says another length", |it, _, _| {
        let mut hello = HELLO_ZERO;
        hello[0] = 0x7f;
        refuses(it, &hello)
    }),
    ("a handshake of 2^63 bytes", |it, _, _| refuses(it, &HUGE)),
    ("a handshake of noise", |it, _, rng| {
        let noise: Vec<u8> = (0..35).map(|_| (rng.next() >> 56) as u8).collect();
        refuses(it, &noise)
    }),
    ("a mebibyte of noise", |it, _, rng| {
        let noise: Vec<u8> = (0..1 << 20).map(|_| (rng.next() >> 56) as u8).collect();
        refuses(it, &noise)
    }),
    ("an HTTP request", |it, _, _| {
        refuses(
            it,
            b"GET /metrics HTTP/1.1\r\nHost: localhost:26658\r\n\r\n",
        )
    }),
    ("its own handshake, sent back", |it, _, _| {
        let mut hello = [0; 35];
        it.read_exact(&mut hello)?;
        it.write_all(&hello)?;
        drain(it)
    }),
    ("a handshake, then noise for a frame", |it, _, rng| {
        let mut hello = HELLO_ZERO;
        // A point of the whole group: the base point.
        hello[3..].fill(0);
        hello[3] = 9;
        it.write_all(&hello)?;
        let noise: Vec<u8> = (0..1044).map(|_| (rng.next() >> 56) as u8).collect();
        refuses(it, &noise)
    }),
    ("a handshake that never ends", |it, _, _| drain(it)),
    ("a handshake at a byte a second", |it, _, _| {
        slowly(it, &HELLO_ZERO[..34])
    }),
    ("noise after the handshake", |it, node, rng| {
        let mut link = link(it, node)?;
        let noise: Vec<u8> = (0..4 * 1044).map(|_| (rng.next() >> 56) as u8).collect();
        link.stream().write_all(&noise)?;
        Ok(link.expect_close()?)
    }),
    ("a message of 2^63 bytes", |it, node, _| {
        hung_up(it, node, &HUGE)
    }),
    ("a message of 2^64 − 1 bytes", |it, node, _| {
        hung_up(
            it,
            node,
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        )
    }),
    ("a length without an end", |it, node, _| {
        hung_up(it, node, &[0xff; 200])
    }),
    ("a message of 2 GiB, begun", |it, node, _| {
        let mut bytes = vec![0x80, 0x80, 0x80, 0x80, 0x08];
        bytes.resize(3_000, 0x2a);
        hung_up(it, node, &bytes)
    }),
    ("a message at a byte a second", |it, node, _| {
        let mut link = link(it, node)?;
        let sealed = link.sealed(&[2, 0x3a, 0])?;
        slowly(link.stream(), &sealed)
    }),
    ("a message half sent, then silence", |it, node, _| {
        let mut link = link(it, node)?;
        let sealed = link.sealed(&[2, 0x3a, 0])?;
        link.stream().write_all(&sealed[..500])?;
        link.set_timeout(DEADLINE);
        Ok(link.expect_close()?)
    }),
    ("a frame twice", |it, node, _| {
        let mut link = link(it, node)?;
        let sealed = link.sealed(&[2, 0x3a, 0])?;
        link.stream().write_all(&sealed)?;
        let _ = link.receive()?;
        link.stream().write_all(&sealed)?;
        Ok(link.expect_close()?)
    }),
    ("two frames the wrong way round", |it, node, _| {
        let mut link = link(it, node)?;
        let first = link.sealed(&[2, 0x3a, 0])?;
        let second = link.sealed(&[2, 0x3a, 0])?;
        link.stream().write_all(&second)?;
        link.stream().write_all(&first)?;
        Ok(link.expect_close()?)
    }),
    ("one bit of a frame changed", |it, node, rng| {
        let mut link = link(it, node)?;
        let mut sealed = link.sealed(&[2, 0x3a, 0])?;
        let at = rng.below(sealed.len() as u64) as usize;
        sealed[at] ^= 1 << rng.below(8);
        link.stream().write_all(&sealed)?;
        Ok(link.expect_close()?)
    }),
    ("an empty message", |it, node, _| hung_up(it, node, &[0])),
    ("a response for a request", |it, node, _| {
        hung_up(it, node, &[2, 0x42, 0])
    }),
    ("an envelope that nobody knows", |it, node, _| {
        hung_up(it, node, &[4, 0xfa, 0x01, 0x01, 0x00])
    }),
    ("a message that is cut in its middle", |it, node, _| {
        let body = VoteRequest::prevote(STORM, 5, 0).body();
        let mut message = vec![50];
        message.extend_from_slice(&body[..50]);
        hung_up(it, node, &message)
    }),
    ("ten thousand groups inside one another", |it, node, _| {
        let mut body = vec![0x1a, 0x90, 0x4e];
        body.resize(10_003, 0x0b);
        let mut link = link(it, node)?;
        link.send(&body)?;
        answered_or_closed(&mut link)
    }),
    ("a megabyte of extension", |it, node, _| {
        let mut link = link(it, node)?;
        let vote = VoteRequest::prevote(STORM, 1, 0).with_extension(&vec![1; 900_000]);
        link.send(&vote.body())?;
        answered_or_closed(&mut link)
    }),
    ("more than any message may be", |it, node, _| {
        let mut link = link(it, node)?;
        let vote = VoteRequest::prevote(STORM, 1, 0).with_extension(&vec![1; 9_000_000]);
        let _ = link.send(&vote.body());
        answered_or_closed(&mut link)
    }),
    ("requests without reading the replies", |it, node, _| {
        let mut link = link(it, node)?;
        let ping = link.sealed(&[2, 0x3a, 0])?;
        link.stream().write_all(&ping)?;
        // Until it no longer takes any, because nobody takes its replies.
        if let Stream::Tcp(stream) = link.stream() {
            stream.set_write_timeout(Some(DEADLINE))?;
        }
        for _ in 0..200_000 {
            let sealed = link.sealed(&[2, 0x3a, 0])?;
            if link.stream().write_all(&sealed).is_err() {
                return Ok(());
            }
        }
        Err("it took 200,000 requests and nobody its replies".into())
    }),
    ("raw bytes to be signed (v1)", |it, node, _| {
        let raw = Proto::new().bytes(1, &VoteRequest::prevote(STORM, 9, 0).sign_bytes());
        signs_nothing(it, node, &Proto::new().message(9, &raw).into_bytes())
    }),
    ("raw bytes to be signed (Celestia)", |it, node, _| {
        let raw = Proto::new()
            .bytes(1, STORM.as_bytes())
            .bytes(2, &VoteRequest::prevote(STORM, 9, 0).sign_bytes())
            .bytes(3, b"unique");
        signs_nothing(it, node, &Proto::new().message(9, &raw).into_bytes())
    }),
    ("ten thousand frames without data", |it, node, _| {
        let mut link = link(it, node)?;
        for _ in 0..10_000 {
            if let Ok(sealed) = empty_frame(&mut link)
                && link.stream().write_all(&sealed).is_err()
            {
                return Ok(());
            }
        }
        // They carry nothing, so what follows is still understood, unless it took too long.
        let _ = link.ping();
        Ok(())
    }),
    ("values that no honest node sends", |it, node, _| {
        let mut link = link(it, node)?;
        let votes: [fn(&mut VoteRequest); 8] = [
            |it| it.kind = 0,
            |it| it.kind = 32,
            |it| it.height = 0,
            |it| it.height = i64::MIN,
            |it| it.round = -1,
            |it| it.chain_id = "another-1".to_owned(),
            |it| it.chain_id = "x".repeat(5_000),
            |it| {
                it.block = Some(Block {
                    total: 0,
                    ..Block::numbered(1)
                })
            },
        ];
        for change in votes {
            let mut vote = VoteRequest::precommit(STORM, 1 << 40, 0);
            change(&mut vote);
            let reply = link.sign_vote(&vote)?;
            if reply.error.is_none() || !reply.signature.is_empty() {
                return Err(format!("{vote:?} was signed").into());
            }
        }
        Ok(())
    }),
];

const HELLO_ZERO: [u8; 35] = {
    let mut hello = [0; 35];
    (hello[0], hello[1], hello[2]) = (0x22, 0x0a, 0x20);
    hello
};

/// RFC 7748's curve has this point of order eight.
const ORDER_EIGHT: [u8; 32] = [
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
    0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
];

/// 2^63 as a varint.
const HUGE: [u8; 10] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];

fn link(stream: &mut Stream, _node: &Validator) -> Result<Connection, Box<dyn Error>> {
    let stream = match stream {
        Stream::Tcp(stream) => Stream::Tcp(stream.try_clone()?),
        Stream::Unix(stream) => Stream::Unix(stream.try_clone()?),
    };
    let identity = tmkms::keys::SigningKey::from_seed(&[0x77; 32]).map_err(|_| "all zeros")?;
    let mut link = Connection::handshake(stream, &identity, PATIENCE)?;
    link.set_timeout(DEADLINE);
    Ok(link)
}

fn send_and_close(stream: &mut Stream, bytes: &[u8]) -> Outcome {
    Ok(stream.write_all(bytes)?)
}

/// Sends what is no handshake, and waits for the signer to hang up.
fn refuses(stream: &mut Stream, bytes: &[u8]) -> Outcome {
    // It may have hung up before the last byte.
    let _ = stream.write_all(bytes);
    drain(stream)
}

/// Reads to the end, which must come by the signer's own deadline.
fn drain(stream: &mut Stream) -> Outcome {
    if let Stream::Tcp(stream) = stream {
        stream.set_read_timeout(Some(DEADLINE))?;
    }
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Err("it does not hang up".into());
            }
            Err(_) => return Ok(()),
        }
    }
}

/// A byte a second, until it is hung up on; never longer than the deadline.
fn slowly(stream: &mut Stream, bytes: &[u8]) -> Outcome {
    for byte in bytes.iter().cycle().take(40) {
        if stream.write_all(&[*byte]).is_err() {
            return Ok(());
        }
        thread::sleep(Duration::from_secs(1));
    }
    Err("forty bytes in forty seconds, and it still listens".into())
}

/// Sends bytes, sealed, and waits for the end.
fn hung_up(stream: &mut Stream, node: &Validator, bytes: &[u8]) -> Outcome {
    let mut link = link(stream, node)?;
    link.send_raw(bytes)?;
    Ok(link.expect_close()?)
}

fn answered_or_closed(link: &mut Connection) -> Outcome {
    match link.receive() {
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err("neither".into()),
        _ => Ok(()),
    }
}

/// Whatever the answer is, there is no signature in it.
fn signs_nothing(stream: &mut Stream, node: &Validator, body: &[u8]) -> Outcome {
    let mut link = link(stream, node)?;
    link.send(body)?;
    let Ok(reply) = link.receive() else {
        return Ok(());
    };
    let forbidden = VoteRequest::prevote(STORM, 9, 0).sign_bytes();
    let key = ed25519_compact::PublicKey::new(public_key().0);
    let found = reply.windows(64).any(|window| {
        ed25519_compact::Signature::from_slice(window)
            .is_ok_and(|signature| key.verify(&forbidden, &signature).is_ok())
    });
    if found {
        return Err("it signed raw bytes that are a vote".into());
    }
    Ok(())
}

fn empty_frame(link: &mut Connection) -> std::io::Result<Vec<u8>> {
    link.sealed_frame(&[])
}
