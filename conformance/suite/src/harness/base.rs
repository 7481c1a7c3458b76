//! The config that every case starts from, and changing it by path.

use serde_json::{Map, Value, json};

/// What `runc spec` writes, without a terminal, with a cgroup path of the case's own.
pub fn config(cgroups_path: &str) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities, "ambient": capabilities
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "conformance",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "cgroupsPath": cgroups_path,
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
            ],
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

/// Sets `pointer` (JSON pointer, `/linux/resources/pids/limit`) to `value`, making the objects on the way; `-` as
/// the last part appends to an array.
pub fn set(config: &mut Value, pointer: &str, value: Value) {
    let mut at = config;
    for part in pointer.split('/').skip(1) {
        at = step(at, part);
    }
    *at = value;
}

/// Takes `pointer` out of the config; nothing happens when it isn't there.
pub fn remove(config: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match config.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.remove(name);
        }
        Some(Value::Array(items)) => {
            if let Some(index) = name.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn step<'a>(at: &'a mut Value, part: &str) -> &'a mut Value {
    if part == "-" && !at.is_array() {
        *at = Value::Array(Vec::new());
    }
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    match at {
        Value::Array(items) => {
            let index = part.parse().unwrap_or(items.len());
            while items.len() <= index {
                items.push(Value::Null);
            }
            &mut items[index]
        }
        other => &mut other[part],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_makes_what_is_missing() {
        let mut config = json!({"linux": {}});
        set(&mut config, "/linux/resources/pids/limit", json!(3));
        set(&mut config, "/mounts/-", json!({"destination": "/a"}));
        set(&mut config, "/mounts/-", json!({"destination": "/b"}));
        set(&mut config, "/mounts/0/type", json!("bind"));
        assert_eq!(config["linux"]["resources"]["pids"]["limit"], 3);
        assert_eq!(config["mounts"][1]["destination"], "/b");
        assert_eq!(config["mounts"][0], json!({"destination": "/a", "type": "bind"}));
    }

    #[test]
    fn remove_takes_out_members_and_items() {
        let mut config = json!({"a": {"b": 1}, "c": [1, 2]});
        remove(&mut config, "/a/b");
        remove(&mut config, "/c/0");
        remove(&mut config, "/x/y");
        assert_eq!(config, json!({"a": {}, "c": [2]}));
    }
}
