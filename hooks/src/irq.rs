//! What the `irq.*` annotations come to: claims on the ledger.

use crate::annotation::{Annotations, DeviceName, IrqAffinity, PciAddress};
use crate::cpus::CpuSet;
use crate::host::{self, Host};
use crate::ledger::{Claim, IrqSource};
use nix::errno::Errno;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The kernel's own priority of the threads that serve interrupts (`MAX_RT_PRIO / 2`).
const THREAD_PRIORITY: u32 = 50;
/// The highest that such a thread is given: 99 is the kernel's migration threads'.
const MOST_PRIORITY: u32 = 98;

/// Why annotations can't be made into claims.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `irq.*` concern the container's CPUs, and it names none.
    #[error("{key}={value}: the container names no CPUs of its own; set org.rtrun.cpus or linux.resources.cpu.cpus")]
    NoCpus {
        /// As given.
        key: String,
        /// As given.
        value: String,
    },
    /// A device whose interrupts can't be found.
    #[error("org.rtrun.irq.devices: {device}: {problem}")]
    Device {
        /// As given.
        device: String,
        /// Why.
        problem: String,
    },
}

/// The claims of a container on these CPUs. Its real-time priority, if it has one, decides that of its devices' interrupt
/// threads: one above, as a thread that waits for the container it serves would be late by as much as that one likes.
/// `source` finds a device's interrupts: [`source`] here, or a runtime's own that knows families of cards too.
///
/// # Errors
/// [`Error::NoCpus`], [`Error::Device`].
pub fn claims(
    annotations: &Annotations,
    cpus: Option<&CpuSet>,
    priority: Option<u32>,
    source: impl Fn(&DeviceName) -> Result<Vec<IrqSource>, String>,
) -> Result<Vec<Claim>, Error> {
    let Some((key, value)) = annotations.given("irq.affinity").or_else(|| annotations.given("irq.devices")) else {
        return Ok(Vec::new());
    };
    let cpus = cpus.ok_or_else(|| Error::NoCpus { key: key.to_owned(), value: value.to_owned() })?;
    let mut claims = Vec::new();
    match &annotations.irq_affinity {
        Some(IrqAffinity::Housekeeping) => claims.push(Claim::IrqsAway { cpus: cpus.clone(), onto: None }),
        Some(IrqAffinity::Cpus(onto)) => {
            claims.push(Claim::IrqsAway { cpus: cpus.clone(), onto: Some(onto.clone()) });
        }
        None => {}
    }
    let thread = priority.map(|priority| (priority + 1).clamp(THREAD_PRIORITY, MOST_PRIORITY) as u8);
    for device in &annotations.irq_devices {
        let sources = source(device).map_err(|problem| Error::Device { device: device.to_string(), problem })?;
        let steer = |source| Claim::Steer { source, cpus: cpus.clone(), priority: thread };
        claims.extend(sources.into_iter().map(steer));
    }
    Ok(claims)
}

/// The interrupts of a device that names itself: a PCI address, or a node that belongs to a PCI function.
///
/// # Errors
/// In words, with the way out.
pub fn source(host: &Host, device: &DeviceName) -> Result<Vec<IrqSource>, String> {
    let address = match device {
        DeviceName::Pci(address) if host.path(format!("sys/bus/pci/devices/{address}")).is_dir() => *address,
        DeviceName::Pci(_) => return Err("there is no such PCI function; lspci -D lists them".into()),
        DeviceName::Node(node) => pci_of_node(host, node)?,
        DeviceName::Card { .. } | DeviceName::Cdi(_) => {
            return Err("only rtrun itself knows cards and CDI names; give the PCI address or the node here".into());
        }
    };
    Ok(vec![IrqSource::Pci(address.to_string())])
}

fn pci_of_node(host: &Host, node: &Path) -> Result<PciAddress, String> {
    let metadata = std::fs::metadata(node).map_err(|error| host::errno(error).to_string())?;
    let number = metadata.rdev();
    let kind = match metadata.file_type() {
        kind if kind.is_char_device() => "char",
        kind if kind.is_block_device() => "block",
        _ => return Err("is no device node".into()),
    };
    let link = host.path(format!("sys/dev/{kind}/{}:{}", libc::major(number), libc::minor(number)));
    let device: PathBuf = std::fs::canonicalize(link).map_err(|error| match host::errno(error) {
        Errno::ENOENT => "no driver answers for this node".to_owned(),
        errno => errno.to_string(),
    })?;
    let names = device.ancestors().filter_map(|dir| dir.file_name()?.to_str());
    names.into_iter().find_map(PciAddress::parse).ok_or_else(|| "is no device of a PCI function".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(pairs: &[(&str, &str)]) -> Annotations {
        let map: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| (format!("org.rtrun.{key}"), (*value).to_owned())).collect();
        Annotations::parse(&map).unwrap()
    }

    fn pci(device: &DeviceName) -> Result<Vec<IrqSource>, String> {
        Ok(vec![IrqSource::Pci(device.to_string())])
    }

    #[test]
    fn nothing_asked_is_nothing_claimed() {
        assert_eq!(claims(&read(&[("cpus", "1")]), None, None, pci).unwrap(), []);
    }

    #[test]
    fn devices_threads_run_above_the_container() {
        let annotations = read(&[("irq.affinity", "0"), ("irq.devices", "0000:00:01.0")]);
        let cpus: CpuSet = "1".parse().unwrap();
        let of = |priority| match &claims(&annotations, Some(&cpus), priority, pci).unwrap()[..] {
            [Claim::IrqsAway { onto: Some(_), .. }, Claim::Steer { priority, .. }] => *priority,
            other => unreachable!("{other:?}"),
        };
        assert_eq!([None, Some(10), Some(80), Some(99)].map(of), [None, Some(50), Some(81), Some(98)]);
    }

    #[test]
    fn without_cpus_it_is_refused() {
        let error = claims(&read(&[("irq.affinity", "housekeeping")]), None, None, pci).unwrap_err().to_string();
        assert!(error.starts_with("org.rtrun.irq.affinity=housekeeping: the container names no CPUs"), "{error}");
    }

    #[test]
    fn nodes_are_traced_to_their_function() {
        let host = Host::system();
        let error = |device: &str| source(&host, &DeviceName::parse(device).unwrap()).unwrap_err();
        assert_eq!(error("/dev/null"), "is no device of a PCI function");
        assert_eq!(error("/proc/version"), "is no device node");
        assert!(error("bc635:0").contains("only rtrun itself knows cards"));
        assert!(error("ffff:ff:1f.7").contains("no such PCI function"));
    }
}
