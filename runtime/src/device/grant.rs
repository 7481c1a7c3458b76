//! What a container is given: plain data, merged into its configuration before the launch.

use super::Error;
use super::node::{Node, User};
use crate::host::Host;
use crate::spec::{Device, DeviceRule, Hooks, IntelRdt, Mount, NetDevice, Resources, Spec};
use rtrun_hooks::ledger::{Claim, Mode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What the devices that a container asks for come to on this host.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Grant {
    /// For `linux.devices`.
    pub devices: Vec<Device>,
    /// For `linux.resources.devices`.
    pub rules: Vec<DeviceRule>,
    /// For `mounts`.
    pub mounts: Vec<Mount>,
    /// For `process.env`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// For `process.user.additionalGids`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// For `hooks`.
    pub hooks: Hooks,
    /// For `linux.netDevices`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub net_devices: BTreeMap<String, NetDevice>,
    /// For `linux.intelRdt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
    /// To be taken in the node's ledger before anything else is done.
    pub leases: Vec<Lease>,
    /// What is risky about it.
    pub warnings: Vec<String>,
    /// What each name stood for, for people.
    pub found: Vec<Found>,
}

/// A device that must not be anybody else's.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Lease {
    /// One name for one device, whatever it was asked for as: a PCI address, `char 245:0`, a CDI name.
    pub name: String,
    /// Whether others may have it too, if they share as well.
    pub shared: bool,
}

impl Lease {
    /// What the ledger is asked for.
    pub fn claim(&self) -> Claim {
        let mode = if self.shared { Mode::Shared } else { Mode::Exclusive };
        Claim::Device { name: self.name.clone(), mode }
    }
}

/// What a name stood for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Found {
    /// As it was asked for.
    pub asked: String,
    /// Its PCI address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pci: Option<String>,
    /// What of it the container sees, and where.
    pub given: Vec<String>,
}

impl Grant {
    /// Puts it all into a configuration: a node of the same path is replaced, the rest is added at the end. `spec` may be
    /// merged into once.
    pub fn merge_into(&self, spec: &mut Spec) {
        let linux = &mut spec.linux;
        linux.devices.retain(|device| self.devices.iter().all(|ours| ours.path != device.path));
        linux.devices.extend(self.devices.iter().cloned());
        if !self.rules.is_empty() {
            linux.resources.get_or_insert_with(Resources::default).devices.extend(self.rules.iter().cloned());
        }
        linux.net_devices.extend(self.net_devices.clone());
        linux.intel_rdt = self.intel_rdt.clone().or_else(|| linux.intel_rdt.take());
        spec.mounts.extend(self.mounts.iter().cloned());
        if let Some(process) = &mut spec.process {
            let name = |variable: &String| variable.split('=').next().unwrap_or_default().to_owned();
            process.env.retain(|variable| self.env.iter().all(|ours| name(ours) != name(variable)));
            process.env.extend(self.env.iter().cloned());
            let new = self.groups.iter().filter(|group| !process.user.additional_gids.contains(group));
            let new: Vec<u32> = new.copied().collect();
            process.user.additional_gids.extend(new);
        }
        let Hooks { prestart, create_runtime, create_container, start_container, poststart, poststop } = &self.hooks;
        let lists = [prestart, create_runtime, create_container, start_container, poststart, poststop];
        if lists.iter().any(|list| !list.is_empty()) {
            let hooks = spec.hooks.get_or_insert_with(Hooks::default);
            hooks.prestart.extend(prestart.iter().cloned());
            hooks.create_runtime.extend(create_runtime.iter().cloned());
            hooks.create_container.extend(create_container.iter().cloned());
            hooks.start_container.extend(start_container.iter().cloned());
            hooks.poststart.extend(poststart.iter().cloned());
            hooks.poststop.extend(poststop.iter().cloned());
        }
    }

    /// Adds a node of the host at its own path.
    pub(super) fn node(&mut self, host: &Host, path: &Path, user: &User, wish: &Wish) -> Result<Node, Error> {
        let node = Node::read(host, path, wish.asked)?;
        node.check_user(user, wish.read_only, wish.asked)?;
        if self.devices.iter().all(|device| device.path != node.path) {
            self.devices.push(node.device(user, wish.read_only));
            self.rules.push(node.rule(wish.read_only));
        }
        Ok(node)
    }

    /// Binds a file or directory of the host.
    pub(super) fn bind(&mut self, source: &Path, destination: &Path, read_only: bool) {
        let access = if read_only { "ro" } else { "rw" };
        let options = ["bind", access, "nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
        self.mounts.push(Mount {
            destination: destination.to_path_buf(),
            kind: Some("bind".into()),
            source: Some(source.to_path_buf()),
            options,
            ..Mount::default()
        });
    }

    /// Adds a lease; of two on one device the stricter one counts.
    pub(super) fn lease(&mut self, name: String, shared: bool) {
        match self.leases.iter_mut().find(|lease| lease.name == name) {
            Some(lease) => lease.shared &= shared,
            None => self.leases.push(Lease { name, shared }),
        }
    }
}

/// How one device is wished for.
pub(super) struct Wish<'a> {
    /// The name that was given.
    pub asked: &'a str,
    pub read_only: bool,
    pub shared: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    #[test]
    fn merging_replaces_what_is_named_the_same() {
        let mut spec = parse(
            br#"{"ociVersion":"1.3.0","process":{"cwd":"/","env":["A=1","B=2"]},
                "linux":{"devices":[{"path":"/dev/x","type":"c","major":1,"minor":3}]}}"#,
            "c",
        )
        .unwrap();
        let host = Host::default();
        let mut grant = Grant { env: vec!["A=3".into()], groups: vec![7], ..Grant::default() };
        let wish = Wish { asked: "/dev/null", read_only: true, shared: false };
        grant.node(&host, Path::new("/dev/null"), &User::default(), &wish).unwrap();
        grant.bind(Path::new("/sys/x"), Path::new("/dev/rtrun/x"), true);
        grant.merge_into(&mut spec);
        grant.devices[0].path = "/dev/x".into();
        grant.merge_into(&mut spec);
        let process = spec.process.unwrap();
        assert_eq!((process.env, process.user.additional_gids), (vec!["B=2".to_owned(), "A=3".into()], vec![7]));
        let paths: Vec<_> = spec.linux.devices.iter().map(|device| device.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["/dev/null", "/dev/x"]);
        assert_eq!(spec.linux.resources.unwrap().devices[0].access.as_deref(), Some("r"));
        assert_eq!(spec.mounts[0].options[..2], ["bind", "ro"]);
    }

    #[test]
    fn the_stricter_lease_counts() {
        let mut grant = Grant::default();
        grant.lease("a".into(), true);
        grant.lease("a".into(), false);
        grant.lease("a".into(), true);
        assert_eq!(grant.leases, [Lease { name: "a".into(), shared: false }]);
    }
}
