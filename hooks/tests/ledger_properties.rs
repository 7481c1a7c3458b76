//! The ledger's algebra: whatever comes, goes and dies, in whatever order, the kernel has what the living want, and what was
//! before once nobody is left.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use common::FakeHost;
use proptest::prelude::*;
use rtrun_hooks::CpuSet;
use rtrun_hooks::ledger::{Claim, IrqSource, Mode, Owner};
use std::collections::{BTreeMap, BTreeSet};

const CPUS: u32 = 6;
const IRQS: u32 = 3;
const OWNERS: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Book(usize, Vec<Claim>),
    Release(usize),
    Die(usize),
    Reconcile,
}

fn cpus() -> impl Strategy<Value = CpuSet> {
    proptest::collection::btree_set(0..CPUS, 1..4).prop_map(|set: BTreeSet<u32>| set.into_iter().collect())
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Exclusive), Just(Mode::Shared)]
}

fn claim() -> impl Strategy<Value = Claim> {
    prop_oneof![
        cpus().prop_map(|cpus| Claim::IrqsAway { cpus, onto: None }),
        (cpus(), cpus()).prop_filter_map("some CPU left", |(cpus, onto)| {
            (!onto.is_subset(&cpus)).then_some(Claim::IrqsAway { cpus, onto: Some(onto) })
        }),
        (40..40 + IRQS, cpus()).prop_map(|(irq, cpus)| Claim::Steer {
            source: IrqSource::Number(irq),
            cpus,
            priority: None
        }),
        (cpus(), 0u32..100).prop_map(|(cpus, latency_us)| Claim::MaxLatency { cpus, latency_us }),
        (cpus(), prop_oneof![Just("performance"), Just("powersave")])
            .prop_map(|(cpus, governor)| Claim::Governor { cpus, governor: governor.into() }),
        (cpus(), mode()).prop_map(|(cpus, mode)| Claim::Cpus { cpus, mode }),
        (0..2, mode()).prop_map(|(n, mode)| Claim::Device { name: format!("bc635:{n}"), mode }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..OWNERS, proptest::collection::vec(claim(), 1..4)).prop_map(|(owner, claims)| Step::Book(owner, claims)),
        2 => (0..OWNERS).prop_map(Step::Release),
        2 => (0..OWNERS).prop_map(Step::Die),
        1 => Just(Step::Reconcile),
    ]
}

/// Who has what; written independently of the ledger and as plainly as can be.
#[derive(Default)]
struct Model(BTreeMap<usize, BTreeSet<Claim>>);

impl Model {
    fn all(&self) -> impl Iterator<Item = &Claim> {
        self.0.values().flatten()
    }

    /// Whether two owners may have these at once.
    fn compatible(a: &Claim, b: &Claim) -> bool {
        let meet = |a: &CpuSet, b: &CpuSet| a.iter().any(|cpu| b.contains(cpu));
        match (a, b) {
            (Claim::Cpus { cpus: a, mode: m }, Claim::Cpus { cpus: b, mode: n }) => {
                !meet(a, b) || (*m == Mode::Shared && *n == Mode::Shared)
            }
            (Claim::Device { name: a, mode: m }, Claim::Device { name: b, mode: n }) => {
                a != b || (*m == Mode::Shared && *n == Mode::Shared)
            }
            (Claim::Governor { cpus: a, governor: m }, Claim::Governor { cpus: b, governor: n }) => {
                !meet(a, b) || m == n
            }
            _ => true,
        }
    }

    fn admits(&self, owner: usize, claims: &[Claim]) -> bool {
        let concerns = |other: usize, mine: &Claim| other != owner || matches!(mine, Claim::Governor { .. });
        claims.iter().all(|mine| {
            let others = self.0.iter().filter(|(other, _)| concerns(**other, mine)).flat_map(|(_, claims)| claims);
            others.into_iter().all(|theirs| Model::compatible(mine, theirs))
        })
    }

    fn mask(&self, irq: u32) -> BTreeSet<u32> {
        let mut steered = BTreeSet::new();
        let mut quiet = BTreeSet::new();
        let mut preferred = BTreeSet::new();
        let mut moved = false;
        for claim in self.all() {
            match claim {
                Claim::Steer { source: IrqSource::Number(number), cpus, .. } if *number == irq => {
                    steered.extend(cpus.iter());
                }
                Claim::IrqsAway { cpus, onto } => {
                    moved = true;
                    quiet.extend(cpus.iter());
                    preferred.extend(onto.iter().flat_map(|cpus| cpus.iter()));
                }
                _ => {}
            }
        }
        let all: BTreeSet<u32> = (0..CPUS).collect();
        let preferred = if preferred.is_empty() { all.clone() } else { preferred };
        let wished: BTreeSet<u32> = preferred.difference(&quiet).copied().collect();
        let any: BTreeSet<u32> = all.difference(&quiet).copied().collect();
        [steered, if moved { wished } else { all.clone() }, any].into_iter().find(|set| !set.is_empty()).unwrap_or(all)
    }

    fn latency(&self, cpu: u32) -> String {
        let limits = self.all().filter_map(|claim| match claim {
            Claim::MaxLatency { cpus, latency_us } if cpus.contains(cpu) => Some(*latency_us),
            _ => None,
        });
        match limits.min() {
            None => "0".into(),
            Some(0) => "n/a".into(),
            Some(limit) => limit.to_string(),
        }
    }

    fn governor(&self, cpu: u32) -> &str {
        let wished = self.all().find_map(|claim| match claim {
            Claim::Governor { cpus, governor } if cpus.contains(cpu) => Some(governor.as_str()),
            _ => None,
        });
        wished.unwrap_or("schedutil")
    }

    fn check(&self, host: &FakeHost) {
        for irq in 40..40 + IRQS {
            let mask: CpuSet = host.mask(irq).parse().unwrap();
            assert_eq!(mask.iter().collect::<BTreeSet<u32>>(), self.mask(irq), "IRQ {irq}");
        }
        let default = CpuSet::parse_mask(&host.read("proc/irq/default_smp_affinity")).unwrap();
        assert_eq!(default.iter().collect::<BTreeSet<u32>>(), self.mask(0), "default");
        for cpu in 0..CPUS {
            let of = |file: &str| host.read(&format!("sys/devices/system/cpu/cpu{cpu}/{file}"));
            assert_eq!(of("power/pm_qos_resume_latency_us"), self.latency(cpu));
            assert_eq!(of("cpufreq/scaling_governor"), self.governor(cpu));
        }
    }
}

fn claims_conflict_among_themselves(claims: &[Claim]) -> bool {
    let governors: Vec<_> = claims.iter().filter(|claim| matches!(claim, Claim::Governor { .. })).collect();
    governors.iter().any(|a| governors.iter().any(|b| !Model::compatible(a, b)))
}

fn run(steps: &[Step], host: &FakeHost, model: &mut Model) {
    let ledger = host.ledger();
    let mut owners: Vec<Owner> = (0..OWNERS).map(|n| host.process(&format!("c{n}"), 100 + n as i32)).collect();
    let mut next_pid = 200;
    for step in steps {
        match step {
            Step::Book(n, claims) => {
                if claims_conflict_among_themselves(claims) {
                    continue;
                }
                let admitted = model.admits(*n, claims);
                assert_eq!(ledger.book(&owners[*n], claims).is_ok(), admitted, "{claims:?}");
                if admitted {
                    model.0.entry(*n).or_default().extend(claims.iter().cloned());
                }
            }
            Step::Release(n) => {
                ledger.release(&owners[*n]).unwrap();
                model.0.remove(n);
            }
            Step::Die(n) => {
                host.end(&owners[*n]);
                owners[*n] = host.process(&format!("c{n}"), next_pid);
                next_pid += 1;
                model.0.remove(n);
                ledger.reconcile().unwrap();
            }
            Step::Reconcile => drop(ledger.reconcile().unwrap()),
        }
        model.check(host);
    }
    for owner in &owners {
        host.end(owner);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_has_what_the_living_want_and_in_the_end_what_was(steps in proptest::collection::vec(step(), 1..24)) {
        let host = FakeHost::new(CPUS, IRQS);
        let before = host.settings();
        let mut model = Model::default();
        run(&steps, &host, &mut model);
        host.ledger().reconcile().unwrap();
        prop_assert_eq!(host.settings(), before);
        prop_assert!(host.ledger().entries().unwrap().is_empty());
    }

    #[test]
    fn the_order_of_bookings_plays_no_part(
        (claims, order) in proptest::collection::vec(claim(), OWNERS).prop_flat_map(|claims| {
            let order: Vec<usize> = (0..claims.len()).collect();
            (Just(claims), Just(order).prop_shuffle())
        })
    ) {
        let book = |order: &[usize]| {
            let host = FakeHost::new(CPUS, IRQS);
            for n in order {
                let owner = host.process(&format!("c{n}"), 100 + *n as i32);
                // Leases and governors go to the first; they are not what is looked at here.
                if !matches!(claims[*n], Claim::Cpus { .. } | Claim::Device { .. } | Claim::Governor { .. }) {
                    host.ledger().book(&owner, std::slice::from_ref(&claims[*n])).unwrap();
                }
            }
            host.settings().into_iter().map(|(path, text)| (path.strip_prefix(&host.root).unwrap().to_owned(), text)).collect::<Vec<_>>()
        };
        let sorted: Vec<usize> = (0..claims.len()).collect();
        prop_assert_eq!(book(&sorted), book(&order));
    }
}
