//! `rtrun-hook irq-affinity`.

use crate::Node;
use crate::input::Input;
use rtrun_hooks::annotation::Verify;
use rtrun_hooks::irq;
use rtrun_hooks::ledger::{Claim, Owner, Report};

/// Books the container's claims for its init, or drops those of owners that have ended.
pub fn run(node: &Node, input: &Input) -> Result<(), String> {
    let (host, ledger) = (node.host(), node.ledger());
    if input.has_ended() {
        return ledger.reconcile().map(drop).map_err(|error| error.to_string());
    }
    let Some(wish) = input.wish()? else { return Ok(()) };
    let source = |device: &_| irq::source(&host, device);
    let claims = irq::claims(&wish.annotations, wish.cpus.as_ref(), wish.priority, source);
    let claims = claims.map_err(|error| error.to_string())?;
    if claims.is_empty() {
        return Ok(());
    }
    let owner = Owner::of(&host, input.id(), input.pid()).map_err(|error| error.to_string())?;
    let report = ledger.book(&owner, &claims).map_err(|error| error.to_string())?;
    if wish.annotations.verify != Some(Verify::Off) {
        for outcome in report.unmovable() {
            eprintln!("rtrun-hook: container {}: {outcome}", input.id());
        }
    }
    match (problems(&report, &claims), wish.annotations.verify.unwrap_or(Verify::Strict)) {
        (None, _) | (_, Verify::Off) => Ok(()),
        (Some(problems), Verify::Warn) => {
            eprintln!("rtrun-hook: container {}: {problems}", input.id());
            Ok(())
        }
        (Some(problems), Verify::Strict) => {
            ledger.release(&owner).map_err(|error| format!("{problems}; and giving the rest back: {error}"))?;
            Err(format!("{problems}; org.rtrun.verify=warn starts it all the same"))
        }
    }
}

/// What is not as asked.
fn problems(report: &Report, claims: &[Claim]) -> Option<String> {
    let ours = report.failures().filter(|outcome| claims.iter().any(|claim| claim.concerns(&outcome.target)));
    let lines: Vec<String> = ours.map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}
