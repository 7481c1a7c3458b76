use super::{IdMapping, null_as_default};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The container's root filesystem (`config.md`, Root).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Root {
    /// Absolute, or relative to the bundle.
    pub path: PathBuf,
    /// Whether the root is read-only inside the container.
    #[serde(default)]
    pub readonly: bool,
}

/// One mount (`config.md`, Mounts).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where, inside the container. Absolute; a relative one is read as if below `/`.
    pub destination: PathBuf,
    /// Filesystem type as in `/proc/filesystems`; ignored for bind mounts.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Device name or, for bind mounts, a path (relative to the bundle).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// Options as `mount(8)` spells them, and the specification's own (`rro`, `tmpcopyup`, `idmap`, …).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Mapping of an idmapped mount.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub uid_mappings: Vec<IdMapping>,
    /// Mapping of an idmapped mount.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub gid_mappings: Vec<IdMapping>,
}
