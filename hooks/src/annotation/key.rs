use super::value::{cpus, duration, duration_within, list, number, size, switch};
use super::word::{ClockState, OnTimeout, Partition, Policy, Verify};
use super::{Annotations, ClockSource, DeviceName, DeviceRequest, IrqAffinity, MemoryLock, ResumeLatency};
use std::time::Duration;

/// Shortest runtime that the kernel keeps account of (`DL_SCALE`, kernel/sched/deadline.c).
const LEAST_RUNTIME: Duration = Duration::from_nanos(1024);
/// `sched_setattr(2)` takes less than 2^63 ns; nobody plans further than an hour.
const HOUR: Duration = Duration::from_secs(3600);
/// What `power/pm_qos_resume_latency_us` holds, an `s32` of microseconds.
const MOST_LATENCY: Duration = Duration::from_micros(i32::MAX as u64);

/// One annotation: what the parser, `rtrun annotations` and the documentation know of it.
pub struct Key {
    /// Without its prefix.
    pub name: &'static str,
    /// The legal values, in words.
    pub values: &'static str,
    /// The unit that a value is written with, or nothing.
    pub unit: &'static str,
    /// What holds when it is absent.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// A legal value.
    pub example: &'static str,
    pub(super) read: fn(&mut Annotations, &str) -> Result<(), String>,
}

impl Key {
    /// The key of this name, which has no prefix.
    pub fn of(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }
}

const SWITCH: &str = "true, false";
const DURATION: &str = "ns, us, ms, s, min";

/// Every annotation of ours.
pub const KEYS: &[Key] = &[
    Key {
        name: "sched.policy",
        values: "SCHED_FIFO, SCHED_RR, SCHED_DEADLINE, SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, with or without SCHED_",
        unit: "",
        default: "process.scheduler, else the caller's",
        meaning: "scheduling policy of the container's process, set just before its program begins",
        example: "SCHED_FIFO",
        read: |all, text| Policy::read(text).map(|policy| all.sched.policy = Some(policy)),
    },
    Key {
        name: "sched.priority",
        values: "1 to 99; above 90 with sched.priority.force=true",
        unit: "",
        default: "50, as the kernel's threaded interrupts have",
        meaning: "static priority, with SCHED_FIFO and SCHED_RR",
        example: "80",
        read: |all, text| number(text, 1..=99).map(|priority| all.sched.priority = Some(priority as u32)),
    },
    Key {
        name: "sched.priority.force",
        values: SWITCH,
        unit: "",
        default: "false",
        meaning: "allows priorities above 90, which the kernel's own threads need",
        example: "true",
        read: |all, text| switch(text).map(|force| all.sched.force = force),
    },
    Key {
        name: "sched.nice",
        values: "-20 to 19",
        unit: "",
        default: "the caller's",
        meaning: "nice value, with SCHED_OTHER and SCHED_BATCH",
        example: "-5",
        read: |all, text| number(text, -20..=19).map(|nice| all.sched.nice = Some(nice)),
    },
    Key {
        name: "sched.runtime",
        values: "1024ns to 3600s, at most sched.deadline",
        unit: DURATION,
        default: "needed with SCHED_DEADLINE; with SCHED_FIFO and SCHED_RR a share of what RT_GROUP_SCHED leaves",
        meaning: "CPU time in each period: SCHED_DEADLINE's reservation, or the real-time budget of an RT_GROUP_SCHED cgroup",
        example: "500us",
        read: |all, text| duration_within(text, LEAST_RUNTIME, HOUR).map(|runtime| all.sched.runtime = Some(runtime)),
    },
    Key {
        name: "sched.deadline",
        values: "1024ns to 3600s, at most sched.period",
        unit: DURATION,
        default: "sched.period",
        meaning: "when the runtime must have been given, from the begin of each period; with SCHED_DEADLINE",
        example: "2ms",
        read: |all, text| {
            duration_within(text, LEAST_RUNTIME, HOUR).map(|deadline| all.sched.deadline = Some(deadline))
        },
    },
    Key {
        name: "sched.period",
        values: "1024ns to 3600s",
        unit: DURATION,
        default: "sched.deadline; 1s for the budget of an RT_GROUP_SCHED cgroup",
        meaning: "the period of sched.runtime",
        example: "2ms",
        read: |all, text| duration_within(text, LEAST_RUNTIME, HOUR).map(|period| all.sched.period = Some(period)),
    },
    Key {
        name: "sched.reset-on-fork",
        values: SWITCH,
        unit: "",
        default: "false",
        meaning: "children start as SCHED_OTHER (SCHED_FLAG_RESET_ON_FORK)",
        example: "true",
        read: |all, text| switch(text).map(|reset| all.sched.reset_on_fork = Some(reset)),
    },
    Key {
        name: "cpus",
        values: "a list in kernel format",
        unit: "",
        default: "linux.resources.cpu.cpus, else all of the parent cgroup's",
        meaning: "the container's CPUs",
        example: "2-3",
        read: |all, text| cpus(text).map(|cpus| all.cpus = Some(cpus)),
    },
    Key {
        name: "cpus.partition",
        values: "member, root, isolated",
        unit: "",
        default: "member",
        meaning: "scheduling domain of the CPUs: common, their own, or their own without load balancing; \
                  isolated is meant for SCHED_FIFO and SCHED_RR, root for SCHED_DEADLINE",
        example: "isolated",
        read: |all, text| Partition::parse(text).map(|partition| all.partition = Some(partition)),
    },
    Key {
        name: "cpus.exclusive",
        values: SWITCH,
        unit: "",
        default: "false",
        meaning: "no other container of rtrun's may name these CPUs while this one lives",
        example: "true",
        read: |all, text| switch(text).map(|exclusive| all.exclusive = exclusive),
    },
    Key {
        name: "cpu.governor",
        values: "a name of scaling_available_governors",
        unit: "",
        default: "left as it is",
        meaning: "cpufreq governor of the CPUs while the container lives",
        example: "performance",
        read: |all, text| governor(text).map(|governor| all.governor = Some(governor)),
    },
    Key {
        name: "cpu.max-latency",
        values: "0us to 2147483647us, or any",
        unit: DURATION,
        default: "left as it is",
        meaning: "longest time that the CPUs may take to leave an idle state (PM-QoS resume latency); 0us: they never enter one",
        example: "0us",
        read: |all, text| resume_latency(text).map(|latency| all.max_latency = Some(latency)),
    },
    Key {
        name: "cpu.quota",
        values: "disable",
        unit: "",
        default: "linux.resources.cpu.quota",
        meaning: "no CFS quota on the container, whatever the caller asks for",
        example: "disable",
        read: |all, text| match text {
            "disable" => {
                all.no_quota = true;
                Ok(())
            }
            _ => Err("is not disable".to_owned()),
        },
    },
    Key {
        name: "memory.lock",
        values: "true, or a size",
        unit: "B, Ki, Mi, Gi, Ti",
        default: "process.rlimits",
        meaning: "how much the process may lock (RLIMIT_MEMLOCK), true: all; its memory is never swapped",
        example: "256Mi",
        read: |all, text| {
            let lock = if text == "true" { MemoryLock::All } else { MemoryLock::Bytes(size(text)?) };
            all.memory_lock = Some(lock);
            Ok(())
        },
    },
    Key {
        name: "memory.prefault",
        values: SWITCH,
        unit: "",
        default: "false",
        meaning: "the process's pages are made present before its program begins, where the kernel has a way",
        example: "true",
        read: |all, text| switch(text).map(|prefault| all.prefault = prefault),
    },
    Key {
        name: "devices",
        values: "names with ',' between: family:index, PCI address, CDI name or node; each with +ro, +shared",
        unit: "",
        default: "none",
        meaning: "devices of the container: nodes, cgroup rules, BAR files, UIO and VFIO; leased exclusively unless +shared",
        example: "bc635:0,/dev/uio1+ro",
        read: |all, text| DeviceRequest::list(text).map(|devices| all.devices = devices),
    },
    Key {
        name: "irq.affinity",
        values: "housekeeping, or a list of CPUs in kernel format",
        unit: "",
        default: "left as it is",
        meaning: "where movable interrupts go: off the container's CPUs, or onto these",
        example: "housekeeping",
        read: |all, text| {
            let affinity = match text {
                "housekeeping" => IrqAffinity::Housekeeping,
                list => IrqAffinity::Cpus(cpus(list)?),
            };
            all.irq_affinity = Some(affinity);
            Ok(())
        },
    },
    Key {
        name: "irq.devices",
        values: "names with ',' between, as in devices",
        unit: "",
        default: "none",
        meaning: "devices whose interrupts, and their threads' priority, are steered to the container's CPUs",
        example: "bc635:0",
        read: |all, text| list(text, DeviceName::parse).map(|devices| all.irq_devices = devices),
    },
    Key {
        name: "clock.require",
        values: "locked, holdover, none",
        unit: "",
        default: "none",
        meaning: "the least state of the clock in which the container may start",
        example: "locked",
        read: |all, text| ClockState::parse(text).map(|state| all.clock.require = Some(state)),
    },
    Key {
        name: "clock.source",
        values: "adjtimex, chrony, chrony:SOCKET, ptp:/dev/ptpN, family:index; several with ',' must agree",
        unit: "",
        default: "adjtimex",
        meaning: "who is asked for the clock's state",
        example: "chrony,ptp:/dev/ptp0",
        read: |all, text| list(text, ClockSource::parse).map(|sources| all.clock.sources = sources),
    },
    Key {
        name: "clock.max-offset",
        values: "1ns to 3600s",
        unit: DURATION,
        default: "what the source itself calls synchronised",
        meaning: "largest offset with which the clock counts as locked",
        example: "10us",
        read: |all, text| {
            duration_within(text, Duration::from_nanos(1), HOUR).map(|offset| all.clock.max_offset = Some(offset))
        },
    },
    Key {
        name: "clock.timeout",
        values: "0s to 3600s",
        unit: DURATION,
        default: "30s",
        meaning: "how long the start waits for the clock",
        example: "30s",
        read: |all, text| duration_within(text, Duration::ZERO, HOUR).map(|timeout| all.clock.timeout = Some(timeout)),
    },
    Key {
        name: "clock.on-timeout",
        values: "fail, warn",
        unit: "",
        default: "fail",
        meaning: "what becomes of the start when the clock was not good in time",
        example: "fail",
        read: |all, text| OnTimeout::parse(text).map(|action| all.clock.on_timeout = Some(action)),
    },
    Key {
        name: "latency.budget",
        values: "1ns to 3600s",
        unit: DURATION,
        default: "none",
        meaning: "wake-up latency that the latency probe counts as a breach",
        example: "50us",
        read: |all, text| {
            duration_within(text, Duration::from_nanos(1), HOUR).map(|budget| all.latency_budget = Some(budget))
        },
    },
    Key {
        name: "verify",
        values: "strict, warn, off",
        unit: "",
        default: "strict when any annotation is set",
        meaning: "what becomes of an effect that the kernel does not show when read back",
        example: "strict",
        read: |all, text| Verify::parse(text).map(|verify| all.verify = Some(verify)),
    },
];

/// The name becomes the content of a sysfs file.
fn governor(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if (1..=15).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err("is no name of a governor: 1 to 15 lower-case letters, digits and _".to_owned())
}

fn resume_latency(text: &str) -> Result<ResumeLatency, String> {
    if text == "any" {
        return Ok(ResumeLatency::Any);
    }
    let latency = duration(text)?;
    if latency > MOST_LATENCY {
        return Err("is more than the kernel can hold".to_owned());
    }
    if latency.subsec_nanos() % 1000 != 0 {
        return Err("is no whole number of microseconds".to_owned());
    }
    Ok(ResumeLatency::AtMost(latency))
}
