//! Interrupts and the CPUs that they may be served on (`Documentation/core-api/irq/irq-affinity.rst`).

use crate::cpus::{CpuSet, ListError};
use crate::host::{self, Host};
use crate::ledger::IrqSource;
use nix::errno::Errno;

/// The CPUs online now.
pub(crate) fn online(host: &Host) -> Result<CpuSet, Errno> {
    list(host::read(&host.path("sys/devices/system/cpu/online"))?)
}

/// The numbers that `/proc/irq` has.
pub(crate) fn numbers(host: &Host) -> Vec<u32> {
    host::names(&host.path("proc/irq")).iter().filter_map(|name| name.parse().ok()).collect()
}

/// The mask that was asked for.
pub(super) fn mask(host: &Host, number: u32) -> Result<CpuSet, Errno> {
    list(host::read(&host.path(format!("proc/irq/{number}/smp_affinity_list")))?)
}

/// Where it is really served; what was asked for on a kernel that doesn't tell.
pub(crate) fn effective(host: &Host, number: u32) -> Result<CpuSet, Errno> {
    match host::read(&host.path(format!("proc/irq/{number}/effective_affinity_list"))) {
        Err(Errno::ENOENT) => mask(host, number),
        // Empty for one that nobody has asked for yet.
        Ok(text) if text.is_empty() => mask(host, number),
        text => list(text?),
    }
}

pub(super) fn set_mask(host: &Host, number: u32, cpus: &CpuSet) -> Result<(), Errno> {
    host::write(&host.path(format!("proc/irq/{number}/smp_affinity_list")), &cpus.to_string())
}

pub(super) fn default_mask(host: &Host) -> Result<CpuSet, Errno> {
    let text = host::read(&host.path("proc/irq/default_smp_affinity"))?;
    CpuSet::parse_mask(&text).map_err(|_: ListError| Errno::EPROTO)
}

pub(super) fn set_default_mask(host: &Host, cpus: &CpuSet) -> Result<(), Errno> {
    host::write(&host.path("proc/irq/default_smp_affinity"), &cpus.to_mask())
}

/// The names of those that take it, `virtio2-input.0`.
pub(super) fn actions(host: &Host, number: u32) -> String {
    host::read(&host.path(format!("sys/kernel/irq/{number}/actions"))).unwrap_or_default()
}

/// The interrupts of a source as they are at this moment: a PCI function's MSI vectors, or its INTx line when it has none.
pub(crate) fn of_source(host: &Host, source: &IrqSource) -> Vec<u32> {
    let address = match source {
        IrqSource::Number(number) => return vec![*number],
        IrqSource::Pci(address) => address,
    };
    let device = host.path(format!("sys/bus/pci/devices/{address}"));
    let vectors = host::names(&device.join("msi_irqs"));
    let vectors: Vec<u32> = vectors.iter().filter_map(|name| name.parse().ok()).collect();
    if !vectors.is_empty() {
        return vectors;
    }
    // 0 is the file's word for "no line".
    host::read(&device.join("irq"))
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|irq| *irq != 0)
        .into_iter()
        .collect()
}

fn list(text: String) -> Result<CpuSet, Errno> {
    CpuSet::parse(&text).map_err(|_: ListError| Errno::EPROTO)
}
