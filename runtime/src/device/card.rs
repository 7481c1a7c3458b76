//! Cards: which there are of each family, and by what a process reaches one.

use super::Error;
use super::family::{Families, Family, expand};
use super::node::Node;
use crate::host::Host;
use crate::host::pci::{self, PciDevice};
use std::path::{Path, PathBuf};

/// A card that is in this host.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its family.
    pub family: String,
    /// From 0; by PCI address, then those of which only a node is known.
    pub index: u32,
    /// Where it sits; `None` for one that a driver shows without saying.
    pub pci: Option<PciDevice>,
    /// By what it is reached.
    pub access: Access,
}

impl Card {
    /// `bc635:0`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.family, self.index)
    }
}

/// By what a process reaches a PCI device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// Nodes of its own driver.
    Nodes(Vec<PathBuf>),
    /// A UIO driver: a node for interrupts and registers (`Documentation/driver-api/uio-howto.rst`).
    Uio {
        /// The node.
        node: PathBuf,
        /// Its directory in sysfs, with `maps/`.
        directory: PathBuf,
    },
    /// A VFIO driver: the node of its IOMMU group (`Documentation/driver-api/vfio.rst`).
    Vfio {
        /// The node.
        node: PathBuf,
        /// The group's number.
        group: u32,
    },
    /// No driver: its registers, as files of sysfs.
    Registers,
    /// Nothing, for this reason.
    Nothing(String),
}

/// The cards of one family.
///
/// # Errors
/// [`Error::Host`].
pub fn cards(host: &Host, name: &str, family: &Family) -> Result<Vec<Card>, Error> {
    let devices = if family.pci.is_empty() { Vec::new() } else { pci::devices(host)? };
    let mut found = Vec::new();
    for device in devices.into_iter().filter(|device| family.has_card(device)) {
        let access = access(host, &device)?;
        found.push((Some(device), access));
    }
    let known =
        |path: &PathBuf| found.iter().any(|(_, access)| matches!(access, Access::Nodes(nodes) if nodes.contains(path)));
    let nodes = expand(host, &family.nodes)?.into_iter().filter(|path| Node::is_there(host, path) && !known(path));
    let mut nodes = nodes.collect::<Vec<_>>().into_iter();
    // Old drivers don't tie their nodes to a card: the first of them is the first card that has a driver and no node.
    for (device, access) in &mut found {
        let driven = device.as_ref().is_some_and(|device| device.driver.is_some());
        if driven && matches!(access, Access::Nothing(_)) {
            if let Some(node) = nodes.next() {
                *access = Access::Nodes(vec![node]);
            }
        }
    }
    found.extend(nodes.map(|node| (None, Access::Nodes(vec![node]))));
    let card = |(index, (pci, access))| Card { family: name.to_owned(), index, pci, access };
    Ok((0..).zip(found).map(card).collect())
}

/// The cards of all families.
///
/// # Errors
/// As [`cards`].
pub fn all_cards(host: &Host, families: &Families) -> Result<Vec<Card>, Error> {
    let mut found = Vec::new();
    for (name, family) in families.iter() {
        found.extend(cards(host, name, family)?);
    }
    Ok(found)
}

/// How a PCI device is reached, by the driver that has it.
///
/// # Errors
/// [`Error::Host`].
pub fn access(host: &Host, device: &PciDevice) -> Result<Access, Error> {
    let Some(driver) = &device.driver else {
        return Ok(match device.bars.iter().any(|bar| bar.file.is_some()) {
            true => Access::Registers,
            false => Access::Nothing("no driver has it, and this kernel shows no resource files of it".into()),
        });
    };
    let nodes = device.class_devices(host)?;
    if let Some(group) = device.iommu_group.filter(|_| driver.contains("vfio")) {
        // A group without an IOMMU is called noiommu-N.
        let plain = PathBuf::from(format!("/dev/vfio/{group}"));
        let unsafe_one = PathBuf::from(format!("/dev/vfio/noiommu-{group}"));
        let node = if !host.has(&plain) && host.has(&unsafe_one) { unsafe_one } else { plain };
        return Ok(Access::Vfio { node, group });
    }
    if let Some(uio) = nodes.iter().find(|node| node.class == "uio") {
        return Ok(Access::Uio { node: uio.node.clone(), directory: device.directory().join("uio").join(&uio.name) });
    }
    if nodes.is_empty() {
        let id = format!("{:04x}:{:04x}", device.vendor, device.device);
        let reason = format!(
            "its driver {driver} has made no device node; if it is known by another name in /dev, describe it in \
             {} (pci = [\"{id}\"], nodes = [...]), or bind the card to vfio-pci or uio_pci_generic",
            super::family::CONFIG
        );
        return Ok(Access::Nothing(reason));
    }
    Ok(Access::Nodes(nodes.into_iter().map(|node| node.node).collect()))
}

/// The PCI device behind a node, by where sysfs has it; `None` for nodes of no hardware.
///
/// # Errors
/// [`Error::Host`].
pub(super) fn pci_of(host: &Host, sysfs: &Path) -> Result<Option<PciDevice>, Error> {
    let Ok(place) = std::fs::canonicalize(host.path(sysfs)) else { return Ok(None) };
    let address = place.components().rev().find_map(|part| pci::address(&part.as_os_str().to_string_lossy()));
    Ok(address.map(|address| pci::device(host, &address)).transpose()?.flatten())
}
