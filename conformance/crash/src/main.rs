//! `rtrun-crash --runtime PATH`: what a runtime leaves when it is killed, starved or attacked.
//!
//! Runs as root. Prints a line a case and the sums at the end; exits with 1 if a case failed.

mod attack;
mod call;
mod fault;
mod hostile;
mod leftovers;
mod outcome;
mod race;
mod sandbox;
mod scarce;
mod trace;
mod walk;

use attack::{binary, confinement, descriptors, files, state};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use outcome::{Check, Stop};
use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What every case is given.
#[derive(Debug)]
pub struct Context {
    /// The runtime's binary, absolute.
    pub runtime: PathBuf,
    /// Which of the system calls modulo the stride are killed at.
    pub seed: usize,
    /// How long each walk may take.
    pub patience: Duration,
    /// Where the table of faults goes.
    pub table: Option<PathBuf>,
    /// What the faults were answered with, for `--table`.
    pub rows: RefCell<Vec<fault::matrix::Row>>,
}

type Case = (&'static str, fn(&Context) -> Check);

const CASES: &[Case] = &[
    ("killed-in-create", walk::create),
    ("killed-in-start", walk::start),
    ("killed-in-exec", walk::exec),
    ("killed-in-delete", walk::delete),
    ("killed-in-run", walk::run),
    ("killed-in-update", walk::update),
    ("killed-in-pause", walk::pause),
    ("killed-in-resume", walk::resume),
    ("killed-in-a-hook", walk::hook),
    ("killed-while-paused", walk::paused),
    ("races-on-one-id", race::same_id),
    ("no-space", scarce::no_space),
    ("no-inodes", scarce::no_inodes),
    ("read-only-root", scarce::read_only),
    ("no-descriptors", scarce::no_descriptors),
    ("no-tasks", scarce::no_tasks),
    ("cgroup-removed", hostile::cgroup_removed),
    ("many-mounts", hostile::many_mounts),
    ("reboot", hostile::reboot),
    ("no-memory", hostile::no_memory),
    ("cve-2019-5736-binary-is-not-overwritten", binary::overwrite),
    ("cve-2024-21626-cwd-of-create", descriptors::cwd_of_create),
    ("cve-2024-21626-cwd-of-exec", descriptors::cwd_of_exec),
    ("cve-2024-21626-inherited-descriptors", descriptors::inherited),
    ("passwd-is-read", files::passwd_is_read),
    ("passwd-is-a-fifo", files::passwd_is_a_fifo),
    ("passwd-is-endless", files::passwd_is_endless),
    ("passwd-is-a-device", files::passwd_is_a_device),
    ("covered-proc", files::covered_proc),
    ("devices-of-exec", confinement::devices),
    ("privileges-of-exec", confinement::privileges),
    ("illegal-ids", state::illegal_ids),
    ("permissions", state::permissions),
];

const USAGE: &str = "usage: rtrun-crash --runtime PATH [--seed N] [--seconds N] [--table FILE] [CASE…]
  --seed N      walk over other system calls (default 0)
  --seconds N   time for each walk and each command's faults (default 6)
  --table FILE  also write what each fault was answered with";

fn main() -> ExitCode {
    let (context, only) = match arguments() {
        Ok(parsed) => parsed,
        Err(text) => {
            eprintln!("rtrun-crash: {text}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(text) = isolate() {
        eprintln!("rtrun-crash: {text}; it needs root");
        return ExitCode::from(2);
    }
    let chosen = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part));
    let mut sums = Sums::default();
    for (name, case) in CASES.iter().filter(|(name, _)| chosen(name)) {
        sums.add(name, case(&context));
    }
    for deed in &fault::DEEDS {
        let (once, lasting) = (format!("faults-in-{}", deed.name), format!("lasting-faults-in-{}", deed.name));
        if chosen(&once) {
            sums.add(&once, fault::matrix::once(&context, deed));
        }
        if chosen(&lasting) {
            sums.add(&lasting, fault::matrix::lasting(&context, deed));
        }
    }
    leftovers::remove_cgroups();
    if let Some(path) = &context.table {
        if let Err(error) = std::fs::write(path, fault::table::markdown(&context.rows.borrow())) {
            eprintln!("rtrun-crash: --table {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    println!("{} passed, {} failed, {} skipped", sums.passed, sums.failed, sums.skipped);
    ExitCode::from(u8::from(sums.failed > 0))
}

/// How many cases ended how.
#[derive(Default)]
struct Sums {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Sums {
    fn add(&mut self, name: &str, outcome: Check) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok {name}");
            }
            Err(Stop::Skipped(reason)) => {
                self.skipped += 1;
                println!("ok {name} # skip {reason}");
            }
            Err(Stop::Failed(text)) => {
                self.failed += 1;
                println!("not ok {name}\n#   {text}");
            }
        }
    }
}

fn arguments() -> Result<(Context, Vec<String>), String> {
    let mut context = Context {
        runtime: PathBuf::new(),
        seed: 0,
        table: None,
        patience: Duration::from_secs(6),
        rows: RefCell::default(),
    };
    let mut only = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--runtime" => {
                let path = value()?;
                context.runtime = std::fs::canonicalize(&path).map_err(|error| format!("{path}: {error}"))?;
            }
            "--table" => context.table = Some(value()?.into()),
            "--seed" => context.seed = value()?.parse().map_err(|error| format!("--seed: {error}"))?,
            "--seconds" => {
                let seconds = value()?.parse().map_err(|error| format!("--seconds: {error}"))?;
                context.patience = Duration::from_secs(seconds);
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            _ => only.push(word),
        }
    }
    if context.runtime.as_os_str().is_empty() { Err("no --runtime".into()) } else { Ok((context, only)) }
}

/// Mounts that go with this program, and orphans that come to it.
fn isolate() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("unshare: {errno}"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|errno| format!("mounts as slaves: {errno}"))?;
    nix::sys::prctl::set_child_subreaper(true).map_err(|errno| format!("PR_SET_CHILD_SUBREAPER: {errno}"))
}
