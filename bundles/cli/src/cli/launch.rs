//! The options of `run`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use rtrun_hooks::annotation::{Policy, duration, show, size};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How a program is started.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct LaunchOptions {
    /// Program (static or dynamic), folder, tar archive, OCI image layout or docker-archive
    #[arg(long, value_name = "PATH")]
    pub app: PathBuf,
    /// Program inside of a folder, archive or image
    #[arg(long, value_name = "PATH")]
    pub entry: Option<PathBuf>,
    /// Words for the program, as a shell would split them; each KEY=VALUE is also its variable RTRUN_PARAM_KEY
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    pub params: String,
    /// Name of the agent [default: the program's, with a number where that is taken]
    #[arg(long)]
    pub name: Option<String>,
    /// CPUs in kernel list format, `auto` for one that nobody else has, `auto:N` for N of them
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<String>,
    /// Memory limit, as 256m or 1Gi
    #[arg(long, value_name = "SIZE", value_parser = size_of)]
    pub mem: Option<u64>,
    /// Scheduling policy: SCHED_FIFO, SCHED_RR, SCHED_DEADLINE, SCHED_OTHER, SCHED_BATCH, SCHED_IDLE
    #[arg(long, value_name = "POLICY", value_parser = Policy::read)]
    pub sched: Option<Policy>,
    /// Priority for SCHED_FIFO and SCHED_RR [default: 50]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub prio: Option<u32>,
    /// For SCHED_DEADLINE: RUNTIME/DEADLINE/PERIOD, as 2ms/5ms/10ms
    #[arg(long, value_name = "TRIPLE")]
    pub deadline: Option<Deadline>,
    /// Variable for the program, as KEY=VALUE, or KEY to pass on this one's
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub env: Vec<String>,
    /// Device by family and index (bc635:0), PCI address, CDI name or node; +ro, +shared
    #[arg(long, value_name = "NAME")]
    pub device: Vec<String>,
    /// Network: host, none, ns:NAME, or bridge:NAME,ADDRESS/BITS[,GATEWAY]
    #[arg(long, default_value = "host")]
    pub net: Network,
    /// State of the clock that the start waits for: locked or holdover, with :SOURCE (adjtimex, chrony, ptp:/dev/ptp0)
    #[arg(long, value_name = "STATE")]
    pub clock: Option<String>,
    /// Interrupts: housekeeping moves them off the CPUs, a list moves them there
    #[arg(long, value_name = "WHERE")]
    pub irq: Option<String>,
    /// Let the program lock all its memory
    #[arg(long)]
    pub mlock: bool,
    /// Any other annotation, org.rtrun.* or not
    #[arg(long, value_name = "KEY=VALUE")]
    pub annotation: Vec<String>,
    /// Start it again when it ends: no, on-failure[:MAX] or always
    #[arg(long, default_value = "no", value_name = "POLICY")]
    pub restart: Restart,
    /// Leave it running, with its output in a log
    #[arg(short, long)]
    pub detach: bool,
    /// Remove the agent when it ends [default: in the foreground]
    #[arg(long)]
    pub rm: bool,
    /// Show the plan and do nothing
    #[arg(long, conflicts_with_all = ["detach", "write_bundle"])]
    pub dry_run: bool,
    /// Write a bundle that rtrun, podman or containerd can run, and do nothing else
    #[arg(long, value_name = "DIR")]
    pub write_bundle: Option<PathBuf>,
    /// The runtime [default: $RT_CONTAINER_RUNTIME, else rtrun beside this program, else on PATH]
    #[arg(long, value_name = "PATH")]
    pub runtime: Option<PathBuf>,
}

impl LaunchOptions {
    /// `--params` in words, as a shell splits them.
    ///
    /// # Errors
    /// A quote that is not closed.
    pub fn params(&self) -> Result<Vec<String>, Error> {
        shlex::split(&self.params).ok_or_else(|| Error::Option {
            option: "params",
            value: self.params.clone(),
            problem: "a quote is not closed".to_owned(),
        })
    }
}

/// SCHED_DEADLINE's three durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// CPU time in each period.
    pub runtime: Duration,
    /// By when.
    pub deadline: Duration,
    /// How often.
    pub period: Duration,
}

impl std::fmt::Display for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}/{}/{}", show(self.runtime), show(self.deadline), show(self.period))
    }
}

impl FromStr for Deadline {
    type Err = String;

    fn from_str(text: &str) -> Result<Deadline, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let [runtime, deadline, period] = parts.as_slice() else {
            return Err("RUNTIME/DEADLINE/PERIOD, as 2ms/5ms/10ms".to_owned());
        };
        let one = |text: &str| duration(text).map_err(|problem| format!("{text:?} {problem}"));
        let (runtime, deadline, period) = (one(runtime)?, one(deadline)?, one(period)?);
        if runtime <= deadline && deadline <= period {
            Ok(Deadline { runtime, deadline, period })
        } else {
            Err("runtime ≤ deadline ≤ period does not hold".to_owned())
        }
    }
}

/// Which network the program sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's.
    Host,
    /// A loopback interface of its own, and nothing else.
    None,
    /// A named network namespace (`ip netns add NAME`).
    Namespace(String),
    /// A namespace of its own, joined to a bridge by a veth pair.
    Bridge {
        /// The bridge, which must be there.
        bridge: String,
        /// With prefix length.
        address: String,
        /// Of the default route.
        gateway: Option<String>,
    },
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        match text.split_once(':') {
            None if text == "host" => Ok(Network::Host),
            None if text == "none" => Ok(Network::None),
            Some(("ns", name)) if !name.is_empty() && !name.contains('/') => Ok(Network::Namespace(name.to_owned())),
            Some(("bridge", rest)) => bridge(rest),
            _ => Err("host, none, ns:NAME or bridge:NAME,ADDRESS/BITS[,GATEWAY]".to_owned()),
        }
    }
}

fn bridge(text: &str) -> Result<Network, String> {
    let mut parts = text.split(',');
    let (Some(bridge), Some(address), gateway, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err("bridge:NAME,ADDRESS/BITS[,GATEWAY]".to_owned());
    };
    let (ip, bits) = address.split_once('/').ok_or_else(|| format!("{address:?} has no /BITS"))?;
    let ip: std::net::IpAddr = ip.parse().map_err(|_| format!("{ip:?} is not an address"))?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    if !bits.parse::<u8>().is_ok_and(|bits| bits <= most) {
        return Err(format!("/{bits} is not within 0 to {most}"));
    }
    if let Some(gateway) = gateway {
        gateway.parse::<std::net::IpAddr>().map_err(|_| format!("{gateway:?} is not an address"))?;
    }
    Ok(Network::Bridge { bridge: bridge.to_owned(), address: address.to_owned(), gateway: gateway.map(str::to_owned) })
}

/// When an agent that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Never.
    No,
    /// When it fails, at most so many times.
    OnFailure(Option<u32>),
    /// However it ends.
    Always,
}

impl FromStr for Restart {
    type Err = String;

    fn from_str(text: &str) -> Result<Restart, String> {
        match text.split_once(':') {
            None if text == "no" => Ok(Restart::No),
            None if text == "always" => Ok(Restart::Always),
            None if text == "on-failure" => Ok(Restart::OnFailure(None)),
            Some(("on-failure", most)) => {
                most.parse().map(|most| Restart::OnFailure(Some(most))).map_err(|_| format!("{most:?} is not a number"))
            }
            _ => Err("no, on-failure[:MAX] or always".to_owned()),
        }
    }
}

fn size_of(text: &str) -> Result<u64, String> {
    match size(text) {
        Ok(0) => Err("no memory at all".to_owned()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_are_ordered_durations() {
        let triple: Deadline = "2ms/5ms/10ms".parse().unwrap();
        assert_eq!((triple.runtime, triple.period), (Duration::from_millis(2), Duration::from_millis(10)));
        for text in ["2ms", "5ms/2ms/10ms", "1/2/3", "a/b/c", "1ms/2ms/3ms/4ms"] {
            assert!(text.parse::<Deadline>().is_err(), "{text}");
        }
    }

    #[test]
    fn networks_name_what_they_need() {
        assert_eq!("ns:blue".parse(), Ok(Network::Namespace("blue".to_owned())));
        assert!(matches!("bridge:br0,10.0.0.2/24,10.0.0.1".parse(), Ok(Network::Bridge { .. })));
        for text in [
            "",
            "hots",
            "ns:",
            "ns:../x",
            "bridge:br0",
            "bridge:br0,10.0.0.2",
            "bridge:br0,10.0.0.2/33",
            "bridge:br0,x/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn restarts_are_words() {
        assert_eq!("on-failure:3".parse(), Ok(Restart::OnFailure(Some(3))));
        assert!("sometimes".parse::<Restart>().is_err());
    }
}
