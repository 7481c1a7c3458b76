//! What all claims together come to. The order in which they were made plays no part.

use super::book::Book;
use super::{Claim, Error};
use crate::cpus::CpuSet;
use crate::host::Host;
use crate::knob::{Target, Value, group, irq, irqbalance, thread};
use std::collections::{BTreeMap, BTreeSet};

/// All that the claims ask of this host at this moment.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    away: CpuSet,
    onto: CpuSet,
    online: CpuSet,
    demands: BTreeMap<Target, Demand>,
}

/// What the claims ask of one setting.
#[derive(Debug)]
enum Demand {
    /// To keep off the quiet CPUs.
    Away,
    /// To be on these CPUs.
    On(CpuSet),
    /// To leave these alone.
    Ban {
        cpus: CpuSet,
        irqs: BTreeSet<u32>,
    },
    Priority(u8),
    Governor(String),
    Latency(u32),
    AtLeast(i64),
}

impl Wishes {
    pub(super) fn of(host: &Host, book: &Book) -> Result<Wishes, Error> {
        let online = irq::online(host).map_err(|errno| Error::File {
            step: "reading",
            path: host.path("sys/devices/system/cpu/online"),
            errno,
        })?;
        let mut wishes = Wishes { online, ..Wishes::default() };
        book.claims().for_each(|claim| wishes.add(host, claim));
        if !wishes.away.is_empty() {
            for target in irq::numbers(host).into_iter().map(Target::Irq).chain([Target::DefaultAffinity]) {
                wishes.demands.entry(target).or_insert(Demand::Away);
            }
        }
        wishes.add_bans(host);
        wishes.add_budgets(book);
        Ok(wishes)
    }

    fn add(&mut self, host: &Host, claim: &Claim) {
        match claim {
            Claim::IrqsAway { cpus, onto } => {
                self.away = self.away.or(cpus);
                self.onto = self.onto.or(onto.as_ref().unwrap_or(&CpuSet::default()));
            }
            Claim::Steer { source, cpus, priority } => {
                for number in irq::of_source(host, source) {
                    self.steer(number, cpus);
                    for name in priority.iter().flat_map(|_| thread::names(host, number)) {
                        self.merge(Target::IrqThread { irq: number, name }, *priority, Demand::priority);
                    }
                }
            }
            Claim::Governor { cpus, governor } => cpus.iter().for_each(|cpu| {
                self.demands.insert(Target::Governor(cpu), Demand::Governor(governor.clone()));
            }),
            Claim::MaxLatency { cpus, latency_us } => cpus.iter().for_each(|cpu| {
                self.merge(Target::ResumeLatency(cpu), Some(*latency_us), Demand::latency);
            }),
            // Leases are settled when they are booked; budgets by add_budgets, all at once.
            Claim::Cpus { .. } | Claim::Device { .. } | Claim::RtRuntime { .. } => {}
        }
    }

    fn steer(&mut self, number: u32, cpus: &CpuSet) {
        let target = Target::Irq(number);
        let cpus = match self.demands.get(&target) {
            Some(Demand::On(other)) => other.or(cpus),
            _ => cpus.clone(),
        };
        self.demands.insert(target, Demand::On(cpus));
    }

    fn merge<T>(&mut self, target: Target, value: Option<T>, merge: impl Fn(Option<&Demand>, T) -> Demand) {
        if let Some(value) = value {
            let merged = merge(self.demands.get(&target), value);
            self.demands.insert(target, merged);
        }
    }

    /// irqbalance is to keep off the quiet CPUs, and those that are not preferred, and to leave what is steered.
    fn add_bans(&mut self, host: &Host) {
        let steered = self.demands.iter().filter_map(|demand| match demand {
            (Target::Irq(number), Demand::On(_)) => Some(*number),
            _ => None,
        });
        let irqs: BTreeSet<u32> = steered.collect();
        let others = if self.onto.is_empty() { CpuSet::default() } else { self.online.without(&self.onto) };
        let cpus = self.away.or(&others);
        if !(cpus.is_empty() && irqs.is_empty()) && irqbalance::runs(host) {
            self.demands.insert(Target::Irqbalance, Demand::Ban { cpus, irqs });
        }
    }

    fn add_budgets(&mut self, book: &Book) {
        let mut budgets = BTreeMap::new();
        for claim in book.claims() {
            if let Claim::RtRuntime { group, mountpoint, runtime_us } = claim {
                *budgets.entry((group.clone(), mountpoint.clone())).or_insert(0) += runtime_us;
            }
        }
        // A group that nobody claims any more is about to have what it had before.
        let settled = |group: &std::path::Path| match &book.originals.get(&Target::RtRuntime(group.to_owned()))?.value {
            Value::Micros(micros) => Some(*micros),
            _ => None,
        };
        for (group, micros) in group::needs(&budgets, settled) {
            self.demands.insert(Target::RtRuntime(group), Demand::AtLeast(micros));
        }
    }

    /// The settings that some claim concerns.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.demands.keys()
    }

    /// Whether some claim concerns it.
    pub(super) fn concern(&self, target: &Target) -> bool {
        self.demands.contains_key(target)
    }

    /// What a setting is to be, by what it was before the first claim.
    pub(super) fn value(&self, target: &Target, original: &Value) -> Value {
        match (self.demands.get(target), original) {
            (Some(Demand::Away), Value::Cpus(original)) => Value::Cpus(self.quiet(original)),
            (Some(Demand::On(cpus)), Value::Cpus(original)) => {
                let cpus = cpus.and(&self.online);
                Value::Cpus(if cpus.is_empty() { self.quiet(original) } else { cpus })
            }
            (Some(demand), original) => demand.value(original),
            (None, original) => original.clone(),
        }
    }

    /// What a setting would be that this host doesn't have.
    pub(super) fn asked(&self, target: &Target) -> Value {
        self.value(target, &Value::Cpus(self.online.clone()))
    }

    /// The mask without the quiet CPUs; any other CPU rather than one of those; as it was when there is no other.
    fn quiet(&self, original: &CpuSet) -> CpuSet {
        let preferred = if self.onto.is_empty() { original } else { &self.onto };
        let candidates = [preferred.and(&self.online).without(&self.away), self.online.without(&self.away)];
        candidates.into_iter().find(|cpus| !cpus.is_empty()).unwrap_or_else(|| original.clone())
    }
}

impl Demand {
    fn priority(before: Option<&Demand>, priority: u8) -> Demand {
        match before {
            Some(Demand::Priority(other)) => Demand::Priority(priority.max(*other)),
            _ => Demand::Priority(priority),
        }
    }

    fn latency(before: Option<&Demand>, limit: u32) -> Demand {
        match before {
            Some(Demand::Latency(other)) => Demand::Latency(limit.min(*other)),
            _ => Demand::Latency(limit),
        }
    }

    fn value(&self, original: &Value) -> Value {
        match (self, original) {
            (Demand::Priority(priority), _) => {
                Value::Scheduling { policy: libc::SCHED_FIFO, priority: i32::from(*priority) }
            }
            (Demand::Ban { cpus, irqs }, Value::Bans { cpus: banned, irqs: left }) => Value::Bans {
                cpus: cpus.or(banned),
                irqs: irqs.iter().chain(left).copied().collect::<BTreeSet<_>>().into_iter().collect(),
            },
            (Demand::Governor(governor), _) => Value::Governor(governor.clone()),
            (Demand::Latency(limit), Value::Latency(Some(original))) => Value::Latency(Some(*limit.min(original))),
            (Demand::Latency(limit), _) => Value::Latency(Some(*limit)),
            // −1 is no limit and holds any budget.
            (Demand::AtLeast(_), Value::Micros(-1)) => Value::Micros(-1),
            (Demand::AtLeast(least), Value::Micros(original)) => Value::Micros(*least.max(original)),
            (_, original) => original.clone(),
        }
    }
}
