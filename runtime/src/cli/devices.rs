use super::table::{Format, columns};
use super::{Command, Error, Globals, print};
use crate::device::{Access, Families, Grant, access, all_cards, cdi, resolve};
use crate::host::Host;
use crate::host::pci::{self, PciDevice};
use crate::spec::Spec;
use rtrun_hooks::annotation::{DeviceName, DeviceRequest, PciAddress};
use rtrun_hooks::ledger::{Claim, Entry, Ledger, Mode};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// List the cards of this host, how a container reaches them, and who has them
#[derive(clap::Parser)]
pub(super) struct Devices {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Every PCI device and CDI name, not only cards of a known family
    #[arg(short, long)]
    all: bool,
    /// Write specifications of the cards for podman, containerd and CRI-O into DIR instead [default: /etc/cdi]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = cdi::DIRECTORIES[0])]
    cdi: Option<PathBuf>,
}

/// One device, as the JSON has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    /// As `org.rtrun.devices` names it.
    name: String,
    /// Of its family, or what it is.
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pci: Option<Pci>,
    /// `nodes`, `uio`, `vfio`, `registers`, `cdi`, or `nothing`.
    access: &'static str,
    /// Files that the container gets, as it sees them.
    files: Vec<String>,
    /// Why it can't be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    leases: Vec<Holder>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pci {
    address: String,
    id: String,
    driver: Option<String>,
    iommu_group: Option<u32>,
    numa_node: Option<u32>,
    irqs: Vec<u32>,
}

#[derive(Serialize)]
struct Holder {
    container: String,
    pid: i32,
    mode: Mode,
}

impl Command for Devices {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let host = Host::default();
        match &self.cdi {
            Some(directory) => write_cdi(&host, directory, globals),
            None => self.list(&host),
        }
    }
}

impl Devices {
    fn list(&self, host: &Host) -> Result<u8, Error> {
        let entries = Ledger::system().entries()?;
        let families = Families::load(host)?;
        let mut listed = Vec::new();
        for card in all_cards(host, &families)? {
            let about = families.iter().find(|(name, _)| *name == card.family).map(|(_, family)| family.about.clone());
            let name = DeviceName::Card { family: card.family.clone(), index: card.index };
            listed.push(look(host, name, about.unwrap_or_default(), card.pci, &card.access, &entries));
        }
        if self.all {
            for device in pci::devices(host)? {
                let is_listed = |one: &Listed| one.pci.as_ref().is_some_and(|pci| pci.address == device.address);
                let Some(address) = PciAddress::parse(&device.address).filter(|_| !listed.iter().any(is_listed)) else {
                    continue;
                };
                let access = access(host, &device)?;
                let about = format!("PCI class {:06x}", device.class);
                listed.push(look(host, DeviceName::Pci(address), about, Some(device), &access, &entries));
            }
            for name in cdi::names(host)? {
                listed.push(look_cdi(host, name, &entries));
            }
        }
        match self.format {
            Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&listed)?)),
            Format::Table => print(&table(&listed)),
        }
    }
}

fn look(
    host: &Host,
    name: DeviceName,
    about: String,
    pci: Option<PciDevice>,
    access: &Access,
    entries: &[Entry],
) -> Listed {
    let kind = match access {
        Access::Nodes(_) => "nodes",
        Access::Uio { .. } => "uio",
        Access::Vfio { .. } => "vfio",
        Access::Registers => "registers",
        Access::Nothing(_) => "nothing",
    };
    let pci = pci.map(|device| Pci {
        id: format!("{:04x}:{:04x}", device.vendor, device.device),
        address: device.address,
        driver: device.driver,
        iommu_group: device.iommu_group,
        numa_node: device.numa_node,
        irqs: device.msi_irqs,
    });
    let listed =
        Listed { name: name.to_string(), about, pci, access: kind, files: vec![], problem: None, leases: vec![] };
    match access {
        Access::Nothing(reason) => Listed { problem: Some(reason.clone()), ..listed },
        _ => listed.with(resolved(host, name), entries),
    }
}

fn look_cdi(host: &Host, name: String, entries: &[Entry]) -> Listed {
    let about = "Container Device Interface".to_owned();
    let listed = Listed { name, about, pci: None, access: "cdi", files: vec![], problem: None, leases: vec![] };
    let grant = resolved(host, DeviceName::Cdi(listed.name.clone()));
    listed.with(grant, entries)
}

fn resolved(host: &Host, name: DeviceName) -> Result<Grant, crate::device::Error> {
    resolve(host, &[DeviceRequest { name, read_only: false, shared: false }], &Spec::default())
}

impl Listed {
    fn with(mut self, grant: Result<Grant, crate::device::Error>, entries: &[Entry]) -> Listed {
        match grant {
            Err(error) => self.problem = Some(error.to_string()),
            Ok(grant) => {
                self.files = grant.found.into_iter().flat_map(|found| found.given).collect();
                for entry in entries {
                    let held = entry.claims.iter().find_map(|claim| match claim {
                        Claim::Device { name, mode } => {
                            grant.leases.iter().any(|lease| lease.name == *name).then_some(*mode)
                        }
                        _ => None,
                    });
                    let (container, pid) = (entry.owner.id.clone(), entry.owner.pid);
                    self.leases.extend(held.map(|mode| Holder { container, pid, mode }));
                }
            }
        }
        self
    }
}

fn table(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return format!(
            "no card of a known family here; `rtrun devices --all` lists every PCI device and CDI name, {} describes \
             other families\n",
            crate::device::CONFIG
        );
    }
    let mut rows = vec![["NAME", "PCI", "DRIVER", "ACCESS", "LEASED BY", "FILES"].map(String::from)];
    let dash = || String::from("-");
    rows.extend(listed.iter().map(|one| {
        let pci = one.pci.as_ref();
        let holders: Vec<String> =
            one.leases.iter().map(|holder| format!("{} {}", holder.container, holder.mode)).collect();
        [
            one.name.clone(),
            pci.map_or_else(dash, |pci| format!("{} {}", pci.address, pci.id)),
            pci.and_then(|pci| pci.driver.clone()).unwrap_or_else(dash),
            one.access.to_owned(),
            if holders.is_empty() { dash() } else { holders.join(", ") },
            one.problem.clone().unwrap_or_else(|| one.files.join(" ")),
        ]
    }));
    columns(&rows)
}

fn write_cdi(host: &Host, directory: &Path, globals: &Globals) -> Result<u8, Error> {
    let (specs, problems) = cdi::describe(host)?;
    problems.into_iter().for_each(globals.warn());
    let written =
        cdi::write(directory, &specs).map_err(|(path, source)| Error::File { action: "writing", path, source })?;
    let devices =
        specs.iter().flat_map(|spec| spec.devices.iter().map(|device| format!("{}={}\n", spec.kind, device.name)));
    let files = written.iter().map(|path| format!("wrote {}\n", path.display()));
    print(&files.chain(devices).collect::<String>())
}
