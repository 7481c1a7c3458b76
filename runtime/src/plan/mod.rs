//! A container's wishes against this host: every cgroup file and value, lease, device, setting of the node, clock
//! condition and scheduler call, in the order in which the launch does them. Looks, and changes nothing.
//!
//! What a field of config.json can say is said there ([`Plan::of`] amends the configuration that is launched); the rest is
//! [`Plan::claims`] for the node's ledger, the partition, the clock and the scheduler, done by `launch`.

mod amend;
mod claims;
mod domain;
mod error;
#[cfg(test)]
mod tests;
mod topology;

pub use error::Error;

use crate::cgroup::Cgroup;
use crate::device;
use crate::host::{Host, cpu::Cpus};
use crate::profile::Profile;
use crate::report::{Proof, Realtime, Step, What, nanoseconds};
use crate::sched::{self, SchedAttr};
use crate::spec::Spec;
use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::{Partition, show};
use rtrun_hooks::clock::{self, Gate};
use rtrun_hooks::ledger::Claim;
use std::path::{Path, PathBuf};

/// What will be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// What the boot has done for these CPUs already.
    pub notes: Vec<String>,
    /// For the node's ledger.
    pub claims: Vec<Claim>,
    /// What it is all for.
    pub profile: Profile,
}

/// A plan in the making.
struct Builder<'a> {
    profile: &'a Profile,
    cgroup: &'a Cgroup,
    mems: Option<String>,
    steps: Vec<Step>,
    warnings: Vec<String>,
    notes: Vec<String>,
    claims: Vec<Claim>,
}

impl Plan {
    /// The plan for a container; `None` for one that asks for nothing of the kind.
    ///
    /// # Errors
    /// As [`Plan::of`], and [`Error::Profile`].
    pub fn for_container(spec: &mut Spec, cgroup: &Cgroup, host: &Host) -> Result<Option<Plan>, Error> {
        Profile::of(spec)?.map(|profile| Plan::of(&profile, spec, cgroup, host)).transpose()
    }

    /// The plan for a profile, and in `spec` what the launch does of it without further help.
    ///
    /// # Errors
    /// [`Error`]: what this host can't give, each with what mends it.
    pub fn of(profile: &Profile, spec: &mut Spec, cgroup: &Cgroup, host: &Host) -> Result<Plan, Error> {
        let mut plan = Builder::new(profile, spec, cgroup);
        if let Some(cpus) = &profile.cpus {
            sched::check_online(cpus)?;
        }
        if let Some(scheduler) = &profile.scheduler {
            domain::deadline(&plan, host, scheduler)?;
        }
        amend::cpu(spec, profile, cgroup.realtime_group().is_some());
        let mut limits = Vec::new();
        amend::memory(spec, profile, cgroup, &mut limits);
        plan.cgroup_files(spec)?;
        plan.devices(spec, host)?;
        if let Some(cpus) = &profile.cpus {
            claims::cpus(&mut plan, cpus);
            domain::partition(&mut plan, cpus)?;
            claims::power(&mut plan, host, cpus)?;
            claims::interrupts(&mut plan, host, cpus)?;
            if plan.is_realtime() {
                let all = Cpus::read(host)?;
                topology::warn(&mut plan, host, &all, cpus)?;
                plan.notes.push(topology::isolation(&all, cpus));
            }
        }
        claims::budget(&mut plan, host)?;
        plan.clock()?;
        plan.steps.extend(limits);
        plan.prefault(spec);
        plan.scheduler()?;
        Ok(plan.finish())
    }

    /// What the container's state keeps of it.
    pub fn realtime(&self) -> Realtime {
        Realtime {
            verify: self.profile.verify,
            cpus: self.profile.cpus.clone(),
            booked: !self.claims.is_empty(),
            partition: self.profile.partition,
            latency_budget: self.profile.latency_budget.map(nanoseconds),
            steps: self.steps.clone(),
            warnings: self.warnings.clone(),
            phases: Vec::new(),
            baseline: None,
        }
    }
}

impl<'a> Builder<'a> {
    fn new(profile: &'a Profile, spec: &Spec, cgroup: &'a Cgroup) -> Builder<'a> {
        let cpu = spec.linux.resources.as_ref().and_then(|resources| resources.cpu.as_ref());
        let mems = cpu.and_then(|cpu| cpu.mems.clone()).filter(|mems| !mems.is_empty());
        let (steps, warnings, notes, claims) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Builder { profile, cgroup, mems, steps, warnings, notes, claims }
    }

    fn finish(self) -> Plan {
        let Builder { profile, steps, warnings, notes, claims, .. } = self;
        Plan { steps, warnings, notes, claims, profile: profile.clone() }
    }

    /// Whether who shares a core with the container matters to it.
    fn is_realtime(&self) -> bool {
        self.profile.exclusive || self.profile.partition != Partition::Member || self.profile.has_priority()
    }

    fn all_nodes(&self, host: &Host) -> Result<CpuSet, Error> {
        Ok(host.list("/sys/devices/system/node/online")?.unwrap_or_default())
    }

    /// Every limit of the amended configuration, also those that have nothing to do with real time: what is in the cgroup
    /// decides how the container runs. What an annotation can ask for is read back.
    fn cgroup_files(&mut self, spec: &Spec) -> Result<(), Error> {
        let Some(resources) = &spec.linux.resources else { return Ok(()) };
        for file in self.cgroup.files(resources)? {
            let name = match file.field.as_str() {
                "linux.resources.cpu.cpus" => "cpus",
                "linux.resources.cpu.quota" => "cpu.quota",
                "linux.resources.cpu.realtimePeriod" => "sched.period",
                "linux.resources.memory.swappiness" | "linux.resources.unified[memory.swap.max]" => "memory.lock",
                _ => "",
            };
            let asked = match self.profile.asked(name) {
                "default" => file.field.as_str(),
                asked => asked,
            };
            let step = Step::new(What::Cgroup, file.path.display().to_string(), file.value, asked);
            self.steps.push(match name {
                "cpus" => step.proven(Proof::List(self.effective(&file.path))),
                "" => step,
                _ => step.proven(Proof::Word(file.path)),
            });
        }
        Ok(())
    }

    /// The CPUs that a cpuset really has.
    fn effective(&self, cpus: &Path) -> PathBuf {
        cpus.with_file_name(if self.cgroup.has_v1("cpuset") {
            "cpuset.effective_cpus"
        } else {
            "cpuset.cpus.effective"
        })
    }

    fn devices(&mut self, spec: &mut Spec, host: &Host) -> Result<(), Error> {
        let grant = device::resolve(host, &self.profile.devices, spec).map_err(Box::new)?;
        let asked = self.profile.asked("devices").to_owned();
        for found in &grant.found {
            let address = found.pci.as_ref().map(|pci| format!(" ({pci})")).unwrap_or_default();
            let target = format!("{}{address}", found.asked);
            self.steps.push(Step::new(What::Device, target, found.given.join(", "), &asked));
        }
        claims::devices(self, &grant.leases);
        grant.merge_into(spec);
        self.warnings.extend(grant.warnings);
        Ok(())
    }

    fn clock(&mut self) -> Result<(), Error> {
        let clock = &self.profile.annotations.clock;
        let Some(gate) = Gate::asked(clock) else { return Ok(()) };
        let sources = clock::open_all(&clock.sources, &clock::no_cards).map_err(Box::new)?;
        let names: Vec<String> = sources.iter().map(|source| source.name()).collect();
        let offset = gate.max_offset.map(|offset| format!(" within {}", show(offset))).unwrap_or_default();
        let value = format!("{}{offset}, at most {}, else {}", gate.require, show(gate.timeout), gate.on_timeout);
        let asked = self.profile.asked("clock.require").to_owned();
        self.steps.push(Step::new(What::Clock, names.join(" and "), value, &asked));
        Ok(())
    }

    fn prefault(&mut self, spec: &Spec) {
        if !self.profile.prefault {
            return;
        }
        let program = spec.process.as_ref().and_then(|process| process.args.first()).cloned().unwrap_or_default();
        let asked = self.profile.asked("memory.prefault").to_owned();
        self.steps.push(Step::new(What::Prefault, program, "read ahead", &asked));
        self.warnings.push(format!(
            "{asked}: the program's file is read ahead; its pages are its own to lock, for mlockall(2) does not survive execve(2)"
        ));
    }

    fn scheduler(&mut self) -> Result<(), Error> {
        if let Some(cpus) = &self.profile.cpus {
            let step = Step::new(What::Scheduler, "affinity", cpus.to_string(), self.profile.asked("cpus"));
            self.steps.push(step.proven(Proof::Affinity(cpus.clone())));
        }
        if let Some(scheduler) = &self.profile.scheduler {
            let value = SchedAttr::plan(scheduler)?.to_string();
            let step = Step::new(What::Scheduler, "policy", value, self.profile.asked("sched.policy"));
            self.steps.push(step.proven(Proof::Scheduler));
        }
        Ok(())
    }
}
