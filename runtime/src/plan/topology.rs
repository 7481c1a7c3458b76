//! What of the machine's topology a container shares with others, told as warnings.

use super::{Builder, Error};
use crate::host::{Host, cpu::Cpus};
use rtrun_hooks::CpuSet;

/// Threads of one core disturb each other whatever the scheduler does, and memory of another node is far.
pub(super) fn warn(plan: &mut Builder, host: &Host, all: &Cpus, cpus: &CpuSet) -> Result<(), Error> {
    let mut told = CpuSet::default();
    for cpu in cpus.iter().filter(|_| all.smt_active) {
        let left = all.siblings(host, cpu)?.and(&all.online).without(cpus).without(&told);
        if !left.is_empty() {
            plan.warnings.push(format!(
                "CPU {left} is the other thread of CPU {cpu}'s core and is left to others: name it as well, or take it offline"
            ));
            told = told.or(&left);
        }
    }
    if plan.mems.is_some() || plan.all_nodes(host)?.len() < 2 {
        return Ok(());
    }
    let nodes = nodes_of(host, cpus)?;
    if !nodes.is_empty() {
        plan.warnings.push(format!(
            "CPUs {cpus} belong to NUMA node {nodes}, and memory may come from any: linux.resources.cpu.mems={nodes} keeps it near"
        ));
    }
    Ok(())
}

/// What the boot did to the CPUs, for people.
pub(super) fn isolation(all: &Cpus, cpus: &CpuSet) -> String {
    let part = |set: &CpuSet| match set.and(cpus) {
        none if none.is_empty() => "none of them".to_owned(),
        all if all == *cpus => "all of them".to_owned(),
        some => some.to_string(),
    };
    let (isolated, nohz, rcu) = (part(&all.isolated), part(&all.nohz_full), part(&all.rcu_nocbs));
    format!("CPUs {cpus} at boot: isolcpus {isolated}, nohz_full {nohz}, rcu_nocbs {rcu}")
}

/// The NUMA nodes of these CPUs.
fn nodes_of(host: &Host, cpus: &CpuSet) -> Result<CpuSet, Error> {
    let mut nodes = Vec::new();
    for name in host.names("/sys/devices/system/node")? {
        let Some(number) = name.strip_prefix("node").and_then(|digits| digits.parse::<u32>().ok()) else { continue };
        let list = host.list(format!("/sys/devices/system/node/{name}/cpulist"))?.unwrap_or_default();
        if !list.and(cpus).is_empty() {
            nodes.push(number);
        }
    }
    Ok(nodes.into_iter().collect())
}
