//! PCI devices (`Documentation/ABI/testing/sysfs-bus-pci`, `Documentation/PCI/sysfs-pci.rst`).

use super::{Error, Host};
use std::path::{Path, PathBuf};

const DEVICES: &str = "/sys/bus/pci/devices";
/// How deep below a PCI device its nodes are: `virtio3/block/vda` is the deepest kind.
const DEPTH: usize = 4;

/// A base address register that is in use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bar {
    /// 0 to 5; 6 is the expansion ROM.
    pub index: u8,
    /// Bytes.
    pub size: u64,
    /// Memory, or else I/O ports.
    pub memory: bool,
    /// `resourceN` of sysfs on the host, which can be mapped; `None` on kernels without it.
    pub file: Option<PathBuf>,
}

/// A character or block device that a driver has made for a PCI device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClassDevice {
    /// Its class: `uio`, `ptp`, `misc`, …
    pub class: String,
    /// Its name in the class: `uio0`.
    pub name: String,
    /// Its node below /dev.
    pub node: PathBuf,
}

/// A PCI device.
#[derive(Clone, Debug)]
pub struct PciDevice {
    /// domain:bus:device.function, as sysfs writes it.
    pub address: String,
    /// Who made the chip.
    pub vendor: u16,
    /// Which chip.
    pub device: u16,
    /// Base class, subclass and interface, 24 bits.
    pub class: u32,
    /// Of the chip.
    pub revision: u8,
    /// Name of the driver that has it.
    pub driver: Option<String>,
    /// The group that VFIO hands out as a whole; `None` without an IOMMU.
    pub iommu_group: Option<u32>,
    /// Near which memory it is.
    pub numa_node: Option<u32>,
    /// Its registers.
    pub bars: Vec<Bar>,
    /// Its message-signalled interrupts.
    pub msi_irqs: Vec<u32>,
}

impl PciDevice {
    /// Its directory in sysfs, on the host.
    pub fn directory(&self) -> PathBuf {
        Path::new(DEVICES).join(&self.address)
    }

    /// The nodes that its driver has made: sysfs devices below it that have a number. Their names in /dev are the
    /// kernel's (`DEVNAME`), which udev keeps.
    ///
    /// # Errors
    /// Those of [`Host::names`] and [`Host::text`].
    pub fn class_devices(&self, host: &Host) -> Result<Vec<ClassDevice>, Error> {
        let mut found = Vec::new();
        collect(host, &self.directory(), DEPTH, &mut found)?;
        Ok(found)
    }
}

fn collect(host: &Host, directory: &Path, depth: usize, found: &mut Vec<ClassDevice>) -> Result<(), Error> {
    for name in host.names(directory)? {
        let below = directory.join(&name);
        // Links lead out of the device: subsystem, driver, iommu, firmware_node.
        if depth == 0 || !std::fs::symlink_metadata(host.path(&below)).is_ok_and(|entry| entry.is_dir()) {
            continue;
        }
        if host.has(below.join("dev")) {
            let uevent = host.text(below.join("uevent"))?.unwrap_or_default();
            let node = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME=")).unwrap_or(&name);
            let parent = || directory.file_name().map(|class| class.to_string_lossy().into_owned());
            let class = host.link_name(below.join("subsystem")).or_else(parent).unwrap_or_default();
            found.push(ClassDevice { class, node: Path::new("/dev").join(node), name });
        } else {
            collect(host, &below, depth - 1, found)?;
        }
    }
    Ok(())
}

/// All of them, by address.
///
/// # Errors
/// Those of [`Host::names`] and [`Host::text`], [`Error::Malformed`].
pub fn devices(host: &Host) -> Result<Vec<PciDevice>, Error> {
    let mut addresses = host.names(DEVICES)?;
    addresses.sort();
    // One that is unplugged meanwhile is left out.
    addresses.iter().filter_map(|address| device(host, address).transpose()).collect()
}

/// The device at an address; `None` if there is none.
///
/// # Errors
/// As [`devices`].
pub fn device(host: &Host, address: &str) -> Result<Option<PciDevice>, Error> {
    let directory = Path::new(DEVICES).join(address);
    let (Some(vendor), Some(device)) = (hex(host, directory.join("vendor"))?, hex(host, directory.join("device"))?)
    else {
        return Ok(None);
    };
    let group = host.link_name(directory.join("iommu_group"));
    let node = host.number(directory.join("numa_node"))?;
    let msi = host.names(directory.join("msi_irqs"))?;
    Ok(Some(PciDevice {
        address: address.to_owned(),
        vendor: vendor as u16,
        device: device as u16,
        class: hex(host, directory.join("class"))?.unwrap_or(0),
        revision: hex(host, directory.join("revision"))?.unwrap_or(0) as u8,
        driver: host.link_name(directory.join("driver")),
        iommu_group: group.and_then(|group| group.parse().ok()),
        numa_node: node.and_then(|node| u32::try_from(node).ok()),
        bars: bars(host, &directory)?,
        msi_irqs: msi.iter().filter_map(|irq| irq.parse().ok()).collect(),
    }))
}

/// The whole address of `0000:03:00.0` or `03:00.0`, in lower case; `None` if it is no address.
pub fn address(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let whole = if text.matches(':').count() == 1 { format!("0000:{text}") } else { text };
    let (domain, rest) = whole.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let part = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fits = domain.len() >= 4 && part(domain, domain.len()) && part(bus, 2) && part(device, 2) && part(function, 1);
    fits.then_some(whole)
}

fn hex(host: &Host, path: PathBuf) -> Result<Option<u32>, Error> {
    let Some(text) = host.text(&path)? else { return Ok(None) };
    let number = u32::from_str_radix(text.trim_start_matches("0x"), 16);
    number.map(Some).map_err(|_| Error::Malformed { path: host.path(path), text, wanted: "a hexadecimal number" })
}

/// Lines of `resource`: first and last address, and the flags of `linux/ioport.h`.
fn bars(host: &Host, directory: &Path) -> Result<Vec<Bar>, Error> {
    const MEMORY: u64 = 0x200;
    let text = host.text(directory.join("resource"))?.unwrap_or_default();
    let mut bars = Vec::new();
    for (index, line) in (0u8..=6).zip(text.lines()) {
        let mut words = line.split_whitespace().map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16));
        let (Some(Ok(start)), Some(Ok(end)), Some(Ok(flags))) = (words.next(), words.next(), words.next()) else {
            let (path, text) = (host.path(directory.join("resource")), line.to_owned());
            return Err(Error::Malformed { path, text, wanted: "start, end and flags" });
        };
        if flags == 0 || end < start {
            continue;
        }
        let file = directory.join(format!("resource{index}"));
        let file = host.has(&file).then_some(file);
        bars.push(Bar { index, size: end - start + 1, memory: flags & MEMORY != 0, file });
    }
    Ok(bars)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Tree;
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address("03:00.0").as_deref(), Some("0000:03:00.0"));
        assert_eq!(address("10000:E1:00.A").as_deref(), Some("10000:e1:00.a"));
        for text in ["bc635:0", "3:0.0", "0000:03:00", "0000:03:00.00", "", "/dev/uio0"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn a_card_with_its_bars_and_nodes() {
        let at = "/sys/bus/pci/devices/0000:03:00.0";
        let resource = "0x00000000fe000000 0x00000000fe00004f 0x0000000000040200\n\
                        0x00000000fe001000 0x00000000fe0017ff 0x0000000000040200\n\
                        0x0000000000000000 0x0000000000000000 0x0000000000000000\n";
        let tree = Tree::new()
            .files(&format!(
                "{at}/vendor = 0x12e2
                 {at}/device = 0x4013
                 {at}/class = 0x088000
                 {at}/revision = 0x20
                 {at}/numa_node = -1
                 {at}/resource0 = x
                 {at}/msi_irqs/41 = msi
                 {at}/uio/uio3/dev = 245:3"
            ))
            .file(&format!("{at}/resource"), resource)
            .file(&format!("{at}/uio/uio3/uevent"), "MAJOR=245\nMINOR=3\nDEVNAME=uio3\n")
            .link(&format!("{at}/driver"), "../../../bus/pci/drivers/uio_pci_generic")
            .link(&format!("{at}/iommu_group"), "../../../kernel/iommu_groups/7");
        let found = devices(&tree.host()).unwrap();
        let card = &found[0];
        assert_eq!((card.vendor, card.device, card.revision), (0x12e2, 0x4013, 0x20));
        assert_eq!((card.driver.as_deref(), card.iommu_group), (Some("uio_pci_generic"), Some(7)));
        assert_eq!((card.numa_node, card.msi_irqs.as_slice()), (None, &[41][..]));
        let sizes: Vec<_> = card.bars.iter().map(|bar| (bar.index, bar.size, bar.file.is_some())).collect();
        assert_eq!(sizes, [(0, 0x50, true), (1, 0x800, false)]);
        let nodes = card.class_devices(&tree.host()).unwrap();
        assert_eq!((nodes[0].class.as_str(), nodes[0].node.as_path()), ("uio", Path::new("/dev/uio3")));
    }
}
