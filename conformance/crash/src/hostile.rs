//! What others do to a machine: take a container's cgroup away, fill the mount table, boot it again with the state of
//! before, give rtrun too little memory.

use crate::Context;
use crate::call::{eventually, run};
use crate::leftovers;
use crate::outcome::{Check, Stop, fail, mentions, must};
use crate::sandbox::{CGROUPS, Sandbox};
use crate::scarce::{Group, limited_group};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The cgroup goes while the container runs: its process has been moved out, and the directory removed.
pub fn cgroup_removed(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "nocgroup")?;
    sandbox.up()?;
    let pid = state(&sandbox)?["pid"].as_i64().ok_or(Stop::Failed("no pid".into()))?;
    for top in leftovers::hierarchies() {
        let group = top.join(CGROUPS).join(&sandbox.id);
        if group.exists() {
            fs::write(top.join("cgroup.procs"), pid.to_string())?;
            eventually("the cgroup can be removed", || fs::remove_dir(&group).ok())?;
        }
    }
    must(state(&sandbox)?["status"] == "running", "a container without a cgroup is not running")?;
    let executed = sandbox.exec("true")?.refused()?;
    mentions(&executed.stderr, "cgroup")?;
    mentions(&executed.stderr, "ENOENT")?;
    sandbox.call(&["pause", &sandbox.id])?.refused()?;
    sandbox.call(&["kill", &sandbox.id, "KILL"])?.succeeded()?;
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()
}

/// Ten thousand mounts on the host: each command still ends well before it counts as hanging.
pub fn many_mounts(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "mounts")?;
    let crowd = Crowd(std::env::temp_dir().join(format!("rtrun-crash.crowd-{}", std::process::id())));
    fs::create_dir_all(&crowd.0)?;
    let none: Option<&str> = None;
    mount(Some("crowd"), &crowd.0, Some("tmpfs"), MsFlags::empty(), none)?;
    mount(none, &crowd.0, none, MsFlags::MS_PRIVATE, none)?;
    for number in 0..10_000 {
        let point = crowd.0.join(number.to_string());
        fs::create_dir(&point)?;
        mount(Some(&crowd.0.join("0")), &point, none, MsFlags::MS_BIND, none)?;
    }
    sandbox.up()?;
    sandbox.exec("test $(cat /proc/self/mountinfo | grep -c .) -lt 100")?.succeeded()?;
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()
}

/// Mounts that go with their parent.
struct Crowd(PathBuf);

impl Drop for Crowd {
    fn drop(&mut self) {
        // Detached as a tree; the mount namespace ends with this program in any case.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.0);
    }
}

/// State of the boot before, whose pid and ticks another process has by now: it is stopped, and nobody is killed.
pub fn reboot(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "reboot")?;
    sandbox.up()?;
    sandbox.call(&["kill", &sandbox.id, "KILL"])?.succeeded()?;
    eventually("stopped", || (state(&sandbox).ok()?["status"] == "stopped").then_some(()))?;
    let bystander = Bystander(Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn()?);
    let file = sandbox.root.join(&sandbox.id).join("state.json");
    let mut kept: Value = serde_json::from_slice(&fs::read(&file)?)?;
    kept["init"]["pid"] = json!(bystander.0.id());
    kept["init"]["start_time"] = json!(start_time(bystander.0.id())?);
    fs::write(&file, serde_json::to_vec(&kept)?)?;
    must(
        state(&sandbox)?["status"] == "running",
        "the same boot's pid and ticks are not believed: the case shows nothing",
    )?;

    kept["init"]["boot"] = json!(1);
    fs::write(&file, serde_json::to_vec(&kept)?)?;
    must(state(&sandbox)?["status"] == "stopped", "a process of this boot is taken for one of another")?;
    mentions(&sandbox.call(&["kill", &sandbox.id, "KILL"])?.refused()?.stderr, "not running")?;
    sandbox.exec("true")?.refused()?;
    sandbox.call(&["delete", &sandbox.id])?.succeeded()?;
    must(start_time(bystander.0.id()).is_ok(), "delete has killed a process that is not the container's")?;
    drop(bystander);
    sandbox.gone()
}

struct Bystander(Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Field 22 of `/proc/PID/stat`.
fn start_time(pid: u32) -> Check<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(19)?.parse().ok());
    fields.ok_or(Stop::Failed(format!("no start time in {stat}")))
}

/// A memory limit on rtrun itself, from nearly nothing to enough: it says so or is killed, and the next command finds a
/// container that can be deleted.
pub fn no_memory(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "nomemory")?;
    let Some((group, file)) = memory_group()? else {
        return Err(Stop::Skipped("no cgroup hierarchy here has the memory controller".into()));
    };
    let (mut refused, mut enough) = (0, None);
    for kibibytes in [64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 4096, 16384] {
        fs::write(group.path.join(file), (kibibytes * 1024).to_string())?;
        let created = run(group.join(&mut sandbox.command(&sandbox.create_words()))?)?;
        let at = |stop: Stop| stop.at(format_args!("with {kibibytes} KiB"));
        if created.code == 0 {
            enough = enough.or(Some(kibibytes));
        } else {
            refused += 1;
            must(created.code > 128 || !created.stderr.trim().is_empty(), "fails in silence").map_err(at)?;
        }
        sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded().map_err(at)?;
        sandbox.gone().map_err(at)?;
    }
    println!("# no-memory: {refused} creates died, {enough:?} KiB were enough");
    match enough {
        Some(_) if refused > 0 => Ok(()),
        _ => fail(format_args!("{refused} creates were refused, enough at {enough:?}: the limit shows nothing")),
    }
}

fn memory_group() -> Check<Option<(Group, &'static str)>> {
    for file in ["memory.limit_in_bytes", "memory.max"] {
        if let Some(group) = limited_group(file)? {
            // Else the pages go there: absent where swap is not accounted.
            let _ = fs::write(group.path.join("memory.swap.max"), "0");
            return Ok(Some((group, file)));
        }
    }
    Ok(None)
}

fn state(sandbox: &Sandbox) -> Check<Value> {
    Ok(serde_json::from_str(&sandbox.call(&["state", &sandbox.id])?.succeeded()?.stdout)?)
}
