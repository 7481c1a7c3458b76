//! Network devices moved into the container's network namespace (`config-linux.md`, Network Devices).

use super::netlink::{Request, Socket, attributes};
use crate::spec::NetDevice;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Why a network device can't be moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that the kernel doesn't take for a device.
    #[error(
        "linux.netDevices[{device:?}]: {name:?} is no name for a network device: 1 to 15 bytes without blank, slash and colon"
    )]
    Name {
        /// Name on the host, the map's key.
        device: String,
        /// The name that is wrong.
        name: String,
    },
    /// The host has no such device.
    #[error("linux.netDevices[{device:?}]: the host has no network device of this name")]
    NoDevice {
        /// Name on the host.
        device: String,
    },
    /// The name is taken in the container.
    #[error(
        "linux.netDevices[{device:?}]: the container's network namespace has a device named {name:?} already (a name with %d lets the kernel number it)"
    )]
    Taken {
        /// Name on the host.
        device: String,
        /// Name wanted.
        name: String,
    },
    /// The device came to the container under no index that can be found.
    #[error("linux.netDevices[{device:?}]: moved, but it doesn't show up in the container's network namespace")]
    Lost {
        /// Name on the host.
        device: String,
    },
    /// A namespace can't be talked to.
    #[error("linux.netDevices: opening rtnetlink in {whose} network namespace: {errno}")]
    Socket {
        /// The host's or the container's.
        whose: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// rtnetlink refused a step.
    #[error("linux.netDevices[{device:?}]: {step}: {errno}")]
    Step {
        /// Name on the host.
        device: String,
        /// What was tried.
        step: String,
        /// What the kernel said.
        errno: Errno,
    },
}

const IFLA_IFNAME: u16 = libc::IFLA_IFNAME;
const IFLA_NET_NS_FD: u16 = libc::IFLA_NET_NS_FD;
const IFA_ADDRESS: u16 = libc::IFA_ADDRESS;
const IFA_LOCAL: u16 = libc::IFA_LOCAL;
const IFA_BROADCAST: u16 = libc::IFA_BROADCAST;
const IFA_FLAGS: u16 = 8;
const IFA_F_PERMANENT: u32 = libc::IFA_F_PERMANENT;
const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
/// Size of `struct ifinfomsg`.
const LINK: usize = 16;
/// Size of `struct ifaddrmsg`.
const ADDRESS: usize = 8;

/// An address as it is to be given again: `struct ifaddrmsg` without its index, and attributes.
struct Address {
    family: u8,
    prefix: u8,
    attributes: Vec<(u16, Vec<u8>)>,
}

/// Moves the devices from the calling thread's network namespace into another, gives them their names there and the
/// permanent addresses of global scope that they had, and sets them up. The kernel brings physical ones back when the
/// namespace ends.
///
/// # Errors
/// [`Error`], naming the device; those before it have been moved.
pub fn move_devices(devices: &BTreeMap<String, NetDevice>, namespace: BorrowedFd) -> Result<(), Error> {
    if devices.is_empty() {
        return Ok(());
    }
    check_names(devices)?;
    let host = Socket::here().map_err(|errno| Error::Socket { whose: "the host's", errno })?;
    let container = Socket::inside(namespace).map_err(|errno| Error::Socket { whose: "the container's", errno })?;
    for (device, NetDevice { name }) in devices {
        let name = name.as_deref().filter(|name| !name.is_empty()).unwrap_or(device);
        move_device(device, name, &host, &container, namespace)?;
    }
    Ok(())
}

fn move_device(
    device: &str,
    name: &str,
    host: &Socket,
    container: &Socket,
    namespace: BorrowedFd,
) -> Result<(), Error> {
    let failed = |step: &str| {
        let (device, step) = (device.to_owned(), step.to_owned());
        move |errno| Error::Step { device, step, errno }
    };
    let links = links(host).map_err(failed("listing the host's devices"))?;
    let Some((index, _)) = links.into_iter().find(|(_, other)| other == device) else {
        return Err(Error::NoDevice { device: device.to_owned() });
    };
    let addresses = addresses(host, index).map_err(failed("listing its addresses"))?;
    let before = self::links(container).map_err(failed("listing the container's devices"))?;
    if before.iter().any(|(_, other)| other == name) {
        return Err(Error::Taken { device: device.to_owned(), name: name.to_owned() });
    }

    let change = Request::new(libc::RTM_NEWLINK, 0, &link(index, 0))
        .with(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes())
        .with(IFLA_IFNAME, &terminated(name));
    host.change(change).map_err(failed("moving it into the container's network namespace"))?;

    // Its index may be another one there, and its name the kernel's choice: it is the one that is new.
    let after = self::links(container).map_err(failed("listing the container's devices"))?;
    let Some((index, _)) = after.into_iter().find(|(index, _)| before.iter().all(|(other, _)| other != index)) else {
        return Err(Error::Lost { device: device.to_owned() });
    };
    for address in &addresses {
        container.change(address.request(index)).map_err(failed("giving it its address in the container"))?;
    }
    container
        .change(Request::new(libc::RTM_NEWLINK, 0, &link(index, libc::IFF_UP as u32)))
        .map_err(failed("setting it up"))
}

/// Index and name of each device.
fn links(socket: &Socket) -> Result<Vec<(i32, String)>, Errno> {
    let mut links = Vec::new();
    socket.dump(Request::new(libc::RTM_GETLINK, 0, &link(0, 0)), |kind, payload| {
        let name = attributes(payload, LINK).find(|(kind, _)| *kind == IFLA_IFNAME);
        if let (libc::RTM_NEWLINK, Some(index), Some((_, name))) = (kind, number(payload, 4), name) {
            let name = name.strip_suffix(&[0]).unwrap_or(name);
            links.push((index as i32, String::from_utf8_lossy(name).into_owned()));
        }
    })?;
    Ok(links)
}

/// The permanent addresses of global scope that a device has.
fn addresses(socket: &Socket, device: i32) -> Result<Vec<Address>, Errno> {
    let mut addresses = Vec::new();
    socket.dump(Request::new(libc::RTM_GETADDR, 0, &[0; ADDRESS]), |kind, payload| {
        if kind == libc::RTM_NEWADDR && number(payload, 4) == Some(device as u32) {
            addresses.extend(Address::lasting(payload));
        }
    })?;
    Ok(addresses)
}

impl Address {
    fn lasting(payload: &[u8]) -> Option<Address> {
        let [family, prefix, flags, scope, ..] = *payload else { return None };
        let long = attributes(payload, ADDRESS).find(|(kind, _)| *kind == IFA_FLAGS);
        let flags = long.and_then(|(_, flags)| number(flags, 0)).unwrap_or(flags.into());
        if flags & IFA_F_PERMANENT == 0 || scope != libc::RT_SCOPE_UNIVERSE {
            return None;
        }
        let kept = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST];
        let attributes = attributes(payload, ADDRESS).filter(|(kind, _)| kept.contains(kind));
        Some(Address { family, prefix, attributes: attributes.map(|(kind, value)| (kind, value.to_vec())).collect() })
    }

    fn request(&self, device: i32) -> Request {
        let mut fixed = [self.family, self.prefix, 0, libc::RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
        fixed[4..].copy_from_slice(&device.to_ne_bytes());
        let request = Request::new(libc::RTM_NEWADDR, CREATE, &fixed);
        self.attributes.iter().fold(request, |request, (kind, value)| request.with(*kind, value))
    }
}

/// `struct ifinfomsg` of a device, with flags to set.
fn link(index: i32, set: u32) -> [u8; LINK] {
    let mut fixed = [0; LINK];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed[8..12].copy_from_slice(&set.to_ne_bytes());
    fixed[12..16].copy_from_slice(&set.to_ne_bytes());
    fixed
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn terminated(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// As the kernel's `dev_valid_name`; and no two devices under one name.
fn check_names(devices: &BTreeMap<String, NetDevice>) -> Result<(), Error> {
    let mut taken: Vec<&str> = Vec::new();
    for (device, NetDevice { name }) in devices {
        let name = name.as_deref().filter(|name| !name.is_empty()).unwrap_or(device);
        for name in [device, name] {
            let plain = |byte: u8| byte != b'/' && byte != b':' && !byte.is_ascii_whitespace() && byte != 0;
            if name.is_empty() || name.len() > 15 || name == "." || name == ".." || !name.bytes().all(plain) {
                return Err(Error::Name { device: device.clone(), name: name.to_owned() });
            }
        }
        if taken.contains(&name) && !name.contains("%d") {
            return Err(Error::Taken { device: device.clone(), name: name.to_owned() });
        }
        taken.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sched::{CloneFlags, unshare};
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::process::Command;

    fn devices(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, NetDevice> {
        pairs.iter().map(|(host, name)| (host.to_string(), NetDevice { name: name.map(str::to_owned) })).collect()
    }

    fn ip(arguments: &str) -> String {
        let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "ip {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `host` in a new network namespace that has v0 and v1, with the descriptor of a second new one.
    fn with_namespaces(host: impl FnOnce(&File) + Send) {
        if !nix::unistd::geteuid().is_root() || Command::new("ip").arg("-V").output().is_err() {
            eprintln!("skip: needs root and ip(8)");
            return;
        }
        std::thread::scope(|scope| {
            let test = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                let container = File::open("/proc/thread-self/ns/net").unwrap();
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                ip("link add v0 type veth peer name v1");
                host(&container);
            });
            test.join().unwrap();
        });
    }

    fn enter(namespace: &File) {
        nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    }

    #[test]
    fn a_device_keeps_its_lasting_addresses_under_its_new_name() {
        with_namespaces(|container| {
            ip("addr add 192.0.2.7/24 brd 192.0.2.255 dev v0");
            ip("addr add 2001:db8::7/64 dev v0 nodad");
            ip("addr add 169.254.3.4/16 scope link dev v0");
            move_devices(&devices(&[("v0", Some("eth9")), ("v1", None)]), container.as_fd()).unwrap();
            assert!(!ip("-o link").contains("v0"));
            enter(container);
            let addresses = ip("-o addr show dev eth9");
            for part in ["192.0.2.7/24 brd 192.0.2.255", "2001:db8::7/64"] {
                assert!(addresses.contains(part), "{addresses}");
            }
            assert!(!addresses.contains("169.254.3.4"), "{addresses}");
            assert!(ip("-o link show dev eth9").contains(",UP"));
            assert!(ip("-o link show dev v1").contains(",UP"));
        });
    }

    #[test]
    fn a_taken_name_is_an_error_and_a_pattern_is_numbered() {
        with_namespaces(|container| {
            let error = move_devices(&devices(&[("v0", Some("lo"))]), container.as_fd()).unwrap_err().to_string();
            assert!(error.contains("has a device named \"lo\" already"), "{error}");
            move_devices(&devices(&[("v0", Some("eth%d")), ("v1", Some("eth%d"))]), container.as_fd()).unwrap();
            enter(container);
            let links = ip("-o link");
            assert!(links.contains("eth0") && links.contains("eth1"), "{links}");
        });
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        with_namespaces(|container| {
            let error = move_devices(&devices(&[("v7", None)]), container.as_fd()).unwrap_err().to_string();
            assert_eq!(error, "linux.netDevices[\"v7\"]: the host has no network device of this name");
        });
    }

    #[test]
    fn impossible_names_are_refused_before_anything_is_moved() {
        for (name, part) in [("a/b", "\"a/b\" is no name"), ("sixteen-bytes-xx", "is no name"), ("..", "is no name")] {
            let error = check_names(&devices(&[("v0", Some(name))])).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(matches!(check_names(&devices(&[("v0", Some("e")), ("v1", Some("e"))])), Err(Error::Taken { .. })));
    }
}
