//! The cgroup as a transient scope of systemd (`org.freedesktop.systemd1(5)`): made around the init, stopped at the end.
//!
//! Limits are given as properties, so that systemd does not undo them at a `daemon-reload`, and then written to the
//! files as well, which also covers what has no property.

use super::dbus::{BusError, Connection, Message, Target, Value, Writer};
use super::devices::{Kind, Policy};
use super::path::Unit;
use super::{Error, v2};
use crate::spec::{Cpu, Resources};
use nix::unistd::{Pid, geteuid};
use std::path::{Path, PathBuf};

const MANAGER: Target = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
};
const PROPERTIES: Target = Target {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.DBus.Properties",
};

type Property = (&'static str, Value);

/// Starts the scope with `init` in it, and waits until it is there.
pub(super) fn start(
    unit: &Unit,
    init: Pid,
    user: bool,
    resources: &Resources,
    policy: Option<&Policy>,
    unified: bool,
) -> Result<(), Error> {
    let mut properties: Vec<Property> = vec![
        ("Description", Value::String(format!("rtrun container {}", unit.name.trim_end_matches(".scope")))),
        ("Slice", Value::String(unit.slice.clone())),
        ("Delegate", Value::Bool(true)),
        ("PIDs", Value::U32s(vec![init.as_raw().unsigned_abs()])),
        ("DefaultDependencies", Value::Bool(false)),
        ("CPUAccounting", Value::Bool(true)),
        ("MemoryAccounting", Value::Bool(true)),
        ("TasksAccounting", Value::Bool(true)),
        (if unified { "IOAccounting" } else { "BlockIOAccounting" }, Value::Bool(true)),
    ];
    properties.extend(limits(resources, unified));
    properties.extend(policy.map(device_properties).unwrap_or_default());
    let mut bus = connect(user)?;
    let mut begin = || {
        call(&mut bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", |body| {
            body.string(&unit.name).string("fail").properties(&properties).array(8, |_| {});
        })
    };
    let reply = begin().or_else(|error| match error {
        // A scope of this name that failed earlier stays listed until it is reset; one that runs is an error.
        BusError::Remote { ref name, .. } if name.ends_with(".UnitExists") => {
            reset(user, unit);
            begin()
        }
        error => Err(error),
    });
    finish(&mut bus, reply, "StartTransientUnit", unit)
}

/// Asks for the end of a scope whose create failed. Not waited for: the init, first process of a PID namespace, sleeps
/// through SIGTERM until the launch kills it.
pub(super) fn abandon(unit: &Unit, user: bool) {
    if let Ok(mut bus) = connect(user) {
        let _ = call(&mut bus, "StopUnit", "ss", |body| {
            body.string(&unit.name).string("replace");
        });
    }
}

/// Changes the scope's properties until it ends.
pub(super) fn update(
    unit: &Unit,
    user: bool,
    resources: &Resources,
    policy: Option<&Policy>,
    unified: bool,
) -> Result<(), Error> {
    let mut properties = limits(resources, unified);
    properties.extend(policy.map(device_properties).unwrap_or_default());
    if properties.is_empty() {
        return Ok(());
    }
    call(&mut connect(user)?, "SetUnitProperties", "sba(sv)", |body| {
        body.string(&unit.name).bool(true).properties(&properties);
    })
    .map(drop)
    .map_err(|source| bus_error("SetUnitProperties", &unit.name, source))
}

/// Moves a process into the scope, or its cgroup `below`. systemd asks the system's manager for what is beyond a user's.
pub(super) fn attach(unit: &Unit, user: bool, below: &Path, process: Pid) -> Result<(), Error> {
    let below = if below.as_os_str().is_empty() { String::new() } else { format!("/{}", below.display()) };
    call(&mut connect(user)?, "AttachProcessesToUnit", "ssau", |body| {
        body.string(&unit.name).string(&below).array(4, |pids| {
            pids.u32(process.as_raw().unsigned_abs());
        });
    })
    .map(drop)
    .map_err(|source| bus_error("AttachProcessesToUnit", &unit.name, source))
}

/// Stops the scope, which ends its processes, and forgets it. One that is gone is fine.
pub(super) fn stop(unit: &Unit, user: bool) -> Result<(), Error> {
    let mut bus = connect(user)?;
    let reply = call(&mut bus, "StopUnit", "ss", |body| {
        body.string(&unit.name).string("replace");
    });
    match reply {
        Err(BusError::Remote { ref name, .. }) if name.ends_with(".NoSuchUnit") => Ok(()),
        reply => {
            let stopped = finish(&mut bus, reply, "StopUnit", unit);
            reset(user, unit);
            stopped
        }
    }
}

/// The cgroup that the user's manager governs, relative to the tree's root: its slices are below it.
pub(super) fn manager_directory(user: bool) -> Result<PathBuf, Error> {
    if !user {
        return Ok(PathBuf::new());
    }
    let mut bus = connect(user)?;
    let reply = bus.call(&PROPERTIES, "Get", "ss", |body| {
        body.string(MANAGER.interface).string("ControlGroup");
    });
    let path = reply.and_then(|reply| reply.string(true));
    let path = path.map_err(|source| bus_error("reading ControlGroup of", "the user's manager", source))?;
    Ok(Path::new(path.trim_start_matches('/')).to_owned())
}

/// A unit that failed is kept by systemd; one that ended well is not, and the call fails without harm.
fn reset(user: bool, unit: &Unit) {
    if let Ok(mut bus) = connect(user) {
        let _ = call(&mut bus, "ResetFailedUnit", "s", |body| {
            body.string(&unit.name);
        });
    }
}

fn call(
    bus: &mut Connection,
    member: &str,
    signature: &str,
    fill: impl FnOnce(&mut Writer),
) -> Result<Message, BusError> {
    bus.call(&MANAGER, member, signature, fill)
}

fn finish(
    bus: &mut Connection,
    reply: Result<Message, BusError>,
    step: &'static str,
    unit: &Unit,
) -> Result<(), Error> {
    let result = reply.and_then(|reply| reply.string(false)).and_then(|job| bus.wait_job(&job));
    match result.map_err(|source| bus_error(step, &unit.name, source))?.as_str() {
        "done" => Ok(()),
        result => Err(Error::Job { step, unit: unit.name.clone(), result: result.to_owned() }),
    }
}

fn bus_error(step: &'static str, unit: &str, source: BusError) -> Error {
    Error::Bus { step, unit: unit.to_owned(), source }
}

/// The system bus, or the user's; systemd's own sockets where no bus daemon runs.
fn connect(user: bool) -> Result<Connection, Error> {
    let (bus, private) = sockets(user);
    let connected = Connection::open(&bus, false).or_else(|error| match error {
        BusError::Connect { .. } if private.exists() => Connection::open(&private, true),
        error => Err(error),
    });
    connected
        .and_then(|mut bus| {
            // Without a subscriber systemd announces no end of a job.
            call(&mut bus, "Subscribe", "", |_| {})?;
            Ok(bus)
        })
        .map_err(|source| bus_error("connecting to systemd for", "the container's scope", source))
}

fn sockets(user: bool) -> (PathBuf, PathBuf) {
    if !user {
        return ("/run/dbus/system_bus_socket".into(), "/run/systemd/private".into());
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map_or_else(|| PathBuf::from(format!("/run/user/{}", geteuid())), PathBuf::from);
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default();
    let named = address.split(';').find_map(|one| one.strip_prefix("unix:path=")?.split(',').next());
    (named.map_or_else(|| runtime.join("bus"), PathBuf::from), runtime.join("systemd/private"))
}

/// Limits that systemd knows; `resources` was checked before.
fn limits(resources: &Resources, unified: bool) -> Vec<Property> {
    let mut out = Vec::new();
    let bytes = |value: i64| Value::U64(u64::try_from(value).unwrap_or(u64::MAX));
    if let Some(memory) = &resources.memory {
        let limit = memory.limit.filter(|&limit| limit != 0);
        out.extend(limit.map(|limit| (if unified { "MemoryMax" } else { "MemoryLimit" }, bytes(limit))));
        if unified {
            let low = memory.reservation.filter(|&low| low != 0);
            out.extend(low.map(|low| ("MemoryLow", bytes(low))));
            match (limit, memory.swap.filter(|&swap| swap != 0)) {
                (_, Some(swap)) if swap < 0 => out.push(("MemorySwapMax", bytes(-1))),
                (Some(limit), Some(swap)) if limit > 0 => out.push(("MemorySwapMax", bytes((swap - limit).max(0)))),
                _ => {}
            }
        }
    }
    if let Some(cpu) = &resources.cpu {
        self::cpu(cpu, unified, &mut out);
    }
    let pids = resources.pids.as_ref().and_then(|pids| pids.limit).filter(|&limit| limit != 0);
    out.extend(pids.map(|limit| ("TasksMax", bytes(limit))));
    let weight = resources.block_io.as_ref().and_then(|io| io.weight).filter(|&weight| weight != 0);
    out.extend(weight.map(|weight| match unified {
        true => ("IOWeight", Value::U64(v2::io_weight(weight))),
        false => ("BlockIOWeight", Value::U64(weight.into())),
    }));
    out
}

fn cpu(cpu: &Cpu, unified: bool, out: &mut Vec<Property>) {
    let shares = cpu.shares.filter(|&shares| shares != 0 && cpu.idle != Some(1));
    out.extend(shares.map(|shares| match unified {
        true => ("CPUWeight", Value::U64(v2::cpu_weight(shares))),
        false => ("CPUShares", Value::U64(shares)),
    }));
    let period = cpu.period.filter(|&period| period != 0);
    out.extend(period.map(|period| ("CPUQuotaPeriodUSec", Value::U64(period))));
    let quota = cpu.quota.filter(|&quota| quota != 0);
    out.extend(quota.map(|quota| ("CPUQuotaPerSecUSec", Value::U64(quota_a_second(quota, period.unwrap_or(100_000))))));
    if unified {
        let mask = |list: &Option<String>| list.as_deref().map(bits).filter(|bits| !bits.is_empty());
        out.extend(mask(&cpu.cpus).map(|bits| ("AllowedCPUs", Value::Bytes(bits))));
        out.extend(mask(&cpu.mems).map(|bits| ("AllowedMemoryNodes", Value::Bytes(bits))));
    }
}

/// Microseconds a second, in systemd's steps of 10 ms, rounded up (runc does the same); the files get the exact value.
fn quota_a_second(quota: i64, period: u64) -> u64 {
    match u64::try_from(quota) {
        Ok(quota) => (quota.saturating_mul(1_000_000) / period).next_multiple_of(10_000),
        Err(_) => u64::MAX,
    }
}

/// A list (`0-2,8`) as bits, the lowest first. What is no list gives none; the file's write names it.
fn bits(list: &str) -> Vec<u8> {
    let mut bits = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) else {
            return Vec::new();
        };
        for number in first..=last {
            let byte = usize::from(number / 8);
            bits.resize(bits.len().max(byte + 1), 0);
            bits[byte] |= 1 << (number % 8);
        }
    }
    bits
}

/// systemd names devices by path or by the driver of `/proc/devices`. A policy that can't be said so is left to the
/// eBPF program alone.
fn device_properties(policy: &Policy) -> Vec<Property> {
    let drivers = std::fs::read_to_string("/proc/devices").unwrap_or_default();
    let open = || vec![("DevicePolicy", Value::String("auto".into())), ("DeviceAllow", Value::Pairs(Vec::new()))];
    if policy.allow {
        return open();
    }
    let mut allowed = Vec::new();
    for exception in &policy.exceptions {
        let kind = if exception.kind == Kind::Block { "block" } else { "char" };
        let name = match (exception.major, exception.minor) {
            (None, None) => format!("{kind}-*"),
            (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
            (Some(major), None) => match driver(&drivers, exception.kind, major) {
                Some(name) => format!("{kind}-{name}"),
                None => return open(),
            },
            (None, Some(_)) => return open(),
        };
        let text = exception.to_string();
        allowed.push((name, text.rsplit(' ').next().unwrap_or_default().to_owned()));
    }
    vec![("DevicePolicy", Value::String("strict".into())), ("DeviceAllow", Value::Pairs(allowed))]
}

/// Name of a major number: `/proc/devices` lists characters first, then blocks.
fn driver(text: &str, kind: Kind, major: u32) -> Option<&str> {
    let (characters, blocks) = text.split_once("Block devices:")?;
    let section = if kind == Kind::Block { blocks } else { characters };
    section.lines().find_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        (number.parse() == Ok(major)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse_resources;

    #[test]
    fn limits_are_systemds_units() {
        let json = r#"{"memory":{"limit":100,"swap":300},"cpu":{"shares":1024,"quota":15000,"period":100000,"cpus":"0-1,9"},
            "pids":{"limit":-1}}"#;
        let found = limits(&parse_resources(json.as_bytes(), "test").unwrap(), true);
        let get = |name| found.iter().find(|(property, _)| *property == name).map(|(_, value)| value.clone());
        assert_eq!(get("MemorySwapMax"), Some(Value::U64(200)));
        assert_eq!(get("CPUQuotaPerSecUSec"), Some(Value::U64(150_000)));
        assert_eq!(get("AllowedCPUs"), Some(Value::Bytes(vec![3, 2])));
        assert_eq!(get("TasksMax"), Some(Value::U64(u64::MAX)));
        assert_eq!((quota_a_second(15_001, 100_000), quota_a_second(-1, 1)), (160_000, u64::MAX));
    }

    #[test]
    fn devices_are_named_by_driver() {
        let text = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  1 ramdisk\n";
        assert_eq!(driver(text, Kind::Char, 136), Some("pts"));
        assert_eq!(driver(text, Kind::Block, 1), Some("ramdisk"));
        assert_eq!(driver(text, Kind::Block, 136), None);
    }
}
