//! Threads, signals, and the end of the process.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::Exit;
use super::report::complain;
use crate::session::{End, Event, Session};
use crate::store::Claim;
use crate::types::ChainId;

/// Far more than a session's buffers and frames take.
const STACK_LEN: usize = 512 * 1024;
/// How long a disk or a device that hangs keeps the process from ending.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

enum News {
    Session(usize, Event),
    AskedToStop,
}

/// What is left of one session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    Ended(End),
}

/// One session as the supervisor sees it.
struct Watched {
    chain: ChainId,
    life: Life,
    poisoned: bool,
}

/// Runs every session until the process is asked to stop or no chain can be served any more.
///
/// `claims` are held to the very end.
pub(super) fn run(sessions: Vec<Session>, claims: Vec<Claim>) -> Exit {
    let sessions: Vec<_> = sessions.into_iter().map(Arc::new).collect();
    // Held by its thread alone, a session that ends by itself drops its keys.
    let running = sessions.iter().map(Arc::downgrade).collect();
    let exit = serve(sessions);
    stop(running);
    drop(claims);
    exit
}

fn serve(sessions: Vec<Arc<Session>>) -> Exit {
    let (tell, news) = channel();
    if let Err(error) = listen_for_signals(tell.clone()) {
        complain(
            &format_args!("cannot listen for signals: {error}"),
            "is the process limit reached?",
        );
        return Exit::Failed;
    }
    let mut watched: Vec<Watched> = Vec::new();
    for (index, session) in sessions.into_iter().enumerate() {
        watched.push(Watched {
            chain: *session.chain_id(),
            life: Life::Running,
            poisoned: false,
        });
        let tell = tell.clone();
        let spawned = thread::Builder::new()
            .name(format!("validator-{index}"))
            .stack_size(STACK_LEN)
            .spawn(move || {
                session.run(|event| {
                    // The supervisor outlives every session.
                    drop(tell.send(News::Session(index, event)));
                });
            });
        if let Err(error) = spawned {
            complain(
                &format_args!("cannot start a thread: {error}"),
                "is the process limit reached?",
            );
            return Exit::Failed;
        }
    }
    loop {
        match news.recv() {
            Ok(News::Session(index, event)) => {
                note(&mut watched, index, event);
                if let Some(exit) = verdict(&watched) {
                    return exit;
                }
            }
            Ok(News::AskedToStop) => {
                log::info!(target: "tmkms::commands::start", "asked to stop");
                return Exit::Done;
            }
            Err(_) => return Exit::Failed,
        }
    }
}

/// Finishes the signatures under way and wipes the keys: the memory of a process that has ended is somebody
/// else's. The threads go on, waiting for their nodes.
fn stop(sessions: Vec<Weak<Session>>) {
    let (tell, told) = channel::<()>();
    let spawned = thread::Builder::new()
        .name("stop".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || {
            for session in sessions.iter().filter_map(Weak::upgrade) {
                session.stop();
            }
            drop(tell);
        });
    if spawned.is_ok() {
        // Nothing is ever told: the channel closes when all is done.
        let _ = told.recv_timeout(STOP_TIMEOUT);
    }
}

fn listen_for_signals(tell: Sender<News>) -> std::io::Result<()> {
    let (mut heard, signalled) = UnixStream::pair()?;
    let _ = pipe::register(SIGTERM, signalled.try_clone()?)?;
    let _ = pipe::register(SIGINT, signalled)?;
    let _ = thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(STACK_LEN)
        .spawn(move || {
            let mut byte = [0];
            if heard.read_exact(&mut byte).is_ok() {
                drop(tell.send(News::AskedToStop));
            }
        })?;
    Ok(())
}

fn note(watched: &mut [Watched], index: usize, event: Event) {
    let Some(chain) = watched.get(index).map(|session| session.chain) else {
        return;
    };
    let before = is_served(watched, &chain);
    match event {
        Event::Poisoned => watched
            .iter_mut()
            .filter(|session| session.chain == chain)
            .for_each(|session| session.poisoned = true),
        Event::Ended(end) => {
            if let Some(session) = watched.get_mut(index) {
                session.life = Life::Ended(end);
            }
        }
    }
    if before && !is_served(watched, &chain) {
        log::error!(
            target: "tmkms::commands::start",
            "CHAIN {chain} IS NO LONGER SERVED: {}",
            match event {
                Event::Poisoned => "its state cannot be written",
                Event::Ended(_) => "the last of its connections has ended, and `reconnect = false`",
            }
        );
    }
}

fn is_served(watched: &[Watched], chain: &ChainId) -> bool {
    watched.iter().any(|session| {
        session.chain == *chain && session.life == Life::Running && !session.poisoned
    })
}

/// The exit code, once nothing is served any more.
fn verdict(watched: &[Watched]) -> Option<Exit> {
    if watched
        .iter()
        .any(|session| is_served(watched, &session.chain))
    {
        return None;
    }
    Some(if watched.iter().any(|session| session.poisoned) {
        Exit::State
    } else if watched
        .iter()
        .all(|session| session.life == Life::Ended(End::Closed))
    {
        Exit::Done
    } else {
        Exit::Failed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(chains: &[&str]) -> Vec<Watched> {
        chains
            .iter()
            .map(|id| Watched {
                chain: ChainId::new(id).unwrap(),
                life: Life::Running,
                poisoned: false,
            })
            .collect()
    }

    fn after(chains: &[&str], events: &[(usize, Event)]) -> Option<Exit> {
        let mut watched = world(chains);
        for (index, event) in events {
            note(&mut watched, *index, *event);
        }
        verdict(&watched)
    }

    #[test]
    fn goes_on_while_one_chain_is_served() {
        assert_eq!(after(&["a", "b"], &[(0, Event::Poisoned)]), None);
        assert_eq!(after(&["a", "a"], &[(0, Event::Ended(End::Failed))]), None);
        assert_eq!(after(&["a", "b"], &[(1, Event::Ended(End::Closed))]), None);
    }

    #[test]
    fn ends_with_0_when_every_node_closed_its_only_link() {
        let events = [
            (0, Event::Ended(End::Closed)),
            (1, Event::Ended(End::Closed)),
        ];
        assert_eq!(after(&["a", "b"], &events), Some(Exit::Done));
    }

    #[test]
    fn ends_with_1_when_a_link_failed() {
        let events = [
            (0, Event::Ended(End::Closed)),
            (1, Event::Ended(End::Failed)),
        ];
        assert_eq!(after(&["a", "b"], &events), Some(Exit::Failed));
    }

    #[test]
    fn ends_with_5_when_a_state_failed() {
        let events = [(0, Event::Poisoned), (1, Event::Ended(End::Closed))];
        assert_eq!(after(&["a", "b"], &events), Some(Exit::State));
        assert_eq!(
            after(&["a", "a"], &[(1, Event::Poisoned)]),
            Some(Exit::State)
        );
    }
}
