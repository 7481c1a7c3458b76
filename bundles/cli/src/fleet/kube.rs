//! A manifest for `podman kube play` and Kubernetes: one pod, RuntimeClass rtrun, the annotations of each container.

use serde_json::{Map, Value, json};

use super::{Fleet, Member};
use crate::cli::Network;
use crate::error::{Error, Result};

/// Prints it; JSON is YAML, and needs no quoting rules of its own.
///
/// # Errors
/// An agent without `image`.
pub fn print(fleet: &Fleet) -> Result<u8> {
    println!("{:#}", manifest(fleet)?);
    Ok(0)
}

fn manifest(fleet: &Fleet) -> Result<Value> {
    let mut annotations = Map::new();
    let mut containers = Vec::new();
    for member in &fleet.members {
        containers.push(container(member)?);
        for (key, value) in member.options.kube_annotations()? {
            // A key that ends in /NAME counts for that container alone.
            annotations.insert(format!("{key}/{}", member.name), json!(value));
        }
    }
    let host_network = fleet.members.iter().any(|member| member.options.net == Network::Host);
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": fleet.name, "annotations": annotations },
        "spec": {
            "runtimeClassName": "rtrun",
            "restartPolicy": "OnFailure",
            "hostNetwork": host_network,
            "containers": containers,
        },
    }))
}

fn container(member: &Member) -> Result<Value> {
    let image = member.image.as_ref().ok_or_else(|| Error::NoImage { agent: member.name.clone() })?;
    let env: Vec<Value> = member
        .options
        .env
        .iter()
        .filter_map(|given| given.split_once('='))
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let mut limits = Map::new();
    if let Some(memory) = member.options.mem {
        limits.insert("memory".to_owned(), json!(memory.to_string()));
    }
    Ok(json!({
        "name": member.name,
        "image": image,
        "args": member.options.params()?,
        "env": env,
        "resources": { "limits": limits },
        "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true },
    }))
}
