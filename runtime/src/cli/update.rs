use super::{Command, Error, Globals, container_cgroup};
use crate::cgroup::Cgroup;
use crate::spec::{self, BlockIo, Cpu, Memory, Pids, Resources};
use crate::state::Status;
use std::io::Read;
use std::path::PathBuf;

/// Change the limits of a container
#[derive(clap::Parser)]
#[command(allow_negative_numbers = true)]
pub(super) struct Update {
    /// JSON file of resources as in config.json, or - for standard input; the other flags are then passed over
    #[arg(short, long, value_name = "FILE")]
    resources: Option<PathBuf>,
    /// Weight of block devices, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Period of the CPU quota in microseconds
    #[arg(long, value_name = "US")]
    cpu_period: Option<u64>,
    /// CPU time a period in microseconds; -1 is no limit
    #[arg(long, value_name = "US")]
    cpu_quota: Option<i64>,
    /// CPU time above the quota that may be saved up, in microseconds
    #[arg(long, value_name = "US")]
    cpu_burst: Option<u64>,
    /// Weight of the CPU, 2 to 262144
    #[arg(long, value_name = "WEIGHT", alias = "cpu-shares")]
    cpu_share: Option<u64>,
    /// 1 makes the cgroup SCHED_IDLE, 0 ends that
    #[arg(long, value_name = "0|1")]
    cpu_idle: Option<i64>,
    /// Period of the real-time budget in microseconds (cgroup v1)
    #[arg(long, value_name = "US")]
    cpu_rt_period: Option<u64>,
    /// Real-time budget a period in microseconds (cgroup v1)
    #[arg(long, value_name = "US")]
    cpu_rt_runtime: Option<i64>,
    /// CPUs, as 0-3,8
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// NUMA nodes, as 0-1
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Bytes of memory, also as 512m; -1 is no limit
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory: Option<i64>,
    /// Bytes of memory that are left under pressure
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory_reservation: Option<i64>,
    /// Bytes of memory and swap together; -1 is no limit
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Number of tasks; -1 is no limit
    #[arg(long, value_name = "N")]
    pids_limit: Option<i64>,
    /// L3 line of the container's resctrl group
    #[arg(long, value_name = "SCHEMA")]
    l3_cache_schema: Option<String>,
    /// MB line of the container's resctrl group
    #[arg(long, value_name = "SCHEMA")]
    mem_bw_schema: Option<String>,
    /// Name of the container
    id: String,
}

impl Command for Update {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let container = globals.store().lock(&self.id)?;
        if container.status()? == Status::Stopped {
            let (status, wanted) = (Status::Stopped, "container not running");
            return Err(Error::Status { id: self.id, status, action: "update", wanted });
        }
        let resources = self.resources()?;
        spec::validate::validate_resources(&resources)?;
        for field in Cgroup::ignored(&resources) {
            globals.warn()(format!("{field}: has no effect on current kernels"));
        }
        container_cgroup(&container)?.apply(&resources)?;
        for line in self.l3_cache_schema.iter().chain(&self.mem_bw_schema) {
            let group = container.state.rdt.as_ref().ok_or_else(|| Error::NoRdtGroup(self.id.clone()))?;
            group.update(line)?;
        }
        Ok(0)
    }
}

impl Update {
    /// The limits to change; the devices stay as they are, for the caller's file knows nothing of what others added.
    fn resources(&self) -> Result<Resources, Error> {
        let Some(file) = &self.resources else { return Ok(self.flags()) };
        let mut text = Vec::new();
        let read = if file.as_os_str() == "-" {
            std::io::stdin().read_to_end(&mut text)
        } else {
            std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut text))
        };
        read.map_err(|source| Error::File { action: "reading", path: file.clone(), source })?;
        let mut resources = spec::parse_resources(&text, &file.display().to_string())?;
        resources.devices.clear();
        Ok(resources)
    }

    fn flags(&self) -> Resources {
        Resources {
            memory: Some(Memory {
                limit: self.memory,
                reservation: self.memory_reservation,
                swap: self.memory_swap,
                ..Memory::default()
            }),
            cpu: Some(Cpu {
                shares: self.cpu_share,
                quota: self.cpu_quota,
                burst: self.cpu_burst,
                period: self.cpu_period,
                realtime_runtime: self.cpu_rt_runtime,
                realtime_period: self.cpu_rt_period,
                cpus: self.cpuset_cpus.clone(),
                mems: self.cpuset_mems.clone(),
                idle: self.cpu_idle,
            }),
            pids: self.pids_limit.map(|limit| Pids { limit: Some(limit) }),
            block_io: self.blkio_weight.map(|weight| BlockIo { weight: Some(weight), ..BlockIo::default() }),
            ..Resources::default()
        }
    }
}

/// Bytes with an optional unit of powers of 1024: 64m, 1.5G, 512kb, 1GiB.
fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no size; 1048576, 512m, 1.5g and -1 are");
    if text == "-1" {
        return Ok(-1);
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = unit.to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong()),
    };
    let scale = 1i64 << (10 * power);
    match number.parse::<i64>() {
        Ok(whole) => whole.checked_mul(scale).ok_or_else(wrong),
        Err(_) => number.parse::<f64>().map(|number| (number * scale as f64) as i64).map_err(|_| wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn sizes_as_people_write_them() {
        let sizes =
            [("-1", -1), ("0", 0), ("64m", 64 << 20), ("1G", 1 << 30), ("1.5k", 1536), ("2KiB", 2048), ("7b", 7)];
        for (text, size) in sizes {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "x", "1x", "-2", "9999999999t"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn negative_values_are_values() {
        let line = ["update", "--memory", "-1", "--cpu-quota", "-1", "--memory-swap=-1", "--pids-limit", "-1", "c"];
        let resources = Update::try_parse_from(line).unwrap().flags();
        assert_eq!(resources.memory.unwrap().limit, Some(-1));
        assert_eq!(resources.cpu.unwrap().quota, Some(-1));
        assert_eq!(resources.pids.unwrap().limit, Some(-1));
    }

    #[test]
    fn what_cri_o_and_containerd_pass() {
        for line in
            [&["update", "--resources", "-", "c"][..], &["update", "--resources=-", "c"], &["update", "-r", "-", "c"]]
        {
            assert_eq!(Update::try_parse_from(line).unwrap().resources, Some("-".into()));
        }
    }
}
