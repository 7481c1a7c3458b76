use super::{Command, Error, Globals, exit_code};
use crate::criu::{self, CheckpointOptions, RestoreOptions};
use std::path::PathBuf;

/// What `checkpoint` and `restore` share.
#[derive(clap::Args)]
struct Shared {
    /// Folder of criu's images
    #[arg(long, value_name = "DIR", default_value = "checkpoint")]
    image_path: PathBuf,
    /// Folder of criu's logs and statistics [default: that of the images]
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// Keep open TCP connections
    #[arg(long)]
    tcp_established: bool,
    /// Close TCP connections
    #[arg(long)]
    tcp_close: bool,
    /// Allow Unix sockets that are connected to the outside
    #[arg(long)]
    ext_unix_sk: bool,
    /// Allow a shell's job
    #[arg(long)]
    shell_job: bool,
    /// Keep file locks
    #[arg(long)]
    file_locks: bool,
    /// Fetch memory pages when they are used
    #[arg(long)]
    lazy_pages: bool,
    /// Drop memory pages from images where newer ones have them
    #[arg(long)]
    auto_dedup: bool,
    /// soft, full, strict or ignore
    #[arg(long, value_name = "MODE")]
    manage_cgroups_mode: Option<String>,
    /// Namespace that is made and not filled; may be repeated
    #[arg(long, value_name = "NAMESPACE")]
    empty_ns: Vec<String>,
}

impl Shared {
    fn switches(&self) -> Vec<&'static str> {
        let all = [
            (self.tcp_established, "--tcp-established"),
            (self.tcp_close, "--tcp-close"),
            (self.ext_unix_sk, "--ext-unix-sk"),
            (self.shell_job, "--shell-job"),
            (self.file_locks, "--file-locks"),
            (self.lazy_pages, "--lazy-pages"),
            (self.auto_dedup, "--auto-dedup"),
        ];
        all.into_iter().filter_map(|(given, switch)| given.then_some(switch)).collect()
    }
}

/// Write a container's processes to files, with CRIU
#[derive(clap::Parser)]
pub(super) struct Checkpoint {
    #[command(flatten)]
    shared: Shared,
    /// Images of an earlier pre-dump
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Let the container run on
    #[arg(short = 'R', long)]
    leave_running: bool,
    /// Dump the memory only, and let the container run on
    #[arg(short = 'P', long)]
    pre_dump: bool,
    /// Pass over TCP connections that are not yet made
    #[arg(long)]
    tcp_skip_in_flight: bool,
    /// Give deleted files a name where possible
    #[arg(long)]
    link_remap: bool,
    /// Descriptor that gets a NUL once lazy pages may be fetched
    #[arg(long, value_name = "FD")]
    status_fd: Option<i32>,
    /// Page server that takes the memory
    #[arg(long, value_name = "ADDRESS:PORT")]
    page_server: Option<String>,
    /// Name of the container
    id: String,
}

impl Command for Checkpoint {
    /// podman takes a help that exits with 0 for the ability to checkpoint.
    fn before_help(globals: &Globals) -> Result<(), Error> {
        criu::usable(globals.criu.as_deref())?;
        Ok(())
    }

    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let mut switches = self.shared.switches();
        switches.extend(self.tcp_skip_in_flight.then_some("--skip-in-flight"));
        switches.extend(self.link_remap.then_some("--link-remap"));
        let options = CheckpointOptions {
            criu: globals.criu.clone(),
            images: self.shared.image_path,
            work: self.shared.work_path,
            parent: self.parent_path,
            leave_running: self.leave_running,
            pre_dump: self.pre_dump,
            page_server: self.page_server,
            status_fd: self.status_fd,
            manage_cgroups: self.shared.manage_cgroups_mode,
            empty_namespaces: self.shared.empty_ns,
            switches,
        };
        criu::checkpoint(&globals.store(), &self.id, &options, &mut globals.warn())?;
        Ok(0)
    }
}

/// Make a container from a checkpoint, with CRIU
#[derive(clap::Parser)]
pub(super) struct Restore {
    #[command(flatten)]
    shared: Shared,
    /// The bundle's folder
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// Return once it runs
    #[arg(short, long)]
    detach: bool,
    /// File to write the process's ID to
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Refused: criu hands a terminal over by its RPC alone, which is not used
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// LSM profile, as apparmor:NAME or selinux:LABEL
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// SELinux context of the mounts
    #[arg(long, value_name = "CONTEXT")]
    lsm_mount_context: Option<String>,
    /// Accepted: a restore in the foreground is a subreaper, others are not
    #[arg(long)]
    no_subreaper: bool,
    /// Accepted: criu pivots as it finds fit
    #[arg(long)]
    no_pivot: bool,
    /// Name of the new container
    id: String,
}

impl Command for Restore {
    fn before_help(globals: &Globals) -> Result<(), Error> {
        Checkpoint::before_help(globals)
    }

    fn run(self, globals: &Globals) -> Result<u8, Error> {
        if self.console_socket.is_some() {
            let why = "criu hands a terminal over by its RPC alone, which is not used";
            return Err(criu::Error::Unsupported { field: "--console-socket", why }.into());
        }
        let mut criu_options: Vec<String> = self.shared.switches().into_iter().map(String::from).collect();
        let values = [("--lsm-profile", self.lsm_profile), ("--lsm-mount-context", self.lsm_mount_context)];
        criu_options.extend(values.into_iter().flat_map(|(name, value)| value.map(|v| [name.into(), v])).flatten());
        for namespace in &self.shared.empty_ns {
            let name = if namespace == "network" { "net" } else { namespace };
            criu_options.extend(["--empty-ns".into(), name.into()]);
        }
        let options = RestoreOptions {
            criu: globals.criu.clone(),
            bundle: self.bundle,
            images: self.shared.image_path,
            work: self.shared.work_path,
            pid_file: self.pid_file,
            detach: self.detach,
            manager: globals.manager,
            rootless: globals.is_rootless(),
            manage_cgroups: self.shared.manage_cgroups_mode,
            criu_options,
        };
        Ok(exit_code(criu::restore(&globals.store(), &self.id, &options, &mut globals.warn())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn what_callers_pass() {
        let line = "checkpoint --image-path /i --work-path /w --parent-path ../p --tcp-established --ext-unix-sk \
                    --shell-job --file-locks --empty-ns network --leave-running --lazy-pages --status-fd 3 \
                    --page-server 10.0.0.1:27 c";
        let checkpoint = Checkpoint::try_parse_from(line.split_ascii_whitespace()).unwrap();
        assert!(checkpoint.leave_running && checkpoint.status_fd == Some(3));
        assert_eq!(checkpoint.shared.switches().len(), 5);
        let line = "restore --bundle /b --pid-file /p --detach --image-path /i --work-path /b --tcp-close \
                    --lsm-profile=apparmor:x --lsm-mount-context=c --no-subreaper c";
        let restore = Restore::try_parse_from(line.split_ascii_whitespace()).unwrap();
        assert!(restore.detach && restore.lsm_profile == Some("apparmor:x".into()));
    }
}
