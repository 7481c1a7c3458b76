//! One container of one runtime: its bundle, its commands, what can be seen of it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::call::{Call, Output, eventually};
use super::case::{OrFail, Verdict, fail, must, same};
use super::{base, cgroup, leftovers, rootfs};
use crate::options::Job;

/// A script that lives until it is told to end: SIGTERM ends it with 0.
pub const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

/// The container of a case, and the folder around it.
pub struct Container {
    /// Absolute path of the runtime
    pub runtime: PathBuf,
    /// Folder of the case: bundle, root, outputs
    pub dir: PathBuf,
    /// The bundle; `config.json` is written when a command needs it
    pub bundle: PathBuf,
    /// Container id
    pub id: String,
    /// What `config.json` will be
    pub config: Value,
    mounted: Vec<PathBuf>,
    helpers: Vec<i32>,
}

impl Container {
    /// A fresh bundle for a job.
    pub fn new(job: &Job) -> Verdict<Container> {
        let bundle = job.dir.join("bundle");
        rootfs::copy(&job.template, &bundle.join("rootfs")).or_fail("copy root filesystem")?;
        fs::create_dir_all(job.dir.join("out")).or_fail("make output folder")?;
        Ok(Container {
            runtime: job.runtime.clone(),
            dir: job.dir.clone(),
            bundle,
            id: job.id.clone(),
            config: base::config(&format!("/{}", job.id)),
            mounted: Vec::new(),
            helpers: Vec::new(),
        })
    }

    // The config

    /// Sets what a JSON pointer names, making what is on the way; `-` appends to an array.
    pub fn set(&mut self, pointer: &str, value: Value) {
        base::set(&mut self.config, pointer, value);
    }

    /// Takes out what a JSON pointer names.
    pub fn remove(&mut self, pointer: &str) {
        base::remove(&mut self.config, pointer);
    }

    /// Sets the arguments of the process.
    pub fn args(&mut self, args: &[&str]) {
        self.set("/process/args", json!(args));
    }

    /// Makes the process a shell script.
    pub fn script(&mut self, text: &str) {
        self.args(&["sh", "-c", text]);
    }

    /// Adds a mount at the end of the list.
    pub fn mount(&mut self, destination: &str, kind: &str, source: impl AsRef<Path>, options: &[&str]) {
        let source = source.as_ref();
        let mount = json!({"destination": destination, "type": kind, "source": source, "options": options});
        self.set("/mounts/-", mount);
    }

    /// Adds a namespace, or gives the one of this kind a path.
    pub fn namespace(&mut self, kind: &str, path: Option<&str>) {
        let list = self.config["linux"]["namespaces"].as_array().cloned().unwrap_or_default();
        let mut list: Vec<Value> = list.into_iter().filter(|one| one["type"] != kind).collect();
        list.push(match path {
            Some(path) => json!({"type": kind, "path": path}),
            None => json!({"type": kind}),
        });
        self.set("/linux/namespaces", json!(list));
    }

    /// Takes out the namespace of this kind.
    pub fn no_namespace(&mut self, kind: &str) {
        if let Some(list) = self.config["linux"]["namespaces"].as_array_mut() {
            list.retain(|one| one["type"] != kind);
        }
    }

    /// A user namespace with the mapping `inside outside size` for users and groups, and a root filesystem that its
    /// root may use.
    pub fn user_namespace(&mut self, mappings: &[(u32, u32, u32)]) {
        let mapping =
            |(inside, outside, size): &(u32, u32, u32)| json!({"containerID": inside, "hostID": outside, "size": size});
        let list: Vec<Value> = mappings.iter().map(mapping).collect();
        self.namespace("user", None);
        self.set("/linux/uidMappings", json!(list));
        self.set("/linux/gidMappings", json!(list));
    }

    /// Gives the process these capabilities in each of the five sets.
    pub fn capabilities(&mut self, names: &[&str]) {
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            self.set(&format!("/process/capabilities/{set}"), json!(names));
        }
    }

    // Files

    /// A path in the root filesystem, seen from outside.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.bundle.join("rootfs").join(path.trim_start_matches('/'))
    }

    /// Writes a file of the case's folder and gives its path.
    pub fn file(&self, name: &str, text: &str) -> Verdict<PathBuf> {
        let path = self.dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).or_fail(parent.display())?;
        }
        fs::write(&path, text).or_fail(path.display())?;
        Ok(path)
    }

    /// Makes a folder in the case's folder and gives its path.
    pub fn folder(&self, name: &str) -> Verdict<PathBuf> {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).or_fail(path.display())?;
        Ok(path)
    }

    /// Mounts a tmpfs on a folder of the case's; taken away at the end.
    pub fn tmpfs(&mut self, name: &str) -> Verdict<PathBuf> {
        let path = self.folder(name)?;
        let none = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("tmpfs"), &path, Some("tmpfs"), none, Some("mode=755")).or_fail("mount tmpfs")?;
        self.mounted.push(path.clone());
        Ok(path)
    }

    /// Writes `config.json`.
    pub fn write_config(&self) -> Verdict {
        let text = serde_json::to_string_pretty(&self.config).or_fail("config")?;
        self.write_raw_config(&text)
    }

    /// Writes any text as `config.json`.
    pub fn write_raw_config(&self, text: &str) -> Verdict {
        fs::write(self.bundle.join("config.json"), text).or_fail("write config.json")
    }

    // Commands

    /// A command of the runtime, `--root` before it.
    pub fn call<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        let root = self.root();
        let mut all = vec![OsStr::new("--root").to_owned(), root.into_os_string()];
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        Call::new(&self.runtime, all)
    }

    /// Runs a command of the runtime.
    pub fn rt(&self, args: &[&str]) -> Verdict<Output> {
        self.call(args).output(&self.out())
    }

    /// Where outputs of commands are kept.
    pub fn out(&self) -> PathBuf {
        self.dir.join("out")
    }

    /// The runtime's `--root`.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// `run`, with more flags of it; the config is written first.
    pub fn run_with(&self, flags: &[&str]) -> Verdict<Output> {
        self.write_config()?;
        self.rt(&self.bundled("run", flags))
    }

    /// `run` to the end of the process.
    pub fn run(&self) -> Verdict<Output> {
        self.run_with(&[])
    }

    /// Runs a script as the container's process; fails unless it ends with 0; gives its stdout, trimmed.
    pub fn sh(&mut self, text: &str) -> Verdict<String> {
        self.script(text);
        Ok(self.run()?.succeeded()?.stdout.trim().to_string())
    }

    /// Runs a script and compares its stdout, trimmed.
    pub fn sh_is(&mut self, text: &str, want: &str) -> Verdict {
        let got = self.sh(text)?;
        same(text, got.as_str(), want)
    }

    /// `create`, with more flags of it; the config is written first.
    pub fn create_with(&self, flags: &[&str]) -> Verdict<Output> {
        self.write_config()?;
        self.rt(&self.bundled("create", flags))
    }

    /// `create`, which must succeed; gives the pid.
    pub fn create(&self) -> Verdict<i32> {
        self.create_with(&[])?.succeeded()?;
        self.pid()
    }

    /// `start`, which must succeed.
    pub fn start(&self) -> Verdict {
        self.rt(&["start", &self.id])?.succeeded().map(drop)
    }

    /// A container that waits until it is told to end; gives the pid.
    pub fn up(&mut self) -> Verdict<i32> {
        self.up_script(WAIT)
    }

    /// A running container with a script as its process; gives the pid.
    pub fn up_script(&mut self, text: &str) -> Verdict<i32> {
        self.script(text);
        let pid = self.create()?;
        self.start()?;
        Ok(pid)
    }

    /// `exec` of a command line, with flags of exec before the id.
    pub fn exec_with(&self, flags: &[&str], args: &[&str]) -> Verdict<Output> {
        let mut line = vec!["exec"];
        line.extend(flags);
        line.push(&self.id);
        line.extend(args);
        self.rt(&line)
    }

    /// `exec` of a script, which must end with 0; gives its stdout, trimmed.
    pub fn exec_sh(&self, text: &str) -> Verdict<String> {
        Ok(self.exec_with(&[], &["sh", "-c", text])?.succeeded()?.stdout.trim().to_string())
    }

    /// `state`, parsed.
    pub fn state(&self) -> Verdict<Value> {
        let output = self.rt(&["state", &self.id])?.succeeded()?;
        serde_json::from_str(&output.stdout).or_fail(format_args!("state is no JSON: {:?}", output.stdout))
    }

    /// The pid that `state` tells.
    pub fn pid(&self) -> Verdict<i32> {
        self.state()?["pid"].as_i64().map(|pid| pid as i32).or_fail("pid in state")
    }

    /// Waits up to 5 s until `state` tells this status.
    pub fn wait_for(&self, status: &str) -> Verdict {
        let reached = || (self.state().ok()?["status"] == status).then_some(());
        eventually(&format!("status {status}"), reached)
    }

    /// `delete`, which must succeed.
    pub fn delete(&self) -> Verdict {
        self.rt(&["delete", &self.id])?.succeeded().map(drop)
    }

    /// The container's process is killed and the container deleted.
    pub fn finish(&self) -> Verdict {
        self.rt(&["kill", &self.id, "KILL"])?.succeeded()?;
        self.wait_for("stopped")?;
        self.delete()
    }

    /// `create` must refuse this config, with a message, and leave nothing; gives the message.
    pub fn create_refused(&self) -> Verdict<String> {
        self.write_config()?;
        self.written_refused()
    }

    /// `create` must refuse the config.json as it lies there, with a message, and leave nothing; gives the message.
    pub fn written_refused(&self) -> Verdict<String> {
        let output = self.rt(&self.bundled("create", &[]))?.refused()?;
        self.nothing_left()?;
        Ok(output.stderr)
    }

    fn bundled<'a>(&'a self, command: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
        let mut line = vec![command, "--bundle", self.bundle.to_str().unwrap_or_default()];
        line.extend(flags);
        line.push(&self.id);
        line
    }

    // Cgroups

    /// The container's directory in the hierarchy of `controller`.
    pub fn cgroup(&self, controller: &str) -> Verdict<PathBuf> {
        cgroup::of_process(self.pid()?, controller).or_fail(format_args!("cgroup for {controller}"))
    }

    /// A file of the container's cgroup: `v1` or `v2` by layout; trimmed.
    pub fn cgroup_file(&self, controller: &str, v1: &str, v2: &str) -> Verdict<String> {
        let path = self.cgroup(controller)?.join(if cgroup::pure_v2() { v2 } else { v1 });
        Ok(fs::read_to_string(&path).or_fail(path.display())?.trim().to_string())
    }

    // The end

    /// Remembers a process of the case's own, so that it is no leftover; it is killed at the end.
    pub fn helper(&mut self, pid: i32) {
        self.helpers.push(pid);
    }

    /// Fails if a state directory, a cgroup, a mount or a process of the container is left.
    pub fn nothing_left(&self) -> Verdict {
        let state = self.root().join(&self.id);
        must(!state.exists(), format_args!("left behind: {}", state.display()))?;
        let groups = cgroup::named_like(&self.id);
        must(groups.is_empty(), format_args!("cgroups left behind: {groups:?}"))?;
        let mounts: Vec<PathBuf> =
            leftovers::mounts_below(&self.dir).into_iter().filter(|path| !self.mounted.contains(path)).collect();
        must(mounts.is_empty(), format_args!("mounts left behind: {mounts:?}"))?;
        let mut known = vec![1, std::process::id() as i32];
        known.extend(&self.helpers);
        let gone = || leftovers::strangers(&known).is_empty().then_some(());
        if eventually("processes gone", gone).is_err() {
            return fail(format!("processes left behind: {:?}", leftovers::strangers(&known)));
        }
        Ok(())
    }

    /// Deletes whatever containers there are, then says what is left all the same.
    pub fn clean_up(&mut self) -> Verdict {
        leftovers::thaw(&self.id);
        let ids: Vec<String> = fs::read_dir(self.root())
            .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
            .unwrap_or_default();
        for id in ids.iter().filter(|id| id.starts_with(&self.id)) {
            let _ = self.rt(&["delete", "--force", id]);
        }
        for pid in self.helpers.drain(..) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let left = self.nothing_left();
        for path in self.mounted.drain(..).rev() {
            let _ = nix::mount::umount2(&path, nix::mount::MntFlags::MNT_DETACH);
        }
        left
    }
}
