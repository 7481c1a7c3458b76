//! A network namespace for one agent, joined to a bridge by a veth pair: iproute2's `ip` makes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Network;
use crate::error::{Error, Result, errno};

/// The namespace that the container joins; removed, with its veth pair, when this is dropped if it was made here.
#[derive(Debug)]
pub struct Joined {
    made: Option<String>,
}

/// Longest name of an interface, bytes (IFNAMSIZ less the NUL).
const LONGEST: usize = 15;

impl Joined {
    /// Makes what `network` asks for.
    ///
    /// # Errors
    /// The namespace or bridge is not there, `ip` is not installed or refuses.
    pub fn new(network: &Network, agent: &str) -> Result<Joined> {
        match network {
            Network::Host | Network::None => Ok(Joined { made: None }),
            Network::Namespace(name) => existing(name),
            Network::Bridge { bridge, address, gateway } => bridged(agent, bridge, address, gateway.as_deref()),
        }
    }

    /// The namespace's file, known before it is made.
    pub fn path(network: &Network, agent: &str) -> Option<PathBuf> {
        let name = match network {
            Network::Host | Network::None => return None,
            Network::Namespace(name) => name.clone(),
            Network::Bridge { .. } => own_name(agent),
        };
        Some(Path::new("/run/netns").join(name))
    }
}

fn own_name(agent: &str) -> String {
    format!("rt-{agent}")
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(name) = &self.made {
            // The pair ends with the namespace that one end is in.
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

fn existing(name: &str) -> Result<Joined> {
    if Path::new("/run/netns").join(name).exists() {
        return Ok(Joined { made: None });
    }
    Err(Error::Option {
        option: "net",
        value: format!("ns:{name}"),
        problem: format!("there is no such namespace; ip netns add {name} makes it"),
    })
}

fn bridged(agent: &str, bridge: &str, address: &str, gateway: Option<&str>) -> Result<Joined> {
    // /sys may show another network namespace's interfaces: ip asks the kernel for ours.
    if ip(&["link", "show", bridge, "type", "bridge"]).is_err() {
        return Err(Error::Option {
            option: "net",
            value: format!("bridge:{bridge}"),
            problem: format!("there is no such bridge; ip link add {bridge} type bridge makes it"),
        });
    }
    let name = own_name(agent);
    let outer: String = format!("ve{:08x}", std::process::id()).chars().take(LONGEST).collect();
    ip(&["netns", "add", &name])?;
    let joined = Joined { made: Some(name.clone()) };
    ip(&["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
    ip(&["link", "set", &outer, "master", bridge, "up"])?;
    ip(&["-n", &name, "address", "add", address, "dev", "eth0"])?;
    ip(&["-n", &name, "link", "set", "lo", "up"])?;
    ip(&["-n", &name, "link", "set", "eth0", "up"])?;
    if let Some(gateway) = gateway {
        ip(&["-n", &name, "route", "add", "default", "via", gateway])?;
    }
    Ok(joined)
}

fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output();
    let output =
        output.map_err(|error| Error::Start { program: "ip (package iproute2)".to_owned(), errno: errno(&error) })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        program: "ip".to_owned(),
        what: words.join(" "),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
