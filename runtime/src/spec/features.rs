use super::MemoryPolicyMode;
use super::names;
use crate::security::seccomp;
use serde::Serialize;
use std::collections::BTreeMap;

/// What this build implements (`features.md`, `features-linux.md`), whatever the host has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    oci_version_min: &'static str,
    oci_version_max: &'static str,
    hooks: &'static [&'static str],
    mount_options: &'static [&'static str],
    linux: Linux,
    annotations: BTreeMap<&'static str, &'static str>,
    potentially_unsafe_config_annotations: &'static [&'static str],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: &'static [&'static str],
    capabilities: &'static [&'static str],
    cgroup: Cgroup,
    seccomp: seccomp::Features,
    apparmor: Enabled,
    selinux: Enabled,
    intel_rdt: IntelRdt,
    memory_policy: MemoryPolicy,
    mount_extensions: MountExtensions,
    net_devices: Enabled,
}

#[derive(Debug, Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cgroup {
    v1: bool,
    v2: bool,
    systemd: bool,
    systemd_user: bool,
    rdma: bool,
}

#[derive(Debug, Serialize)]
struct IntelRdt {
    enabled: bool,
    schemata: bool,
    monitoring: bool,
}

#[derive(Debug, Serialize)]
struct MemoryPolicy {
    modes: &'static [MemoryPolicyMode],
    flags: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct MountExtensions {
    idmap: Enabled,
}

const YES: Enabled = Enabled { enabled: true };

const MODES: &[MemoryPolicyMode] = &[
    MemoryPolicyMode::MpolDefault,
    MemoryPolicyMode::MpolBind,
    MemoryPolicyMode::MpolInterleave,
    MemoryPolicyMode::MpolWeightedInterleave,
    MemoryPolicyMode::MpolPreferred,
    MemoryPolicyMode::MpolPreferredMany,
    MemoryPolicyMode::MpolLocal,
];

/// The features document.
pub fn features() -> Features {
    Features {
        oci_version_min: "1.0.0",
        oci_version_max: names::OCI_VERSION,
        hooks: names::HOOKS,
        mount_options: names::MOUNT_OPTIONS,
        linux: Linux {
            namespaces: names::NAMESPACES,
            capabilities: names::CAPABILITIES,
            cgroup: Cgroup { v1: true, v2: true, systemd: true, systemd_user: true, rdma: true },
            seccomp: seccomp::features(),
            apparmor: YES,
            selinux: YES,
            intel_rdt: IntelRdt { enabled: true, schemata: true, monitoring: true },
            memory_policy: MemoryPolicy { modes: MODES, flags: names::MEMORY_POLICY_FLAGS },
            mount_extensions: MountExtensions { idmap: YES },
            net_devices: YES,
        },
        annotations: BTreeMap::from([("org.rtrun.version", env!("CARGO_PKG_VERSION"))]),
        potentially_unsafe_config_annotations: &[rtrun_hooks::annotation::PREFIX, "org.systemd.property."],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_what_callers_look_for() {
        let json = serde_json::to_value(features()).unwrap();
        assert_eq!(json["ociVersionMax"], "1.3.0");
        assert!(json["mountOptions"].as_array().unwrap().iter().any(|option| option == "rro"));
        assert_eq!(json["linux"]["mountExtensions"]["idmap"]["enabled"], true);
        assert_eq!(json["linux"]["seccomp"]["actions"][3], "SCMP_ACT_KILL_PROCESS");
        assert_eq!(json["linux"]["cgroup"]["systemdUser"], true);
        assert_eq!(json["linux"]["memoryPolicy"]["modes"][3], "MPOL_WEIGHTED_INTERLEAVE");
    }
}
