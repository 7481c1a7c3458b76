use super::names::OCI_VERSION;
use super::{
    Capabilities, DeviceRule, IdMapping, Linux, Mount, Namespace, NamespaceType, Process, Resources, Rlimit, Root, Spec,
};
use std::path::Path;

/// The configuration that `rtrun spec` writes: a shell in five namespaces (six where the host's cgroups are v2), with
/// three capabilities, and the root read-only.
pub fn default(cgroup_v2: bool) -> Spec {
    Spec {
        oci_version: OCI_VERSION.into(),
        root: Some(Root { path: "rootfs".into(), readonly: true }),
        process: Some(process()),
        hostname: Some("rtrun".into()),
        mounts: mounts(),
        linux: Linux {
            namespaces: namespaces(cgroup_v2),
            resources: Some(Resources { devices: vec![deny_all_devices()], ..Resources::default() }),
            masked_paths: paths(&[
                "/proc/acpi",
                "/proc/asound",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/proc/sched_debug",
                "/sys/firmware",
                "/proc/scsi",
            ]),
            readonly_paths: paths(&["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
            ..Linux::default()
        },
        ..Spec::default()
    }
}

/// [`default`] for a caller who is not root: a user namespace with the caller as its root, the host's network, `/sys`
/// bound instead of mounted, and no limits.
pub fn rootless(cgroup_v2: bool, uid: u32, gid: u32) -> Spec {
    let mut spec = default(cgroup_v2);
    let linux = &mut spec.linux;
    linux.namespaces.retain(|namespace| namespace.kind != NamespaceType::Network);
    linux.namespaces.push(Namespace { kind: NamespaceType::User, path: None });
    linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: uid, size: 1 }];
    linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: gid, size: 1 }];
    linux.resources = None;
    for mount in &mut spec.mounts {
        if mount.destination == Path::new("/sys") {
            *mount = self::mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]);
        }
        mount.options.retain(|option| !option.starts_with("uid=") && !option.starts_with("gid="));
    }
    spec
}

fn process() -> Process {
    let capabilities = strings(&["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    Process {
        terminal: true,
        args: strings(&["sh"]),
        env: strings(&["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]),
        cwd: "/".into(),
        capabilities: Some(Capabilities {
            bounding: capabilities.clone(),
            effective: capabilities.clone(),
            permitted: capabilities,
            ..Capabilities::default()
        }),
        rlimits: vec![Rlimit { kind: "RLIMIT_NOFILE".into(), soft: 1024, hard: 1024 }],
        no_new_privileges: true,
        ..Process::default()
    }
}

fn mounts() -> Vec<Mount> {
    vec![
        mount("/proc", "proc", "proc", &[]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.into(),
        kind: Some(kind.into()),
        source: Some(source.into()),
        options: strings(options),
        ..Mount::default()
    }
}

fn namespaces(cgroup_v2: bool) -> Vec<Namespace> {
    let five =
        [NamespaceType::Pid, NamespaceType::Network, NamespaceType::Ipc, NamespaceType::Uts, NamespaceType::Mount];
    let cgroup = cgroup_v2.then_some(NamespaceType::Cgroup);
    five.into_iter().chain(cgroup).map(|kind| Namespace { kind, path: None }).collect()
}

fn deny_all_devices() -> DeviceRule {
    DeviceRule { allow: false, kind: None, major: None, minor: None, access: Some("rwm".into()) }
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn paths(items: &[&str]) -> Vec<std::path::PathBuf> {
    items.iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rootless_has_a_user_namespace_and_no_limits() {
        let spec = rootless(false, 1000, 100);
        assert_eq!(spec.linux.uid_mappings[0].host_id, 1000);
        assert!(spec.linux.resources.is_none());
        assert!(spec.mounts.iter().all(|mount| mount.options.iter().all(|option| !option.starts_with("gid="))));
        assert!(spec.linux.namespaces.iter().all(|namespace| namespace.kind != NamespaceType::Network));
    }
}
