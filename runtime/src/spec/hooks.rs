use super::null_as_default;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Commands at the six points of the lifecycle (`config.md`, POSIX-platform Hooks).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Deprecated; runtime namespace, after the namespaces exist and before pivot_root.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub prestart: Vec<Hook>,
    /// Runtime namespace, after the namespaces exist and before pivot_root.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub create_runtime: Vec<Hook>,
    /// Container namespace, before pivot_root; paths resolve in the runtime's filesystem.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub create_container: Vec<Hook>,
    /// Container namespace, at `start`, just before the user's process.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub start_container: Vec<Hook>,
    /// Runtime namespace, after the user's process has started.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub poststart: Vec<Hook>,
    /// Runtime namespace, after the container was deleted.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub poststop: Vec<Hook>,
}

/// One hook: an `execv(3)` with the container's state on standard input.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Hook {
    /// Absolute path of the executable.
    pub path: PathBuf,
    /// `argv`, the name included; empty means the path alone.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// `environ`; where it is empty, startContainer hooks get the variables of the process, others those of the caller.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Seconds until the hook is killed; must be above 0 when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
}
