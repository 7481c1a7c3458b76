//! What kubelet and the CRI runtime of a node must be told.

use super::{Check, Context, Outcome, check, fail, ok, unknown, warn};
use crate::host::{Error, Host};
use serde::Deserialize;

pub(super) const CHECKS: &[Check] = &[
    check("kubelet-cpu-manager", cpu_manager, "only the static policy gives a Guaranteed pod CPUs of its own"),
    check("kubelet-topology", topology, "CPUs, memory and a card of different nodes pay for each access"),
    check("kubelet-reserved", reserved, "CPUs of the system's and kubelet's own must not be given to pods"),
    check("runtime-handler", handler, "a RuntimeClass with handler rtrun needs one of that name in the CRI runtime"),
    check(
        "annotations-passed",
        annotations,
        "the CRI runtime keeps a pod's annotations from the OCI runtime unless it is told otherwise",
    ),
];

const KUBELET: &str = "/var/lib/kubelet/config.yaml";
const CONTAINERD: &str = "/etc/containerd/config.toml";
const CRIO: &str = "/etc/crio/crio.conf.d";

/// The part of kubelet's configuration that counts here (`KubeletConfiguration`, v1beta1).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kubelet {
    cpu_manager_policy: Option<String>,
    topology_manager_policy: Option<String>,
    reserved_system_cpus: Option<String>,
}

fn kubelet(host: &Host) -> Result<Result<Kubelet, Outcome>, Error> {
    let Some(text) = host.text(KUBELET)? else { return Ok(Err(unknown(format!("no {KUBELET} here")))) };
    let config = serde_norway::from_str(&text);
    Ok(config.map_err(|error| fail(format!("{KUBELET}: {error}"), "mend the file; kubelet can't read it either")))
}

fn cpu_manager(context: &Context) -> Result<Option<Outcome>, Error> {
    let mend = "sed -i '/^cpuManagerPolicy:/d' /var/lib/kubelet/config.yaml && echo 'cpuManagerPolicy: static' >> \
                /var/lib/kubelet/config.yaml && rm -f /var/lib/kubelet/cpu_manager_state && systemctl restart kubelet";
    Ok(Some(match kubelet(context.host)? {
        Err(outcome) => outcome,
        Ok(config) => match config.cpu_manager_policy.as_deref() {
            Some("static") => ok("static"),
            policy => fail(policy.unwrap_or("none"), mend),
        },
    }))
}

fn topology(context: &Context) -> Result<Option<Outcome>, Error> {
    Ok(Some(match kubelet(context.host)? {
        Err(outcome) => outcome,
        Ok(config) => match config.topology_manager_policy.as_deref() {
            Some(policy @ ("single-numa-node" | "restricted")) => ok(policy),
            policy => warn(
                policy.unwrap_or("none"),
                format!("echo 'topologyManagerPolicy: single-numa-node' >> {KUBELET} && systemctl restart kubelet"),
            ),
        },
    }))
}

fn reserved(context: &Context) -> Result<Option<Outcome>, Error> {
    let housekeeping = context.cpus.housekeeping();
    Ok(Some(match kubelet(context.host)? {
        Err(outcome) => outcome,
        Ok(config) => match config.reserved_system_cpus {
            Some(list) => ok(list),
            None => warn(
                "none",
                format!("echo 'reservedSystemCPUs: \"{housekeeping}\"' >> {KUBELET} && systemctl restart kubelet"),
            ),
        },
    }))
}

/// The table of the handler `rtrun` in containerd's configuration, 1.x or 2.x.
fn containerd(host: &Host) -> Result<Option<Result<toml::Table, Outcome>>, Error> {
    let Some(text) = host.text(CONTAINERD)? else { return Ok(None) };
    let config: toml::Table = match text.parse() {
        Ok(config) => config,
        Err(error) => {
            let error: toml::de::Error = error;
            return Ok(Some(Err(fail(format!("{CONTAINERD}: {}", error.message()), "mend the file"))));
        }
    };
    let plugins = config.get("plugins").and_then(toml::Value::as_table);
    let handler = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"].iter().find_map(|plugin| {
        plugins?.get(*plugin)?.get("containerd")?.get("runtimes")?.get("rtrun")?.as_table().cloned()
    });
    let missing = || {
        let remedy = "add [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.rtrun] to /etc/containerd/config.toml, as \
                      rtrun's README has it, and `systemctl restart containerd`";
        fail(format!("{CONTAINERD} has no runtime rtrun"), remedy)
    };
    Ok(Some(handler.ok_or_else(missing)))
}

/// Lines of CRI-O's drop-ins.
fn crio(host: &Host) -> Result<Option<String>, Error> {
    let mut text = host.text("/etc/crio/crio.conf")?;
    for name in host.names(CRIO)? {
        let more = host.text(format!("{CRIO}/{name}"))?.unwrap_or_default();
        text = Some(text.unwrap_or_default() + "\n" + &more);
    }
    Ok(text)
}

fn handler(context: &Context) -> Result<Option<Outcome>, Error> {
    if let Some(found) = containerd(context.host)? {
        return Ok(Some(found.map_or_else(|outcome| outcome, |_| ok(format!("containerd: rtrun in {CONTAINERD}")))));
    }
    Ok(Some(match crio(context.host)? {
        None => unknown(format!("neither {CONTAINERD} nor CRI-O's configuration here")),
        Some(text) if text.contains("[crio.runtime.runtimes.rtrun]") => ok("CRI-O: rtrun"),
        Some(_) => fail(
            "CRI-O's configuration has no runtime rtrun",
            format!("add [crio.runtime.runtimes.rtrun] to a file in {CRIO}"),
        ),
    }))
}

fn annotations(context: &Context) -> Result<Option<Outcome>, Error> {
    if let Some(found) = containerd(context.host)? {
        let Ok(table) = found else { return Ok(None) };
        let passes = |key: &str| {
            let list = table.get(key).and_then(toml::Value::as_array);
            list.is_some_and(|list| {
                list.iter()
                    .filter_map(toml::Value::as_str)
                    .any(|glob| "org.rtrun.".starts_with(glob.trim_end_matches('*')))
            })
        };
        return Ok(Some(match passes("pod_annotations") || passes("container_annotations") {
            true => ok("containerd passes org.rtrun.*"),
            false => fail(
                "containerd passes none to rtrun",
                format!(
                    "set pod_annotations = [\"org.rtrun.*\"] and container_annotations = [\"org.rtrun.*\"] for it in {CONTAINERD}"
                ),
            ),
        }));
    }
    Ok(crio(context.host)?.map(|text| match text.contains("org.rtrun.") {
        true => ok("CRI-O passes org.rtrun.*"),
        false => fail(
            "CRI-O passes none to rtrun",
            format!("set allowed_annotations = [\"org.rtrun.\"] for it in a file in {CRIO}"),
        ),
    }))
}
