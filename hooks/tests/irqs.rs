//! The ledger against this machine's own interrupts.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::real::{Init, RealIrqs, functions_with_vectors};
use common::{memory, skip};
use rtrun_hooks::ledger::{Claim, Effect, IrqSource, Ledger, Owner};
use rtrun_hooks::{CpuSet, Host, Target, Value};
use std::path::PathBuf;

struct Private(PathBuf);

impl Private {
    fn new(name: &str) -> Private {
        Private(memory().join(format!("rtrun-ledger-{name}-{}", std::process::id())))
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(&self.0, Host::system())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn mask(irq: u32) -> CpuSet {
    CpuSet::parse(&std::fs::read_to_string(format!("/proc/irq/{irq}/smp_affinity_list")).unwrap()).unwrap()
}

#[test]
fn interrupts_leave_a_cpu_a_devices_come_to_it_and_all_return() {
    let Some(irqs) = RealIrqs::take() else { return };
    let (quiet, private) = (CpuSet::parse("1").unwrap(), Private::new("move"));
    let functions = functions_with_vectors();
    let Some((function, vectors)) = functions.first() else {
        return skip("no PCI function with MSI vectors").unwrap_or(());
    };
    let init = Init::begin();
    let owner = Owner::of(&Host::system(), "real", init.pid()).unwrap();
    let claims = [
        Claim::IrqsAway { cpus: quiet.clone(), onto: None },
        Claim::Steer { source: IrqSource::Pci(function.clone()), cpus: quiet.clone(), priority: Some(60) },
    ];
    let report = private.ledger().book(&owner, &claims).unwrap();
    assert_eq!(report.failures().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    for outcome in &report.outcomes {
        let Target::Irq(number) = outcome.target else { continue };
        let steered = vectors.contains(&number);
        match &outcome.effect {
            Effect::Unmovable { .. } => continue,
            // It has not fired since.
            Effect::Pending => assert_eq!(mask(number).contains(1), steered, "{outcome}"),
            Effect::Set | Effect::Kept => {
                let Some(Value::Cpus(effective)) = &outcome.found else { panic!("{outcome}") };
                assert_eq!(effective.contains(1), steered, "{outcome}");
            }
            _ => panic!("{outcome}"),
        }
    }
    private.ledger().release(&owner).unwrap();
    irqs.assert_as_before();
}

#[test]
fn a_killed_owners_masks_are_put_back_by_the_next() {
    let Some(irqs) = RealIrqs::take() else { return };
    let private = Private::new("kill");
    let init = Init::begin();
    let owner = Owner::of(&Host::system(), "killed", init.pid()).unwrap();
    let claim = Claim::IrqsAway { cpus: CpuSet::parse("0").unwrap(), onto: None };
    private.ledger().book(&owner, &[claim]).unwrap();
    init.end();
    private.ledger().reconcile().unwrap();
    irqs.assert_as_before();
}
