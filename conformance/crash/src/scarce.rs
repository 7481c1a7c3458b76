//! A machine that has run out of something: the error names the step and what it was tried on, and nothing stays.

use crate::Context;
use crate::call::{Output, run};
use crate::leftovers;
use crate::outcome::{Check, Stop, fail, mentions, must};
use crate::sandbox::Sandbox;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::resource::{Resource, setrlimit};
use serde_json::json;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// A filesystem of this size or count of files as `--root`.
struct SmallRoot(PathBuf);

impl SmallRoot {
    fn mount(sandbox: &Sandbox, flags: MsFlags, options: &str) -> Check<SmallRoot> {
        fs::create_dir_all(&sandbox.root)?;
        mount(Some("small"), &sandbox.root, Some("tmpfs"), flags, Some(options))?;
        Ok(SmallRoot(sandbox.root.clone()))
    }
}

impl Drop for SmallRoot {
    fn drop(&mut self) {
        if let Err(errno) = umount2(&self.0, MntFlags::MNT_DETACH) {
            eprintln!("rtrun-crash: umount {}: {errno}", self.0.display());
        }
    }
}

/// A refusal must name `what`, and nothing may be left; a create that went well is deleted.
fn settle(sandbox: &Sandbox, created: &Output, what: &[&str]) -> Check<bool> {
    if created.code != 0 {
        what.iter().try_for_each(|part| mentions(&created.stderr, part))?;
        sandbox.gone()?;
        return Ok(false);
    }
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()?;
    Ok(true)
}

/// `--root` with room for 0, 1, 2, … pages: each of the state's files is the first that does not fit.
pub fn no_space(context: &Context) -> Check {
    let mut sandbox = Sandbox::new(&context.runtime, "nospace")?;
    // A configuration of three pages.
    sandbox.config["annotations"] = json!({"padding": "x".repeat(9000)});
    sandbox.write()?;
    let _root = SmallRoot::mount(&sandbox, MsFlags::empty(), "size=64k")?;
    let filler = sandbox.root.join("filler");
    let mut refused = 0;
    for free in 0..16 {
        // The filler is outside of what must be left: removed before the look.
        match fs::write(&filler, vec![0u8; (16 - free) * 4096]) {
            Ok(()) => {}
            Err(error) => return fail(format_args!("filling: {error}")),
        }
        let created = sandbox.create()?;
        fs::remove_file(&filler)?;
        let id = format!("/state/{}", sandbox.id);
        refused += usize::from(!settle(&sandbox, &created, &["ENOSPC", &id])?);
    }
    must(refused > 3, format_args!("only {refused} creates ran out of space"))?;
    must(refused < 16, "no create had space enough")
}

/// The same by the number of files: directory, state, configuration, socket.
pub fn no_inodes(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "noinodes")?;
    let mut refused = 0;
    for files in 1..8 {
        let _root = SmallRoot::mount(&sandbox, MsFlags::empty(), &format!("size=1m,nr_inodes={files}"))?;
        let created = sandbox.create()?;
        refused += usize::from(!settle(&sandbox, &created, &["ENOSPC"])?);
    }
    must(refused > 3, format_args!("only {refused} creates ran out of files"))?;
    must(refused < 7, "no create had files enough")
}

/// A `--root` on a read-only filesystem.
pub fn read_only(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "readonly")?;
    let _root = SmallRoot::mount(&sandbox, MsFlags::MS_RDONLY, "size=64k")?;
    let created = sandbox.create()?.refused()?;
    settle(&sandbox, &created, &["EROFS", &format!("/state/{}", sandbox.id)])?;
    let below = Command::new(&sandbox.runtime)
        .args(["--root", &sandbox.root.join("a/b").display().to_string()])
        .args(sandbox.create_words())
        .output()?;
    let text = String::from_utf8_lossy(&below.stderr).into_owned();
    must(!below.status.success(), "created below a read-only filesystem")?;
    mentions(&text, "EROFS")?;
    mentions(&text, "--root")
}

/// One descriptor more at each try, from none to enough, for create and for exec.
pub fn no_descriptors(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "nofile")?;
    let (_, hard) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE)?;
    let limited = |mut command: Command, count| {
        // Soft alone: the container's own limit can still be set.
        let limit = move || setrlimit(Resource::RLIMIT_NOFILE, count, hard).map_err(std::io::Error::from);
        // SAFETY: one system call, which is async-signal-safe.
        unsafe { command.pre_exec(limit) };
        run(&mut command)
    };
    let mut enough = None;
    for count in 3..64 {
        let created = limited(sandbox.command(&sandbox.create_words()), count)?;
        // A build that is not static fails before its main.
        if created.stderr.contains("shared libraries") {
            continue;
        }
        let went_well = settle(&sandbox, &created, &["too many open files"])
            .map_err(|stop| stop.at(format_args!("with {count} descriptors")))?;
        must(went_well || enough.is_none(), format_args!("refused with {count} descriptors, not with fewer"))?;
        enough = enough.or(went_well.then_some(count));
    }
    must(enough.is_some_and(|count| count > 4), format_args!("enough at {enough:?}: nothing was refused"))?;

    sandbox.up()?;
    for count in 3..32 {
        let executed = limited(sandbox.command(&["exec", &sandbox.id, "true"]), count)?;
        if executed.code != 0 && !executed.stderr.contains("shared libraries") {
            mentions(&executed.stderr, "too many open files")
                .map_err(|stop| stop.at(format_args!("with {count} descriptors")))?;
        }
    }
    sandbox.exec("true")?.succeeded()?;
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()
}

/// A cgroup that allows one task: clone fails.
pub fn no_tasks(context: &Context) -> Check {
    let sandbox = Sandbox::new(&context.runtime, "notasks")?;
    let Some(group) = limited_group("pids.max")? else {
        return Err(Stop::Skipped("no cgroup hierarchy here has the pids controller".into()));
    };
    fs::write(group.path.join("pids.max"), "1")?;
    let created = run(group.join(&mut sandbox.command(&sandbox.create_words()))?)?.refused()?;
    settle(&sandbox, &created, &["clone3", "EAGAIN"])?;
    sandbox.up()?;
    let executed = run(group.join(&mut sandbox.command(&["exec", &sandbox.id, "true"]))?)?.refused()?;
    mentions(&executed.stderr, "clone3")?;
    mentions(&executed.stderr, "EAGAIN")?;
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded()?;
    sandbox.gone()
}

/// A cgroup for the runtime itself; removed at the end.
pub struct Group {
    /// Its directory.
    pub path: PathBuf,
    procs: fs::File,
}

impl Group {
    /// The command, which enters the cgroup before it is executed.
    pub fn join<'a>(&self, command: &'a mut Command) -> Check<&'a mut Command> {
        let procs = self.procs.try_clone()?;
        let join = move || {
            // SAFETY: the descriptor lives in this closure; one byte is there.
            nix::errno::Errno::result(unsafe { libc::write(procs.as_raw_fd(), c"0".as_ptr().cast(), 1) })
                .map(drop)
                .map_err(std::io::Error::from)
        };
        // SAFETY: one system call, which is async-signal-safe.
        Ok(unsafe { command.pre_exec(join) })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.path) {
            eprintln!("rtrun-crash: rmdir {}: {error}", self.path.display());
        }
    }
}

/// A cgroup that has this file, where some hierarchy gives one.
pub fn limited_group(file: &str) -> Check<Option<Group>> {
    for mountpoint in leftovers::hierarchies() {
        let path = mountpoint.join(format!("rtrun-crash-limit-{}", std::process::id()));
        if fs::create_dir(&path).is_err() {
            continue;
        }
        if path.join(file).exists() {
            let procs = fs::OpenOptions::new().write(true).open(path.join("cgroup.procs"))?;
            return Ok(Some(Group { path, procs }));
        }
        fs::remove_dir(&path)?;
    }
    Ok(None)
}
