use super::card::{self, Access, Card};
use super::family::{Families, Family};
use super::grant::{Found, Grant, Wish};
use super::node::{self, User};
use super::{Error, cdi};
use crate::host::Host;
use crate::host::pci::{self, PciDevice};
use crate::spec::Spec;
use rtrun_hooks::annotation::{DeviceName, DeviceRequest};
use std::path::{Path, PathBuf};

/// Where a container finds files of a card that have no node of their own.
const PLACE: &str = "/dev/rtrun";

/// Nodes through which the whole machine can be read and written.
const ROOT_EQUIVALENT: [&str; 4] = ["/dev/windrvr", "/dev/mem", "/dev/kmem", "/dev/port"];

/// Resolves the devices that a container asks for (`org.rtrun.devices`) against this host: nodes, mounts, cgroup rules,
/// leases. Looks, and changes nothing; `spec` tells who will open them.
///
/// The caller books [`Grant::leases`] (each a [`claim`](super::Lease::claim)) in the node's ledger, shows [`Grant::warnings`], and calls [`Grant::merge_into`] on
/// the configuration before the launch is planned; the launch then needs to know nothing of devices.
///
/// | name | the container gets |
/// |---|---|
/// | card or PCI address, own driver | the driver's nodes at their own paths |
/// | … UIO driver | the node; at the fixed place `maps/` of sysfs and the register files, whichever there are |
/// | … VFIO driver | the nodes of the IOMMU group and /dev/vfio/vfio |
/// | … no driver | `resourceN` of sysfs (to be mapped), `resource` and `config` (read only), at the fixed place |
/// | CDI name | what its specification in /etc/cdi or /var/run/cdi says |
/// | node | the node |
///
/// The fixed place is `/dev/rtrun/<family>/<index>/`, `/dev/rtrun/pci/<address>/` for a device asked for by its address.
///
/// # Errors
/// [`Error`], each variant with the device's name and what to do.
pub fn resolve(host: &Host, requests: &[DeviceRequest], spec: &Spec) -> Result<Grant, Error> {
    let mut grant = Grant::default();
    if requests.is_empty() {
        return Ok(grant);
    }
    let families = Families::load(host)?;
    let resolver = Resolver { host, families: &families, user: User::of(spec) };
    for request in requests {
        resolver.one(request, &mut grant)?;
    }
    Ok(grant)
}

/// The PCI device that a name stands for, for the steering of its interrupts; `None` for a device that is on no PCI bus.
///
/// # Errors
/// As [`resolve`].
pub fn pci_device(host: &Host, name: &DeviceName) -> Result<Option<PciDevice>, Error> {
    let asked = name.to_string();
    match name {
        DeviceName::Card { family, index } => Ok(find_card(host, &Families::load(host)?, family, *index, &asked)?.pci),
        DeviceName::Pci(_) => find_pci(host, &asked).map(Some),
        DeviceName::Node(path) => card::pci_of(host, &node::Node::read(host, path, &asked)?.sysfs()),
        DeviceName::Cdi(_) => {
            let grant = resolve(
                host,
                &[DeviceRequest { name: name.clone(), read_only: false, shared: false }],
                &Spec::default(),
            )?;
            for device in &grant.devices {
                if let Ok(found) = node::Node::read(host, &device.path, &asked) {
                    if let Some(pci) = card::pci_of(host, &found.sysfs())? {
                        return Ok(Some(pci));
                    }
                }
            }
            Ok(None)
        }
    }
}

struct Resolver<'a> {
    host: &'a Host,
    families: &'a Families,
    user: User,
}

impl Resolver<'_> {
    fn one(&self, request: &DeviceRequest, grant: &mut Grant) -> Result<(), Error> {
        let asked = request.name.to_string();
        let wish = Wish { asked: &asked, read_only: request.read_only, shared: request.shared };
        let before = (grant.devices.len(), grant.mounts.len());
        let pci = match &request.name {
            DeviceName::Card { family: name, index } => {
                let family = self.families.get(name, &asked)?;
                let card = find_card(self.host, self.families, name, *index, &asked)?;
                let place = Path::new(PLACE).join(name).join(index.to_string());
                self.card(card.pci.as_ref(), &card.access, &place, Some(family), &wish, grant)?;
                card.pci
            }
            DeviceName::Pci(_) => {
                let device = find_pci(self.host, &asked)?;
                let access = card::access(self.host, &device)?;
                let family =
                    self.families.iter().find(|(_, family)| family.has_card(&device)).map(|(_, family)| family);
                let place = Path::new(PLACE).join("pci").join(&device.address);
                self.card(Some(&device), &access, &place, family, &wish, grant)?;
                Some(device)
            }
            DeviceName::Node(path) => self.by_path(path, &wish, grant)?,
            DeviceName::Cdi(_) => {
                cdi::grant(self.host, &self.user, &wish, grant)?;
                None
            }
        };
        let nodes = grant.devices[before.0..].iter().map(|device| device.path.display().to_string());
        let mounts = grant.mounts[before.1..].iter().map(|mount| mount.destination.display().to_string());
        let given = nodes.chain(mounts).collect();
        grant.found.push(Found { asked, pci: pci.map(|pci| pci.address), given });
        Ok(())
    }

    fn card(
        &self,
        pci: Option<&PciDevice>,
        access: &Access,
        place: &Path,
        family: Option<&Family>,
        wish: &Wish,
        grant: &mut Grant,
    ) -> Result<(), Error> {
        match access {
            Access::Nodes(paths) => {
                for path in paths {
                    self.check_shared(path, family, wish)?;
                    let node = grant.node(self.host, path, &self.user, wish)?;
                    grant.lease(node.lease_name(), wish.shared);
                }
            }
            Access::Uio { node, directory } => {
                refuse_sharing(family, "its registers have no driver that keeps users apart", wish)?;
                let node = grant.node(self.host, node, &self.user, wish)?;
                grant.lease(node.lease_name(), false);
                let maps = directory.join("maps");
                let has_maps = !self.host.names(&maps)?.is_empty();
                if has_maps {
                    grant.bind(&maps, &place.join("maps"), true);
                }
                let registers = pci.map_or(Ok(()), |device| self.registers(device, place, wish, grant));
                // A node with maps gives the registers by itself.
                if !has_maps {
                    registers?;
                }
            }
            Access::Vfio { node, group } => self.vfio(node, *group, wish, grant)?,
            Access::Registers => {
                refuse_sharing(family, "its registers have no driver that keeps users apart", wish)?;
                if let Some(device) = pci {
                    self.registers(device, place, wish, grant)?;
                }
            }
            Access::Nothing(reason) => return Err(unusable(wish, reason.clone())),
        }
        if let Some(device) = pci {
            grant.lease(device.address.clone(), wish.shared);
        }
        Ok(())
    }

    /// The register files, where the card answers.
    fn registers(&self, device: &PciDevice, place: &Path, wish: &Wish, grant: &mut Grant) -> Result<(), Error> {
        let directory = device.directory();
        let files: Vec<&PathBuf> = device.bars.iter().filter_map(|bar| bar.file.as_ref()).collect();
        if files.is_empty() {
            return Err(unusable(wish, "this kernel shows no resource files of it".into()));
        }
        if !decodes_memory(self.host, &directory)? {
            let enable = directory.join("enable");
            let problem = format!(
                "memory decoding is off, so that its registers would read as ones: `echo 1 > {}`",
                enable.display()
            );
            return Err(unusable(wish, problem));
        }
        for file in &files {
            node::check_file(self.host, file, &self.user, wish.read_only, wish.asked)?;
        }
        for file in files {
            grant.bind(file, &place.join(file.file_name().unwrap_or_default()), wish.read_only);
        }
        for name in ["resource", "config"] {
            if self.host.has(directory.join(name)) {
                grant.bind(&directory.join(name), &place.join(name), true);
            }
        }
        Ok(())
    }

    fn vfio(&self, node: &Path, group: u32, wish: &Wish, grant: &mut Grant) -> Result<(), Error> {
        refuse_sharing(None, "the kernel lets one process open a VFIO group", wish)?;
        if wish.read_only {
            return Err(unusable(wish, "+ro is not possible: VFIO needs the group's node for writing".into()));
        }
        // The group is usable when each of its devices has a VFIO driver or none (bridges aside).
        for address in self.host.names(format!("/sys/kernel/iommu_groups/{group}/devices"))? {
            let Some(other) = pci::device(self.host, &address)? else { continue };
            let is_bridge = other.class >> 16 == 0x06;
            if let Some(driver) = other.driver.filter(|driver| !driver.contains("vfio") && !is_bridge) {
                let problem = format!(
                    "{address} of the same IOMMU group {group} is driven by {driver}, so that VFIO would refuse the group; \
                     unbind it: `echo {address} > /sys/bus/pci/drivers/{driver}/unbind`"
                );
                return Err(unusable(wish, problem));
            }
        }
        let node = grant.node(self.host, node, &self.user, wish)?;
        grant.lease(node.lease_name(), false);
        grant.node(self.host, Path::new("/dev/vfio/vfio"), &self.user, wish)?;
        Ok(())
    }

    fn by_path(&self, path: &Path, wish: &Wish, grant: &mut Grant) -> Result<Option<PciDevice>, Error> {
        let found = grant.node(self.host, path, &self.user, wish)?;
        let pci = card::pci_of(self.host, &found.sysfs())?;
        let is_its = |family: &Family| family.has_node(path) || pci.as_ref().is_some_and(|card| family.has_card(card));
        let family = self.families.iter().find(|(_, family)| is_its(family)).map(|(_, family)| family);
        self.check_shared(path, family, wish)?;
        if path.starts_with("/dev/vfio") && path != Path::new("/dev/vfio/vfio") {
            refuse_sharing(None, "the kernel lets one process open a VFIO group", wish)?;
            grant.node(self.host, Path::new("/dev/vfio/vfio"), &self.user, wish)?;
        }
        if ROOT_EQUIVALENT.iter().any(|prefix| path.to_string_lossy().starts_with(prefix)) {
            grant.warnings.push(format!(
                "device {}: whoever may open it can read and write all of the machine's memory or hardware: it makes the \
                 container root on the host",
                wish.asked
            ));
        }
        grant.lease(found.lease_name(), wish.shared);
        if let Some(card) = &pci {
            // A card may have several nodes, each its own: only who asks for the card has all of it.
            grant.lease(card.address.clone(), true);
        }
        Ok(pci)
    }

    /// Whether a node of a family may be had by several.
    fn check_shared(&self, path: &Path, family: Option<&Family>, wish: &Wish) -> Result<(), Error> {
        match family {
            Some(family) if !family.is_shareable(path) => {
                refuse_sharing(Some(family), "it is not among the shareable nodes of its family", wish)
            }
            _ => Ok(()),
        }
    }
}

fn refuse_sharing(family: Option<&Family>, otherwise: &str, wish: &Wish) -> Result<(), Error> {
    if !wish.shared {
        return Ok(());
    }
    let reason = family.map(|family| family.exclusive.as_str()).filter(|reason| !reason.is_empty());
    Err(Error::NotShareable { asked: wish.asked.to_owned(), reason: reason.unwrap_or(otherwise).to_owned() })
}

fn unusable(wish: &Wish, problem: String) -> Error {
    Error::Unusable { asked: wish.asked.to_owned(), problem }
}

fn find_card(host: &Host, families: &Families, name: &str, index: u32, asked: &str) -> Result<Card, Error> {
    let family = families.get(name, asked)?;
    let mut cards = card::cards(host, name, family)?;
    let count = cards.len();
    if (index as usize) < count {
        return Ok(cards.swap_remove(index as usize));
    }
    let problem = match count {
        0 => {
            let none = String::from("none");
            let (ids, nodes) = (Some(family.pci.join(", ")), Some(family.nodes.join(", ")));
            let or_none = |list: Option<String>| list.filter(|list| !list.is_empty()).unwrap_or(none.clone());
            format!("this host has no {name} card (looked for PCI ids: {}; nodes: {})", or_none(ids), or_none(nodes))
        }
        1 => format!("this host has one {name} card, {name}:0"),
        _ => format!("this host has {name}:0 to {name}:{}", count - 1),
    };
    Err(Error::Absent { asked: asked.to_owned(), problem })
}

fn find_pci(host: &Host, asked: &str) -> Result<PciDevice, Error> {
    let absent = || {
        let problem = "no PCI device has this address; `rtrun devices --all` lists them".to_owned();
        Error::Absent { asked: asked.to_owned(), problem }
    };
    let address = pci::address(asked).ok_or_else(absent)?;
    pci::device(host, &address)?.ok_or_else(absent)
}

/// Bit 1 of the command register, at 4 in configuration space (PCI Local Bus 3.0, 6.2.2).
fn decodes_memory(host: &Host, directory: &Path) -> Result<bool, Error> {
    let path = host.path(directory.join("config"));
    let mut header = [0; 6];
    let file = std::fs::File::open(&path);
    let read = file.and_then(|mut file| std::io::Read::read_exact(&mut file, &mut header));
    read.map_err(|source| crate::host::Error::Read { path, source })?;
    Ok(header[4] & 2 != 0)
}
