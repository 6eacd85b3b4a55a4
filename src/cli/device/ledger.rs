//! `[[providers.ledgertm]]` as a device.

use super::super::Exit;
use super::super::holder::ChainKey;
use super::super::report::Report;
use super::Ask;
use super::hold::{Provider, Slot, hold};
use crate::backend::ledger::{Ledger, MESSAGE_MAX_LEN, Route, too_long};
use crate::config::{Chain, Config, Ledgertm, Problem};

/// The provider's name in the configuration.
pub(in crate::cli) const NAME: &str = "ledgertm";

/// The keys of all chains whose provider this is. What is wrong goes into the report.
pub(super) fn chain_keys(config: &Config, ask: Ask, report: &mut Report) -> Vec<ChainKey> {
    let mut keys = Vec::new();
    for ledger in &config.ledgertm {
        let position = ledger.chain_id.position;
        let provider = Provider {
            name: NAME,
            is_shared: false,
            position,
            slots: vec![Slot {
                chain_ids: vec![ledger.chain_id],
                position,
            }],
        };
        let id = ledger.chain_id.value;
        if let Some(chain) = config.chains.iter().find(|chain| chain.id.value == id)
            && ask != Ask::Unknown
        {
            tell_limits(chain, ledger, report);
        }
        let device = Ledger::new(route(ledger));
        keys.extend(hold(device, &provider, &config.chains, ask, report));
    }
    keys
}

/// Where the device is.
pub(in crate::cli) fn route(ledger: &Ledgertm) -> Route {
    ledger.emulator.map_or(Route::Hid, Route::Tcp)
}

/// What the app does not sign for this chain, said before the chain relies on it.
fn tell_limits(chain: &Chain, ledger: &Ledgertm, report: &mut Report) {
    let position = ledger.chain_id.position;
    let id = chain.id.value;
    for message in too_long(&id) {
        let text = format!(
            "the Ledger's app signs no {} of {id}: with this chain id they get {} bytes long, and {MESSAGE_MAX_LEN} is the most",
            message.what, message.len
        );
        if message.is_vital {
            let cure = "use another provider";
            report.problem(Exit::Config, position, text, cure.to_owned());
        } else {
            report.warning(Problem {
                position: Some(position),
                message: text,
                cure: "the chain goes on without what is not signed; if that is too little, use another provider"
                    .to_owned(),
            });
        }
    }
    let (message, cure) = match chain.sign_extensions {
        Some(false) => return,
        None => (
            format!(
                "the Ledger's app signs no vote extensions: empty ones of {id} are left unsigned, others refused with their precommit"
            ),
            "a chain without vote extensions needs nothing more; one that has them needs another provider: its nodes stop without the signature, also over an empty one",
        ),
        Some(true) => (
            format!(
                "the Ledger's app signs no vote extensions: every precommit of {id} with one is refused"
            ),
            "remove `sign_extensions = true`, or use another provider",
        ),
    };
    report.warning(Problem {
        position: Some(position),
        message,
        cure: cure.to_owned(),
    });
}
