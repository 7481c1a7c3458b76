//! An agent's parameters: words `KEY=VALUE` on the command line, `RTRUN_PARAM_KEY` in the environment.
//!
//! A command line argument may hold several words, so that `--params "board=4x4 region=1"` can be passed on as it is.
//! The command line wins over the environment.

use crate::decomposition::{Layout, LayoutError};
use crate::kernel::{Kernel, UnknownKernel};
use crate::transport::{Faults, FaultsError, Peers, Wait};
use rtrun_agent_metrics::{Address, PublishError};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

mod values;

use values::{Values, collect, instant, pair, peers};

/// Prefix of a parameter's name in the environment.
pub const ENVIRONMENT: &str = "RTRUN_PARAM_";

/// Every parameter: name, default, meaning.
pub const KEYS: [(&str, &str, &str); 29] = [
    ("board", "1x1", "regions from west to east x from north to south"),
    ("region", "1", "this agent's region, numbered from 1 row by row from the north-west"),
    ("cells", "256x256", "cells of a region"),
    ("edges", "torus", "torus: opposite edges of the board meet; dead: nothing lives beyond them"),
    ("halo", "1", "cells known of the neighbours, 1 to 64: they are exchanged every so many generations"),
    ("pattern", "random:1", "a name, a file (RLE or plaintext), or random:SEED; the same for every region"),
    ("at", "the middle", "X,Y: the pattern's north-western corner on the whole board"),
    ("generations", "0", "stop after these; 0: at SIGTERM"),
    ("period", "10ms", "time between generations; 0: as fast as the halos come"),
    ("deadline", "half the period", "how long after its generation's release a halo is waited for"),
    (
        "policy",
        "reuse",
        "when a halo is missing at the deadline: stall, reuse (the last one), stale (and track which cells may be wrong); with period=0 stall",
    ),
    ("t0", "agreed with the neighbours", "release of generation 0, seconds since the epoch, or +SECONDS from now"),
    ("join", "3s", "how long neighbours are waited for before generation 0, without t0"),
    ("retry", "20ms", "how long until a missing halo is asked for again"),
    ("transport", "udp", "udp, multicast, tcp"),
    ("port", "47000", "region N is at this port + N; the group's port with multicast"),
    ("bind", "127.0.0.1, with peers 0.0.0.0", "the address to listen at"),
    ("peers", "on this host", "REGION=ADDRESS[:PORT], with commas: where other regions are"),
    ("group", "239.192.71.79", "the multicast group"),
    ("interface", "the kernel's choice", "address of the interface for multicast"),
    ("wait", "block", "block, or spin on a CPU of one's own"),
    ("run", "from the parameters that agents must share", "number of the run: cells of another run are refused"),
    ("kernel", "the fastest", "avx512, avx2, neon, portable"),
    ("check", "0", "print the hash and population every so many generations, and at the end; 0: at the end"),
    ("report", "1s", "time between summary lines; 0: none"),
    ("metrics", "none", "OpenMetrics: a file, unix:PATH or IP:PORT"),
    ("output", "none", "write the region's last generation to this file: .rle or .cells"),
    ("faults", "none", "loss:SHARE,duplicate:SHARE,reorder:SHARE,corrupt:SHARE,seed:N: injected into what is sent"),
    ("lock", "true", "lock memory, so that no page is ever fetched late"),
];

/// An address of the range that an organisation may use as it likes (RFC 2365).
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 71, 79);
/// Asking again sooner would be asking for what is on its way.
const SHORTEST_RETRY: Duration = Duration::from_micros(100);

/// What is wrong with parameters.
#[derive(Debug, thiserror::Error)]
pub enum ParamError {
    /// A word without `=`.
    #[error("`{0}` is no parameter: give KEY=VALUE, as in board=4x4 region=1")]
    NotAWord(String),
    /// No such parameter.
    #[error("{key}: no such parameter; the nearest is {nearest}=")]
    Unknown {
        /// The name given.
        key: String,
        /// The most similar one that there is.
        nearest: &'static str,
    },
    /// Given twice, differently.
    #[error("{0}= is given twice with different values")]
    Twice(String),
    /// A value that does not parse.
    #[error("{key}={value}: {expected}")]
    Value {
        /// The parameter.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The board does not work out.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// No such kernel on this CPU.
    #[error(transparent)]
    Kernel(#[from] UnknownKernel),
    /// Malformed faults.
    #[error(transparent)]
    Faults(#[from] FaultsError),
    /// No address for metrics.
    #[error("metrics=: {0}")]
    Metrics(#[from] PublishError),
    /// A contradiction.
    #[error("{0}")]
    Contradiction(String),
}

/// What happens when a halo is missing at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Wait, and ask for it: the board stays exact, time does not.
    Stall,
    /// Compute with the last halo from there: time is kept, and the region counts as inexact from then on.
    Reuse,
    /// As reuse, and track which rectangle of the region can still be trusted.
    Stale,
}

/// Where the run begins in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// At this CLOCK_REALTIME, in ns.
    At(u64),
    /// So long after the agent's start.
    In(Duration),
    /// When the neighbours have agreed, so long after the first agent's start.
    Agreed(Duration),
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Datagrams to each neighbour.
    Udp,
    /// Datagrams to a group.
    Multicast {
        /// Group and port.
        group: SocketAddrV4,
        /// Address of the interface, or unspecified.
        interface: Ipv4Addr,
    },
    /// A stream to each neighbour.
    Tcp,
}

/// Where metrics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsTo {
    /// A file, written every second.
    File(PathBuf),
    /// A socket that answers HTTP.
    Socket(Address),
}

/// An agent's parameters, checked.
#[derive(Clone, Debug)]
pub struct Params {
    /// The board.
    pub layout: Layout,
    /// This agent's region.
    pub region: u32,
    /// `pattern=` as written.
    pub pattern: String,
    /// `at=`.
    pub at: Option<(isize, isize)>,
    /// Stop after so many; 0: never.
    pub generations: u64,
    /// Time between releases; zero: none are waited for.
    pub period: Duration,
    /// Patience for a halo after its release.
    pub deadline: Duration,
    /// What then.
    pub policy: Policy,
    /// When generation 0 is released.
    pub start: Start,
    /// Time until a halo is asked for again.
    pub retry: Duration,
    /// How messages travel.
    pub carrier: Carrier,
    /// Where the others are.
    pub peers: Peers,
    /// How messages are waited for.
    pub wait: Wait,
    /// `run=`, if given.
    pub run: Option<u64>,
    /// The kernel.
    pub kernel: Kernel,
    /// Generations between two hashes; 0: only the last one is hashed.
    pub check: u64,
    /// Time between summaries; zero: none.
    pub report: Duration,
    /// Where metrics go.
    pub metrics: Option<MetricsTo>,
    /// Where the last generation goes.
    pub output: Option<PathBuf>,
    /// Faults to inject.
    pub faults: Option<Faults>,
    /// Whether memory is locked.
    pub lock: bool,
}

impl Params {
    /// From the process's arguments (without its name) and environment.
    pub fn new(
        arguments: impl IntoIterator<Item = String>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ParamError> {
        let mut values = Values(collect(arguments, environment)?);
        let (layout, region) = board(&mut values)?;
        let (period, deadline, policy) = timing(&mut values)?;
        let join = Start::Agreed(values.duration("join", Duration::from_secs(3))?);
        let (carrier, peers) = network(&mut values, &layout, region)?;
        let metrics = match values.0.remove("metrics") {
            None => None,
            Some(path) if path.starts_with(['/', '.']) => Some(MetricsTo::File(path.into())),
            Some(address) => Some(MetricsTo::Socket(address.parse()?)),
        };
        Ok(Params {
            layout,
            region,
            pattern: values.0.remove("pattern").unwrap_or_else(|| "random:1".into()),
            at: values.get("at", None, "two numbers, as in 10,20", |text| pair(text, ',').map(Some))?,
            generations: values.number("generations", 0, "a number")?,
            period,
            deadline,
            policy,
            start: values.get("t0", join, "seconds since the epoch, or +SECONDS from now", instant)?,
            retry: values.duration("retry", Duration::from_millis(20))?.max(SHORTEST_RETRY),
            carrier,
            peers,
            wait: values.choice(
                "wait",
                Wait::Block,
                "block or spin",
                &[("block", Wait::Block), ("spin", Wait::Spin)],
            )?,
            run: values.get("run", None, "a number", |text| text.parse().ok().map(Some))?,
            kernel: values.0.remove("kernel").map_or(Ok(Kernel::best()), |name| name.parse())?,
            check: values.number("check", 0, "a number of generations")?,
            report: values.duration("report", Duration::from_secs(1))?,
            metrics,
            output: values.0.remove("output").map(PathBuf::from),
            faults: values.0.remove("faults").map(|text| text.parse()).transpose()?,
            lock: values.number("lock", true, "true or false")?,
        })
    }
}

/// The board and the region on it.
fn board(values: &mut Values) -> Result<(Layout, u32), ParamError> {
    let regions = |text: &str| pair::<u16>(text, 'x').filter(|(a, b)| *a > 0 && *b > 0);
    let (columns, rows) = values.get("board", (1, 1), "two numbers from 1 to 65535, as in 4x4", regions)?;
    let sides = 1..=1 << 20;
    let cells = |text: &str| pair::<usize>(text, 'x').filter(|(a, b)| sides.contains(a) && sides.contains(b));
    let (width, height) = values.get("cells", (256, 256), "two numbers from 1 to 1048576, as in 256x256", cells)?;
    let torus = values.choice("edges", true, "torus or dead", &[("torus", true), ("dead", false)])?;
    let halo = values.number("halo", 1, "a number from 1 to 64")?;
    let layout = Layout { columns: columns.into(), rows: rows.into(), width, height, torus, halo };
    let region = values.number("region", 1, "a region's number, from 1")?;
    layout.check(region)?;
    Ok((layout, region))
}

/// Period, deadline and policy, which have to suit each other.
fn timing(values: &mut Values) -> Result<(Duration, Duration, Policy), ParamError> {
    let period = values.duration("period", Duration::from_millis(10))?;
    let deadline = values.duration("deadline", period / 2)?;
    let free = period.is_zero();
    let policies = [("stall", Policy::Stall), ("reuse", Policy::Reuse), ("stale", Policy::Stale)];
    let default = if free { Policy::Stall } else { Policy::Reuse };
    let policy = values.choice("policy", default, "stall, reuse or stale", &policies)?;
    let refuse = |why: String| Err(ParamError::Contradiction(why));
    if free && policy != Policy::Stall {
        return refuse("period=0 has no deadline to miss: policy=stall is the only one it works with".into());
    }
    if !free && (deadline.is_zero() || deadline > period) {
        return refuse(format!("deadline={deadline:?}: longer than 0 and no longer than period={period:?}"));
    }
    Ok((period, deadline, policy))
}

/// How messages travel, and where the others are.
fn network(values: &mut Values, layout: &Layout, region: u32) -> Result<(Carrier, Peers), ParamError> {
    let base = values.number("port", 47_000, "a port")?;
    let expected = "REGION=ADDRESS[:PORT], with commas, as in 2=10.0.0.2,3=10.0.0.3";
    let known = values.get("peers", BTreeMap::new(), expected, |text| peers(text, base))?;
    let local = if known.is_empty() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let local = values.number("bind", IpAddr::V4(local), "an IP address")?;
    let group = values
        .get("group", GROUP, "an IPv4 multicast address", |text| text.parse().ok().filter(Ipv4Addr::is_multicast))?;
    let interface = values.number("interface", Ipv4Addr::UNSPECIFIED, "the IPv4 address of an interface")?;
    let multicast = Carrier::Multicast { group: SocketAddrV4::new(group, base), interface };
    let carriers = [("udp", Carrier::Udp), ("multicast", multicast), ("tcp", Carrier::Tcp)];
    let carrier = values.choice("transport", Carrier::Udp, "udp, multicast or tcp", &carriers)?;
    let last = if known.is_empty() { layout.regions() } else { region };
    if carrier != multicast && u32::from(base) + last > u16::MAX.into() {
        return Err(ParamError::Contradiction(format!(
            "port={base}: region {last} would be at a port beyond 65535: choose a smaller port=, or transport=multicast"
        )));
    }
    Ok((carrier, Peers { local, base, known }))
}
