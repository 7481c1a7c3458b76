use super::{Command, Error, Globals};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// Write a config.json to start from; an existing one is left alone
#[derive(clap::Parser)]
pub(super) struct Spec {
    /// The folder to write it to
    #[arg(short, long, default_value = ".")]
    bundle: PathBuf,
    /// For a caller who is not root
    #[arg(long)]
    rootless: bool,
}

impl Command for Spec {
    fn run(self, _: &Globals) -> Result<u8, Error> {
        let v2 = is_cgroup_v2();
        let spec = if self.rootless {
            crate::spec::rootless(v2, nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw())
        } else {
            crate::spec::default(v2)
        };
        let mut json = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        spec.serialize(&mut serde_json::Serializer::with_formatter(&mut json, tabs))?;
        json.push(b'\n');
        let path = self.bundle.join("config.json");
        let written =
            OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(&json));
        written.map(|()| 0).map_err(|source| Error::File { action: "creating", path, source })
    }
}

/// Whether `/sys/fs/cgroup` is the unified hierarchy.
fn is_cgroup_v2() -> bool {
    nix::sys::statfs::statfs("/sys/fs/cgroup")
        .is_ok_and(|stat| stat.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC)
}
