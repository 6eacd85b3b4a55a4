//! What to type when a state or a lock stands in the way.

use super::Exit;
use super::report::{Report, quoted};
use super::setup::position_of;
use crate::config::Chain;
use crate::files;
use crate::store::foreign::ForeignError;
use crate::store::origin::OriginError;
use crate::store::{ClaimError, Damage, OpenError};

/// A state that cannot be used, with the command that mends it. Gives the class.
pub(super) fn state_problem(error: &OpenError, chain: &Chain, report: &mut Report) -> Exit {
    let path = quoted(&chain.state_file.value);
    let file = quoted(report.file());
    let id = chain.id.value;
    let exit = match error {
        OpenError::Locked => Exit::Locked,
        OpenError::Damaged(_)
        | OpenError::Unreadable(_)
        | OpenError::OtherChain(_)
        | OpenError::OtherKey(_)
        | OpenError::Retired(_)
        | OpenError::File(_)
        | OpenError::Io(_) => Exit::State,
    };
    let begin_above = |known: &str| {
        format!(
            "tmkms state init -c {file} --height H {id}, H being {known}above any height that the chain had when this signer stopped; the damaged file is kept"
        )
    };
    let own_file = "write a `state_file` of its own for this chain";
    let cure = match error {
        OpenError::Locked => format!("stop the other signer: `fuser {path}` names it"),
        OpenError::Damaged(Damage::OneRecord(position)) => {
            begin_above(&format!("above {} and ", position.height()))
        }
        OpenError::Unreadable(OriginError::Format(ForeignError::Key)) => own_file.to_owned(),
        OpenError::Damaged(_) | OpenError::Unreadable(OriginError::Format(_)) => begin_above(""),
        OpenError::OtherChain(_) | OpenError::Unreadable(OriginError::OtherChain(_)) => {
            format!("{own_file}, or put this chain's there")
        }
        OpenError::OtherKey(_) | OpenError::Unreadable(OriginError::OtherKey) => format!(
            "put the key back that this state belongs to (`softsign` keeps old ones beside the new, as KEY.old-…), or {own_file}"
        ),
        OpenError::Retired(_) => format!(
            "sign where the state went. Was the export cut short, so that there is no file? run it again: tmkms state export -c {file} {id} OUTPUT. To sign here again, stop the other signer and bring its state back: tmkms state import -c {file} {id} STATE_FILE"
        ),
        OpenError::File(_) | OpenError::Io(_) | OpenError::Unreadable(OriginError::File(_)) => {
            "may this user read and write it, and is its disk mounted?".to_owned()
        }
    };
    report.problem(
        exit,
        chain.state_file.position,
        format!("the state {path}: {error}"),
        cure,
    );
    exit
}

/// Whether a file is what became of a state, to be kept and begun anew above what it may have said.
pub(super) const fn is_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Damaged(_) => true,
        OpenError::Unreadable(OriginError::Format(error)) => !matches!(error, ForeignError::Key),
        OpenError::Unreadable(_)
        | OpenError::Locked
        | OpenError::OtherChain(_)
        | OpenError::OtherKey(_)
        | OpenError::Retired(_)
        | OpenError::File(_)
        | OpenError::Io(_) => false,
    }
}

/// Notes that no file can be made in the state's directory: it is not there, as when its disk is not
/// mounted, or it is somebody else's.
pub(super) fn unusable_directory(chain: &Chain, report: &mut Report) -> bool {
    let state = &chain.state_file;
    let parent = files::directory(&state.value);
    let (what, cure) = if !parent.is_dir() {
        (
            "does not exist".to_owned(),
            format!(
                "is a disk not mounted? else: mkdir -m 700 -p {}",
                quoted(parent)
            ),
        )
    } else if let Err(error) = files::may_change_directory(&state.value) {
        (
            format!("cannot be written to: {error}"),
            format!(
                "give it to the user who runs this: chown {} {}",
                rustix::process::geteuid().as_raw(),
                quoted(parent)
            ),
        )
    } else {
        return false;
    };
    report.problem(
        Exit::State,
        state.position,
        format!("the directory of the state {} {what}", quoted(&state.value)),
        cure,
    );
    true
}

/// A key that is held for its chain by another process. Gives the class.
pub(super) fn claim_problem(error: &ClaimError, chain: &Chain, report: &mut Report) -> Exit {
    let exit = match error {
        ClaimError::Taken => Exit::Locked,
        ClaimError::Io(_) => Exit::Failed,
    };
    report.problem(
        exit,
        position_of(chain),
        format!("{}: {error}", chain.id.value),
        "stop the other signer; `grep tmkms- /proc/net/unix` shows what is held, `pgrep -a tmkms` who runs"
            .to_owned(),
    );
    exit
}
