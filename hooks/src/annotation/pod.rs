//! What CRI implementations tell of a container among its annotations.

use std::collections::BTreeMap;

/// containerd's and CRI-O's key of the container's name in its pod.
const NAME: [&str; 2] = ["io.kubernetes.cri.container-name", "io.kubernetes.container.name"];
/// containerd's and CRI-O's key of what it is.
const KIND: [&str; 2] = ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"];

/// The container's name in its pod.
pub(super) fn container_name(annotations: &BTreeMap<String, String>) -> Option<&str> {
    NAME.iter().find_map(|key| annotations.get(*key)).map(String::as_str)
}

/// Whether this is a pod's sandbox: it gets the pod's annotations as well, and is no workload to be given CPUs or cards.
pub fn is_sandbox(annotations: &BTreeMap<String, String>) -> bool {
    KIND.iter().any(|key| annotations.get(*key).is_some_and(|kind| kind == "sandbox"))
}
