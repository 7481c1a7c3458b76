use super::create::Handles;
use super::{Command, Error, Globals, exit_code};
use crate::launch::{ExecOptions, Target};
use crate::spec::{Capabilities, Process, load_process};
use std::path::PathBuf;

/// Run a process in a container
#[derive(clap::Parser)]
pub(super) struct Exec {
    /// JSON file of a process as in config.json; the flags that describe one are then passed over
    #[arg(short, long, value_name = "FILE")]
    process: Option<PathBuf>,
    /// Return once it has started
    #[arg(short, long)]
    detach: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    #[command(flatten)]
    handles: Handles,
    /// Working directory [default: that of the container's process]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Variable to add to the environment; may be repeated
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// User and group to run as [default: those of the container's process]
    #[arg(short, long, value_name = "UID[:GID]", value_parser = user)]
    user: Option<(u32, Option<u32>)>,
    /// Group to be a member of; may be repeated
    #[arg(short = 'g', long, value_name = "GID")]
    additional_gids: Vec<u32>,
    /// Capability to add; may be repeated
    #[arg(short, long, value_name = "CAP")]
    cap: Vec<String>,
    /// Never gain privileges by execve
    #[arg(long)]
    no_new_privs: bool,
    /// AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    apparmor: Option<String>,
    /// SELinux label
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// With the policy of the container's process; without it, as SCHED_OTHER unless --process says otherwise
    #[arg(long)]
    sched: bool,
    /// cgroup below the container's to run in
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    cgroup: String,
    /// Also in a paused container; it then waits for the resume
    #[arg(long)]
    ignore_paused: bool,
    /// Accepted: the process is our own child
    #[arg(long)]
    no_subreaper: bool,
    /// Name of the container
    id: String,
    /// The command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    args: Vec<String>,
}

impl Command for Exec {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let target = Target::find(&globals.store(), &self.id, self.ignore_paused)?;
        let mut process = match &self.process {
            Some(file) => {
                let mut process = load_process(file)?;
                // containerd and conmon say it in the file, people on the command line
                process.terminal |= self.tty;
                process
            }
            None => self.on_top_of(target.process()),
        };
        if self.sched && process.scheduler.is_none() {
            process.scheduler = target.scheduler().cloned();
        }
        let options = ExecOptions {
            detach: self.detach,
            console_socket: self.handles.console_socket,
            pid_file: self.handles.pid_file,
            pidfd_socket: self.handles.pidfd_socket,
            preserve_fds: self.handles.preserve_fds,
            cgroup: self.cgroup,
        };
        Ok(exit_code(crate::launch::exec(target, process, &options, &mut globals.warn())?))
    }
}

impl Exec {
    /// The container's own process with what the flags change.
    fn on_top_of(&self, own: Option<&Process>) -> Process {
        let mut process = own.cloned().unwrap_or_default();
        process.args.clone_from(&self.args);
        // A second process of the same priority would compete with the first: --sched asks for it.
        process.scheduler = None;
        process.terminal = self.tty;
        process.env.extend(self.env.iter().cloned());
        process.no_new_privileges |= self.no_new_privs;
        if let Some(cwd) = &self.cwd {
            process.cwd.clone_from(cwd);
        }
        if process.cwd.as_os_str().is_empty() {
            process.cwd = "/".into();
        }
        if let Some((uid, gid)) = self.user {
            process.user.uid = uid;
            process.user.gid = gid.unwrap_or(process.user.gid);
        }
        process.user.additional_gids.extend(&self.additional_gids);
        if self.apparmor.is_some() {
            process.apparmor_profile.clone_from(&self.apparmor);
        }
        if self.process_label.is_some() {
            process.selinux_label.clone_from(&self.process_label);
        }
        self.add_capabilities(&mut process);
        process
    }

    /// Into the sets by which the process has them; into the ambient one too where that is how an ordinary user keeps
    /// them through execve, which needs the inheritable.
    fn add_capabilities(&self, process: &mut Process) {
        if self.cap.is_empty() {
            return;
        }
        let ordinary = process.user.uid != 0;
        let Capabilities { bounding, effective, inheritable, permitted, ambient } =
            process.capabilities.get_or_insert_default();
        for set in [bounding, effective, permitted] {
            set.extend(self.cap.iter().map(|name| full_name(name)));
        }
        if ordinary {
            for set in [inheritable, ambient] {
                set.extend(self.cap.iter().map(|name| full_name(name)));
            }
        }
    }
}

/// `net_raw` and `CAP_NET_RAW` are the same.
fn full_name(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

/// Numbers: names are the caller's business, who knows whose passwd to believe.
fn user(text: &str) -> Result<(u32, Option<u32>), String> {
    let number = |part: &str| part.parse::<u32>().map_err(|_| format!("{text:?} is no UID or UID:GID of numbers"));
    match text.split_once(':') {
        Some((uid, gid)) => Ok((number(uid)?, Some(number(gid)?))),
        None => Ok((number(text)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parsed(line: &str) -> Exec {
        Exec::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn what_callers_pass() {
        let containerd = parsed("exec --process /p --console-socket /s --pidfd-socket /f --detach --pid-file /i c");
        assert!(containerd.detach && containerd.process == Some("/p".into()) && containerd.args.is_empty());
        let conmon = parsed("exec --pid-file /i --process /p --detach --preserve-fds 2 c");
        assert_eq!((conmon.handles.preserve_fds, conmon.id.as_str()), (2, "c"));
        assert_eq!(parsed("exec --process=/p c").process, Some("/p".into()));
    }

    #[test]
    fn the_commands_dashes_are_its_own() {
        assert_eq!(parsed("exec -t c ls -l --all").args, ["ls", "-l", "--all"]);
        assert_eq!(parsed("exec c -- ls -l").args, ["ls", "-l"]);
        assert_eq!(parsed("exec -- c ls -t").args, ["ls", "-t"]);
        assert_eq!(parsed("exec c sh -- x").args, ["sh", "--", "x"]);
        assert!(!parsed("exec c sh -t -d").tty);
    }

    #[test]
    fn users_are_numbers() {
        let exec = parsed("exec -u 1000:100 -e A=1 -e B=2 -c net_raw -g 5 c true");
        assert_eq!(exec.user, Some((1000, Some(100))));
        assert_eq!((exec.env.len(), exec.additional_gids.as_slice()), (2, &[5][..]));
        assert_eq!(full_name("net_raw"), "CAP_NET_RAW");
        assert!(Exec::try_parse_from(["exec", "-u", "root", "c", "true"]).is_err());
    }
}
