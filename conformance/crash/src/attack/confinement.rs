//! What confines the init confines every exec'd process as well.

use crate::Context;
use crate::outcome::{Check, must};
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
    // 1:11 is /dev/kmsg, 1:5 /dev/zero, which every container may read.
    let script = "mknod /tmp/kmsg c 1 11 && mknod /tmp/zero c 1 5 && echo made
        head -c 1 /tmp/zero >/dev/null && echo zero
        head -c 1 /tmp/kmsg >/dev/null && echo kmsg
        true";
    let output = sandbox.exec(script)?.succeeded()?;
    must(output.stdout == "made\nzero\n", format_args!("{}: {}", output.stdout.trim(), output.stderr.trim()))?;
    must(output.stderr.contains("not permitted"), format_args!("/dev/kmsg: {}", output.stderr.trim()))?;
    let disk = sandbox.exec("mknod /tmp/disk b 8 0; head -c 1 /tmp/disk")?.refused()?;
    must(disk.stderr.contains("not permitted"), format_args!("a disk: {}", disk.stderr.trim()))
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
