//! Files of the image that the runtime reads or writes on its way in: replaced by what hangs, blows up or deceives.

use crate::Context;
use crate::outcome::{Check, Stop, must};
use crate::sandbox::Sandbox;
use nix::sys::stat::Mode;
use std::fs;
use std::os::unix::fs::symlink;

/// /etc/passwd, which is read for HOME, is a FIFO that nobody writes to.
pub fn passwd_is_a_fifo(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "fifo")?;
    nix::unistd::mkfifo(&sandbox.rootfs("etc/passwd"), Mode::S_IRWXU)?;
    home(sandbox, "/")
}

/// /etc/passwd is 4 GiB of nothing.
pub fn passwd_is_endless(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "endless")?;
    fs::File::create(sandbox.rootfs("etc/passwd"))?.set_len(4 << 30)?;
    home(sandbox, "/")
}

/// /etc/passwd is a device that never ends.
pub fn passwd_is_a_device(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "zero")?;
    symlink("/dev/zero", sandbox.rootfs("etc/passwd"))?;
    home(sandbox, "/")
}

/// A good one, so that the three above prove something.
pub fn passwd_is_read(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "passwd")?;
    fs::write(sandbox.rootfs("etc/passwd"), "daemon:x:1:1::/d:/bin/sh\nroot:x:0:0::/root-home:/bin/sh\n")?;
    home(sandbox, "/root-home")
}

/// create and exec end in time, in little memory, with this HOME. The bound of 256 MiB is for the machine's sake.
fn home(sandbox: Sandbox, wanted: &str) -> Check {
    use nix::sys::resource::{Resource, setrlimit};
    use std::os::unix::process::CommandExt;
    let bounded = |words: &[String]| {
        let mut command = sandbox.command(words);
        let limit = || setrlimit(Resource::RLIMIT_AS, 256 << 20, 256 << 20).map_err(std::io::Error::from);
        // SAFETY: one system call, which is async-signal-safe.
        unsafe { command.pre_exec(limit) };
        crate::call::run(&mut command)?.succeeded()
    };
    bounded(&sandbox.create_words())?;
    must(peak_kib(&sandbox)? < 32 << 10, format_args!("the init took {} KiB", peak_kib(&sandbox)?))?;
    sandbox.call(&["start", &sandbox.id])?.succeeded()?;
    let words = ["exec", &sandbox.id, "/bin/sh", "-c", "echo HOME=$HOME"].map(str::to_owned);
    let output = bounded(&words)?;
    must(output.stdout.trim() == format!("HOME={wanted}"), format_args!("{}, not {wanted}", output.stdout.trim()))
}

/// The most memory that the parked init has had, KiB.
fn peak_kib(sandbox: &Sandbox) -> Check<u64> {
    let state: serde_json::Value = serde_json::from_str(&sandbox.call(&["state", &sandbox.id])?.succeeded()?.stdout)?;
    let status = fs::read_to_string(format!("/proc/{}/status", state["pid"]))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    peak.ok_or(Stop::Failed("no VmHWM".into()))
}

/// The container has covered its own /proc with files that look like procfs: an exec'd process is confined as ever.
pub fn covered_proc(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "covered")?;
    sandbox.privileged(&["CAP_SYS_ADMIN"]);
    sandbox.write()?;
    sandbox.up()?;
    let cover = "mkdir /real && mount -t proc proc /real && mount -t tmpfs none /proc &&
        mkdir -p /proc/self/attr /proc/thread-self/attr /proc/self/fd /proc/self/task /proc/sys/kernel &&
        echo 0 >/proc/self/attr/exec && echo 0 >/proc/self/oom_score_adj && ln -s / /proc/self/root &&
        ln -s /bin/busybox /proc/self/exe && mkfifo /proc/self/attr/current && echo 1 >/proc/sys/kernel/cap_last_cap";
    sandbox.exec(cover)?.succeeded()?;
    let status = sandbox.exec("cat /real/self/status")?.succeeded()?.stdout;
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    // CAP_SYS_ADMIN is bit 21.
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        must(field(set) == "0000000000200000", format_args!("{set} {}", field(set)))?;
    }
    must(field("NoNewPrivs:") == "1", format_args!("NoNewPrivs: {}", field("NoNewPrivs:")))?;
    let written = sandbox.exec("cat /proc/self/attr/exec /proc/self/oom_score_adj")?.succeeded()?.stdout;
    must(written == "0\n0\n", format_args!("the runtime wrote to the container's own /proc: {written}"))
}
