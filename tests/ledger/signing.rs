//! Votes and proposals through the device.

use crate::scene::Scene;

#[test]
fn a_height_is_signed() {
    let mut running = Scene::new("height").run();
    for height in 1..4 {
        running.proposes(&running.scene.proposal(height, 0));
        running.signs(&running.scene.prevote(height));
        running.signs(&running.scene.precommit(height));
    }
    let (scene, lines) = running.ends();
    assert_eq!(scene.app.signed().len(), 9);
    assert!(lines.iter().all(|line| !line.contains("ledger_transport")));
}
