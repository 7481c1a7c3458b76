use super::value;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// A device as an annotation names it; what it is on this host is for the runtime to find out.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum DeviceName {
    /// The n-th card of a family: `bc635:0`, `mil1553:1`. Families are configured on the host.
    Card {
        /// Lower-case name.
        family: String,
        /// From 0, in the order of PCI addresses.
        index: u32,
    },
    /// A PCI function: `0000:03:00.0`; the domain may be left out.
    Pci(PciAddress),
    /// A name of the Container Device Interface: `vendor.com/class=name`.
    Cdi(String),
    /// A device node: `/dev/uio0`.
    Node(PathBuf),
}

/// Domain, bus, device and function.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PciAddress {
    /// Domain (segment), 0 on most machines.
    pub domain: u32,
    /// Bus, 0 to 255.
    pub bus: u8,
    /// Device, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

/// One item of `devices`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DeviceRequest {
    /// Which.
    pub name: DeviceName,
    /// `+ro`: no writing.
    pub read_only: bool,
    /// `+shared`: no exclusive lease.
    pub shared: bool,
}

impl DeviceName {
    /// Reads a device's name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<DeviceName, String> {
        if text.is_empty() {
            return Err("names no device".to_owned());
        }
        if text.starts_with('/') {
            return node(Path::new(text));
        }
        if text.contains('=') {
            return if is_cdi(text) {
                Ok(DeviceName::Cdi(text.to_owned()))
            } else {
                Err("is no CDI name: vendor.com/class=name".to_owned())
            };
        }
        if let Some(address) = PciAddress::parse(text) {
            return Ok(DeviceName::Pci(address));
        }
        match text.split_once(':') {
            Some((family, index)) if is_family(family) => match index.parse() {
                Ok(index) => Ok(DeviceName::Card { family: family.to_owned(), index }),
                Err(_) => Err(format!("{index:?} is no number of a {family} card, from 0")),
            },
            _ => Err("is no family:index, PCI address, CDI name or path of a node".to_owned()),
        }
    }
}

fn node(path: &Path) -> Result<DeviceName, String> {
    let plain = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
    if path.components().all(plain) && path.file_name().is_some() {
        Ok(DeviceName::Node(path.to_owned()))
    } else {
        Err("is no plain absolute path of a node".to_owned())
    }
}

fn is_family(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
}

/// `vendor/class=name` as the CDI specification has it.
fn is_cdi(text: &str) -> bool {
    let words = |text: &str, more: &[u8]| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || more.contains(&b);
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(legal)
    };
    text.split_once('=').is_some_and(|(kind, name)| {
        kind.split_once('/').is_some_and(|(vendor, class)| words(vendor, b"_-.") && words(class, b"_-"))
            && words(name, b"_-.:")
    })
}

impl PciAddress {
    /// `0000:03:00.0` or `03:00.0`, hexadecimal as in sysfs.
    pub fn parse(text: &str) -> Option<PciAddress> {
        let hex = |text: &str, digits: usize| {
            let legal = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
            legal.then(|| u32::from_str_radix(text, 16).ok()).flatten()
        };
        let (rest, function) = text.rsplit_once('.')?;
        let (rest, device) = rest.rsplit_once(':')?;
        let (domain, bus) = match rest.rsplit_once(':') {
            Some((domain, bus)) => (hex(domain, domain.len().clamp(4, 8))?, bus),
            None => (0, rest),
        };
        let (bus, device, function) = (hex(bus, 2)?, hex(device, 2)?, hex(function, 1)?);
        let address = PciAddress { domain, bus: bus as u8, device: device as u8, function: function as u8 };
        (address.device < 32 && address.function < 8).then_some(address)
    }
}

/// As in sysfs, `0000:03:00.0`.
impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{}", self.domain, self.bus, self.device, self.function)
    }
}

/// As an annotation has it.
impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DeviceName::Card { family, index } => write!(f, "{family}:{index}"),
            DeviceName::Pci(address) => address.fmt(f),
            DeviceName::Cdi(name) => f.write_str(name),
            DeviceName::Node(path) => path.display().fmt(f),
        }
    }
}

impl Serialize for DeviceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl DeviceRequest {
    /// Reads a name with its `+ro` and `+shared`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<DeviceRequest, String> {
        let mut parts = text.split('+');
        let name = DeviceName::parse(parts.next().unwrap_or_default())?;
        let mut request = DeviceRequest { name, read_only: false, shared: false };
        for option in parts {
            let flag = match option {
                "ro" => &mut request.read_only,
                "shared" => &mut request.shared,
                _ => return Err(format!("+{option} is no option; +ro and +shared are")),
            };
            if std::mem::replace(flag, true) {
                return Err(format!("has +{option} twice"));
            }
        }
        Ok(request)
    }

    /// The items of `devices`; no device may be there twice.
    pub(super) fn list(text: &str) -> Result<Vec<DeviceRequest>, String> {
        let requests = value::list(text, DeviceRequest::parse)?;
        for (index, request) in requests.iter().enumerate() {
            if requests[..index].iter().any(|earlier| earlier.name == request.name) {
                return Err(format!("{} is there twice", request.name));
            }
        }
        Ok(requests)
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (ro, shared) = (if self.read_only { "+ro" } else { "" }, if self.shared { "+shared" } else { "" });
        write!(f, "{}{ro}{shared}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_name_is_told() {
        let card = |family: &str, index| DeviceName::Card { family: family.to_owned(), index };
        for (text, name) in [
            ("bc635:0", card("bc635", 0)),
            ("mil1553:12", card("mil1553", 12)),
            ("03:00.0", DeviceName::Pci(PciAddress { domain: 0, bus: 3, device: 0, function: 0 })),
            ("0001:ff:1f.7", DeviceName::Pci(PciAddress { domain: 1, bus: 255, device: 31, function: 7 })),
            ("10000:00:01.0", DeviceName::Pci(PciAddress { domain: 0x10000, bus: 0, device: 1, function: 0 })),
            ("vendor.com/net=eth0", DeviceName::Cdi("vendor.com/net=eth0".to_owned())),
            ("/dev/uio0", DeviceName::Node("/dev/uio0".into())),
        ] {
            assert_eq!(DeviceName::parse(text), Ok(name.clone()), "{text}");
            assert_eq!(DeviceName::parse(&name.to_string()), Ok(name), "{text}");
        }
    }

    #[test]
    fn broken_names_say_what_is_wrong() {
        for (text, part) in [
            ("", "names no device"),
            ("bc635", "is no family:index"),
            ("bc635:x", "\"x\" is no number of a bc635 card"),
            ("BC635:0", "is no family:index"),
            ("03:20.0", "is no family:index"),
            ("/dev/../etc", "no plain absolute path"),
            ("/", "no plain absolute path"),
            ("vendor=x", "is no CDI name"),
            ("a/b=", "is no CDI name"),
        ] {
            let problem = DeviceName::parse(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn options_follow_a_plus() {
        let request = DeviceRequest::parse("/dev/uio0+shared+ro").unwrap();
        assert!(request.read_only && request.shared);
        assert_eq!(request.to_string(), "/dev/uio0+ro+shared");
        assert!(DeviceRequest::parse("bc635:0+rw").unwrap_err().contains("+rw is no option"));
        assert!(DeviceRequest::parse("bc635:0+ro+ro").unwrap_err().contains("twice"));
        assert!(DeviceRequest::list("bc635:0, bc635:0+ro").unwrap_err().contains("bc635:0 is there twice"));
    }
}
