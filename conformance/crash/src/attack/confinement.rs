//! What confines the init confines every exec'd process as well.

use crate::Context;
use crate::outcome::{Check, Stop, mentions, must};
use crate::sandbox::Sandbox;
use serde_json::json;

/// The device cgroup refuses an exec'd process what the configuration does not allow.
pub fn devices(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "devices")?;
    sandbox.privileged(&["CAP_MKNOD"]);
    sandbox.config["linux"]["resources"]["devices"] =
        json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "access": "m"}]);
    sandbox.write()?;
    sandbox.up()?;
    let (name, minor) = openable()?;
    // 1:5 is /dev/zero, which every container may read.
    let script = format!(
        "mknod /tmp/denied c 10 {minor} && mknod /tmp/zero c 1 5 && echo made
        sh -c ': </tmp/zero' && echo zero
        sh -c ': </tmp/denied' && echo denied
        true"
    );
    let output = sandbox.exec(&script)?.succeeded()?;
    must(output.stdout == "made\nzero\n", format_args!("{name}: {}: {}", output.stdout.trim(), output.stderr.trim()))?;
    mentions(&output.stderr, "not permitted")
}

/// A device that the host's root opens without harm, so that only the rules can be in the way.
fn openable() -> Check<(&'static str, u64)> {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    let node = std::env::temp_dir().join(format!("rtrun-crash-node-{}", std::process::id()));
    for (name, minor) in [("fuse", 229), ("loop-control", 237), ("tun", 200), ("hpet", 228), ("cpu_dma_latency", 124)] {
        mknod(&node, SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, makedev(10, minor))?;
        let opened = std::fs::File::open(&node).is_ok();
        std::fs::remove_file(&node)?;
        if opened {
            return Ok((name, minor));
        }
    }
    Err(Stop::Skipped("no device of this host can be opened: neither fuse nor loop-control, tun, hpet".into()))
}

/// no_new_privs, seccomp and capabilities, on the init and on an exec'd process, for root and for a user.
pub fn privileges(context: &Context) -> Check {
    for (uid, no_new_privileges) in [(0, true), (0, false), (1000, true), (1000, false)] {
        let mut sandbox = Sandbox::new(&context.runtime, "privileges")?;
        sandbox.config["process"]["user"] = json!({"uid": uid, "gid": uid});
        sandbox.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        sandbox.privileged(&["CAP_KILL"]);
        sandbox.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]});
        sandbox.write()?;
        sandbox.up()?;
        let status = sandbox.exec("cat /proc/1/status; echo; cat /proc/self/status")?.succeeded()?.stdout;
        let (init, executed) = status.split_once("\n\n").unwrap_or_default();
        let wanted = [
            ("NoNewPrivs:", u8::from(no_new_privileges).to_string()),
            ("Seccomp:", "2".into()),
            ("CapBnd:", "0000000000000020".into()),
            ("CapEff:", if uid == 0 { "0000000000000020".into() } else { "0000000000000000".into() }),
        ];
        for (who, status) in [("the init", init), ("an exec'd process", executed)] {
            for (field, value) in &wanted {
                let found = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().trim();
                must(found == value, format_args!("{field} {found} of {who}, not {value} (user {uid})"))?;
            }
        }
        let made = sandbox.exec("mkdir /tmp/x")?;
        must(made.code != 0, "mkdir passed the filter in an exec'd process")?;
    }
    Ok(())
}
