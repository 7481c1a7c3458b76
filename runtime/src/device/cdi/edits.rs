use crate::device::Error;
use crate::device::grant::{Grant, Wish};
use crate::device::node::{Node, User};
use crate::host::Host;
use crate::spec::{Device, DeviceRule, DeviceType, Hook, IntelRdt, Mount, NetDevice};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a specification asks to be done to a container's configuration.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ContainerEdits {
    /// Variables, `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Device nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_nodes: Vec<DeviceNode>,
    /// Network devices (CDI 1.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub net_devices: Vec<MovedNetDevice>,
    /// Mounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<CdiMount>,
    /// Commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<CdiHook>,
    /// Groups of the process (CDI 0.7).
    #[serde(rename = "additionalGids", skip_serializing_if = "Vec::is_empty")]
    pub additional_gids: Vec<u32>,
    /// Resource director technology (CDI 0.7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intel_rdt: Option<IntelRdt>,
}

/// A node; what is absent is taken from the host's.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DeviceNode {
    /// In the container.
    pub path: PathBuf,
    /// On the host; absent means the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_path: Option<PathBuf>,
    /// `b`, `c`, `u` or `p`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<DeviceType>,
    /// Number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Permission bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    /// Letters of `rwm`; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Owner in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// A mount.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CdiMount {
    /// What.
    pub host_path: PathBuf,
    /// Where.
    pub container_path: PathBuf,
    /// As `mount(8)` has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Filesystem type (CDI 0.4).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A hook.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CdiHook {
    /// Name of its list in the configuration's `hooks`.
    pub hook_name: String,
    /// Executable.
    pub path: PathBuf,
    /// `argv`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// `environ`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}

/// A network device to be moved.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MovedNetDevice {
    /// On the host.
    pub host_interface_name: String,
    /// In the container.
    pub name: String,
}

impl ContainerEdits {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        let Self { env, device_nodes, net_devices, mounts, hooks, additional_gids, intel_rdt } = self;
        env.is_empty()
            && device_nodes.is_empty()
            && net_devices.is_empty()
            && mounts.is_empty()
            && hooks.is_empty()
            && additional_gids.is_empty()
            && intel_rdt.is_none()
    }

    pub(super) fn apply(&self, host: &Host, user: &User, wish: &Wish, grant: &mut Grant) -> Result<(), Error> {
        for node in &self.device_nodes {
            node.apply(host, user, wish, grant)?;
        }
        for CdiMount { host_path, container_path, options, kind } in &self.mounts {
            // CDI's default is a bind mount, whatever its options say.
            let is_bind = kind.is_none() && !options.iter().any(|option| option == "bind" || option == "rbind");
            let options = options.iter().cloned().chain(is_bind.then(|| "bind".to_owned()));
            grant.mounts.push(Mount {
                destination: container_path.clone(),
                kind: kind.clone(),
                source: Some(host_path.clone()),
                options: options.collect(),
                ..Mount::default()
            });
        }
        for hook in &self.hooks {
            hook.apply(wish, grant)?;
        }
        let moved = self.net_devices.iter().map(|MovedNetDevice { host_interface_name, name }| {
            (host_interface_name.clone(), NetDevice { name: Some(name.clone()).filter(|name| !name.is_empty()) })
        });
        grant.net_devices.extend(moved);
        grant.env.extend(self.env.iter().cloned());
        // 0 is what Go leaves in an unset list (CDI SPEC.md, additionalGids).
        grant.groups.extend(self.additional_gids.iter().filter(|&&group| group != 0));
        grant.intel_rdt = self.intel_rdt.clone().or_else(|| grant.intel_rdt.take());
        Ok(())
    }
}

impl DeviceNode {
    fn apply(&self, host: &Host, user: &User, wish: &Wish, grant: &mut Grant) -> Result<(), Error> {
        let source = self.host_path.as_deref().unwrap_or(&self.path);
        let (mut device, lease) = match (self.kind, self.major, self.minor) {
            (Some(DeviceType::Fifo), ..) => (self.as_given(DeviceType::Fifo, 0, 0), None),
            (Some(kind), Some(major), Some(minor)) => {
                let letter = if kind == DeviceType::Block { "block" } else { "char" };
                (self.as_given(kind, major, minor), Some(format!("{letter} {major}:{minor}")))
            }
            _ => {
                let node = Node::read(host, Path::new(source), wish.asked)?;
                node.check_user(user, wish.read_only, wish.asked)?;
                (node.device(user, wish.read_only), Some(node.lease_name()))
            }
        };
        device.path.clone_from(&self.path);
        device.file_mode = self.file_mode.or(device.file_mode);
        device.uid = self.uid.or(device.uid);
        device.gid = self.gid.or(device.gid);
        if device.kind != DeviceType::Fifo {
            let access = if wish.read_only { "r" } else { self.permissions.as_deref().unwrap_or("rwm") };
            grant.rules.push(DeviceRule {
                allow: true,
                kind: Some(device.kind),
                major: Some(device.major),
                minor: Some(device.minor),
                access: Some(access.to_owned()),
            });
        }
        if let Some(lease) = lease {
            grant.lease(lease, wish.shared);
        }
        grant.devices.retain(|other| other.path != device.path);
        grant.devices.push(device);
        Ok(())
    }

    fn as_given(&self, kind: DeviceType, major: i64, minor: i64) -> Device {
        let (file_mode, uid, gid) = (self.file_mode, self.uid, self.gid);
        Device { path: self.path.clone(), kind, major, minor, file_mode, uid, gid }
    }
}

impl CdiHook {
    fn apply(&self, wish: &Wish, grant: &mut Grant) -> Result<(), Error> {
        let CdiHook { hook_name, path, args, env, timeout } = self.clone();
        let hooks = &mut grant.hooks;
        let list = match hook_name.as_str() {
            "prestart" => &mut hooks.prestart,
            "createRuntime" => &mut hooks.create_runtime,
            "createContainer" => &mut hooks.create_container,
            "startContainer" => &mut hooks.start_container,
            "poststart" => &mut hooks.poststart,
            "poststop" => &mut hooks.poststop,
            _ => {
                let near = rtrun_hooks::nearest(&hook_name, crate::spec::names::HOOKS.iter().copied());
                let problem = format!("hookName {hook_name:?} is no hook; did you mean {near:?}?");
                return Err(Error::Cdi { asked: wish.asked.to_owned(), problem });
            }
        };
        list.push(Hook { path, args, env, timeout });
        Ok(())
    }
}
