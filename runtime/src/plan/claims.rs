//! What is asked of the node as a whole, as claims in its ledger.

use super::{Builder, Error};
use crate::device;
use crate::host::Host;
use crate::report::{Proof, Step, What};
use rtrun_hooks::CpuSet;
use rtrun_hooks::annotation::{DeviceName, ResumeLatency, show};
use rtrun_hooks::ledger::{Claim, IrqSource, Mode};
use std::time::Duration;

/// The CPUs, for this container alone or so that no other may have them alone.
pub(super) fn cpus(plan: &mut Builder, cpus: &CpuSet) {
    let (mode, name) =
        if plan.profile.exclusive { (Mode::Exclusive, "cpus.exclusive") } else { (Mode::Shared, "cpus") };
    let asked = plan.profile.asked(name).to_owned();
    plan.steps.push(Step::new(What::Lease, format!("CPUs {cpus}"), mode.to_string(), &asked));
    plan.claims.push(Claim::Cpus { cpus: cpus.clone(), mode });
}

/// The leases of the devices.
pub(super) fn devices(plan: &mut Builder, leases: &[device::Lease]) {
    for lease in leases {
        let mode = if lease.shared { Mode::Shared } else { Mode::Exclusive };
        let asked = plan.profile.asked("devices").to_owned();
        plan.steps.push(Step::new(What::Lease, &lease.name, mode.to_string(), &asked));
        plan.claims.push(Claim::Device { name: lease.name.clone(), mode });
    }
}

/// The real-time budget of an RT_GROUP_SCHED cgroup, by default half of what the root has left.
pub(super) fn budget(plan: &mut Builder, host: &Host) -> Result<(), Error> {
    let Some(budget) = plan.profile.budget else { return Ok(()) };
    let Some(group) = plan.cgroup.realtime_group() else { return no_budget(plan, host) };
    let runtime = match budget.runtime {
        Some(runtime) => runtime,
        None => Duration::from_micros(group.left(budget.period)? / 2),
    };
    let runtime_us = i64::try_from(runtime.as_micros()).unwrap_or(i64::MAX);
    if runtime_us == 0 {
        return Err(Error::Impossible {
            asked: plan.profile.asked("sched.policy").to_owned(),
            problem: format!(
                "RT_GROUP_SCHED: other cgroups have all of the real-time budget of {}",
                group.mountpoint.display()
            ),
            remedy: "end one of them, or raise kernel.sched_rt_runtime_us",
        });
    }
    let asked = plan.profile.asked(if budget.runtime.is_some() { "sched.runtime" } else { "sched.policy" }).to_owned();
    let file = group.directory.join("cpu.rt_runtime_us");
    plan.steps.push(Step::file(What::Node, &file, runtime_us.to_string(), &asked).proven(Proof::AtLeast(file.clone())));
    plan.claims.push(Claim::RtRuntime { group: group.directory, mountpoint: group.mountpoint, runtime_us });
    Ok(())
}

/// A kernel that wants budgets on a hierarchy that has none to give.
fn no_budget(plan: &Builder, host: &Host) -> Result<(), Error> {
    if !plan.profile.has_priority() || !plan.cgroup.is_unified() {
        return Ok(());
    }
    match crate::host::kernel::Kernel::read(host)?.rt_group_sched {
        Some(true) => Err(Error::Impossible {
            asked: plan.profile.asked("sched.policy").to_owned(),
            problem: "this kernel has RT_GROUP_SCHED, and cgroup v2 has no budget to give: outside of the root cgroup \
                      SCHED_FIFO and SCHED_RR are refused"
                .into(),
            remedy: "boot with rt_group_sched=0 (Linux 6.16), or with a kernel without CONFIG_RT_GROUP_SCHED",
        }),
        _ => Ok(()),
    }
}

/// Governor and resume latency.
pub(super) fn power(plan: &mut Builder, host: &Host, cpus: &CpuSet) -> Result<(), Error> {
    if let Some(governor) = plan.profile.governor.clone() {
        let asked = plan.profile.asked("cpu.governor").to_owned();
        for cpu in cpus.iter() {
            let available = crate::host::cpu::frequency(host, cpu)?.map(|frequency| frequency.available);
            let problem = match &available {
                None => format!("CPU {cpu} has no frequency scaling"),
                Some(names) if !names.contains(&governor) => {
                    format!("CPU {cpu} has the governors {}", names.join(", "))
                }
                Some(_) => continue,
            };
            let remedy = "ask for one of them, or leave the key out where the hardware sets the frequency";
            return Err(Error::Impossible { asked: format!("{asked}={governor}"), problem, remedy });
        }
        plan.steps.push(Step::new(What::Node, format!("governor of CPUs {cpus}"), &governor, &asked));
        plan.claims.push(Claim::Governor { cpus: cpus.clone(), governor });
    }
    if let Some(ResumeLatency::AtMost(latency)) = plan.profile.max_latency {
        let asked = plan.profile.asked("cpu.max-latency").to_owned();
        let latency_us = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        plan.steps.push(Step::new(What::Node, format!("resume latency of CPUs {cpus}"), show(latency), &asked));
        plan.claims.push(Claim::MaxLatency { cpus: cpus.clone(), latency_us });
    }
    Ok(())
}

/// Interrupts: away from the CPUs, and the named devices' onto them. `rtrun-hook` makes the same claims of the same
/// annotations.
pub(super) fn interrupts(plan: &mut Builder, host: &Host, cpus: &CpuSet) -> Result<(), Error> {
    let source = |name: &DeviceName| match device::pci_device(host, name) {
        Ok(Some(pci)) => Ok(vec![IrqSource::Pci(pci.address.to_string())]),
        Ok(None) => Err("is on no PCI bus, so which interrupt is its own is not known".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let profile = plan.profile;
    for claim in rtrun_hooks::irq::claims(&profile.annotations, Some(cpus), profile.priority(), source)? {
        let (target, value, name) = match &claim {
            Claim::IrqsAway { onto: None, .. } => {
                ("movable interrupts".into(), format!("off CPUs {cpus}"), "irq.affinity")
            }
            Claim::IrqsAway { onto: Some(onto), .. } => {
                ("movable interrupts".into(), format!("off CPUs {cpus}, onto CPUs {onto}"), "irq.affinity")
            }
            Claim::Steer { source: IrqSource::Pci(address), priority, .. } => {
                let thread = priority.map(|priority| format!(", threads SCHED_FIFO {priority}")).unwrap_or_default();
                (format!("interrupts of {address}"), format!("on CPUs {cpus}{thread}"), "irq.devices")
            }
            _ => continue,
        };
        plan.steps.push(Step::new(What::Node, target, value, profile.asked(name)));
        plan.claims.push(claim);
    }
    Ok(())
}
