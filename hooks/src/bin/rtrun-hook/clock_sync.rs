//! `rtrun-hook clock-sync`.

use crate::Node;
use crate::input::Input;
use rtrun_hooks::clock::{self, Gate};

/// Waits until the clock is as good as the container wants it; there is nothing to undo when it has ended.
pub fn run(node: &Node, input: &Input) -> Result<(), String> {
    if input.has_ended() {
        return Ok(());
    }
    let Some(wish) = input.wish()? else { return Ok(()) };
    let Some(gate) = Gate::asked(&wish.annotations.clock) else { return Ok(()) };
    let sources = clock::open_all(&wish.annotations.clock.sources, &clock::no_cards);
    let sources = sources.map_err(|error| error.to_string())?;
    let passage = gate.wait(&sources, &node.clock_samples()).map_err(|error| error.to_string())?;
    if !passage.good {
        eprintln!("rtrun-hook: container {}: {passage}", input.id());
    }
    Ok(())
}
