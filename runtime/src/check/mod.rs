//! Is this host ready for real-time containers, or for one that asks for this and that? Item by item: what was found, why it
//! matters, and the command that mends it.

mod cgroup;
mod clock;
mod cpus;
mod devices;
mod irq;
mod kernel;
mod kubernetes;
mod memory;
mod process;
mod scheduler;
#[cfg(test)]
mod tests;
mod wanted;

pub use wanted::Wanted;

use crate::host::cgroup::Cgroups;
use crate::host::cpu::Cpus;
use crate::host::kernel::Kernel;
use crate::host::sched::Limits;
use crate::host::{Error, Host};
use crate::sched::CpuSet;
use serde::Serialize;

/// What the host is checked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A machine that runs real-time containers, by whatever tool.
    #[default]
    Node,
    /// A node of a Kubernetes cluster: what kubelet and the CRI runtime need for it as well.
    Kubernetes,
}

/// How an item came out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// This machine doesn't tell, or it doesn't apply.
    Unknown,
    /// It works, and costs latency or safety.
    Warn,
    /// What is asked for can't work, or no latency can be promised.
    Fail,
}

/// One item, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Its name.
    pub id: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// A command, or a sentence where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What a check found, before it is an item.
struct Outcome {
    verdict: Verdict,
    found: String,
    remedy: Option<String>,
}

fn ok(found: impl Into<String>) -> Outcome {
    Outcome { verdict: Verdict::Ok, found: found.into(), remedy: None }
}

fn unknown(found: impl Into<String>) -> Outcome {
    Outcome { verdict: Verdict::Unknown, found: found.into(), remedy: None }
}

fn warn(found: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome { verdict: Verdict::Warn, found: found.into(), remedy: Some(remedy.into()) }
}

fn fail(found: impl Into<String>, remedy: impl Into<String>) -> Outcome {
    Outcome { verdict: Verdict::Fail, ..warn(found, remedy) }
}

/// What the checks look at, read once.
struct Context<'a> {
    host: &'a Host,
    wanted: &'a Wanted,
    kernel: Kernel,
    cpus: Cpus,
    cgroups: Cgroups,
    limits: Limits,
}

impl Context<'_> {
    /// The CPUs that must be quiet: those asked for, or those set aside at boot; none if there are neither.
    fn quiet(&self) -> CpuSet {
        self.wanted.cpus.clone().unwrap_or_else(|| self.cpus.set_aside())
    }

    /// The CPUs whose clocking and sleeping count: the quiet ones, or else all.
    fn timed(&self) -> CpuSet {
        let quiet = self.quiet().and(&self.cpus.online);
        if quiet.is_empty() { self.cpus.online.clone() } else { quiet }
    }

    /// CPUs that could be set aside: all cores but the first.
    fn proposal(&self) -> Result<CpuSet, Error> {
        if let Some(cpus) = &self.wanted.cpus {
            return Ok(cpus.clone());
        }
        let first = self.cpus.online.iter().next().unwrap_or(0);
        let rest = self.cpus.online.without(&self.cpus.siblings(self.host, first)?);
        Ok(if rest.is_empty() { self.cpus.online.iter().skip(1).collect() } else { rest })
    }

    /// How a parameter is added to the kernel's command line here.
    fn boot(&self, parameter: &str) -> String {
        let edit = |file: &str| format!("sed -i 's|$| {parameter}|' {file} && reboot");
        match () {
            () if self.host.has("/usr/sbin/grubby") => {
                format!("grubby --update-kernel=ALL --args='{parameter}' && reboot")
            }
            () if self.host.has("/etc/default/grub") => {
                let file = "/etc/default/grub";
                format!("sed -i 's|^GRUB_CMDLINE_LINUX=\"|&{parameter} |' {file} && update-grub && reboot")
            }
            () if self.host.has("/boot/firmware/cmdline.txt") => edit("/boot/firmware/cmdline.txt"),
            () if self.host.has("/etc/kernel/cmdline") => edit("/etc/kernel/cmdline"),
            () => format!("boot with {parameter} on the kernel's command line"),
        }
    }
}

/// An item's name, why it matters, and how it is checked; `None` where it doesn't concern what is wanted.
struct Check {
    id: &'static str,
    why: &'static str,
    run: fn(&Context) -> Result<Option<Outcome>, Error>,
}

const fn check(id: &'static str, run: fn(&Context) -> Result<Option<Outcome>, Error>, why: &'static str) -> Check {
    Check { id, why, run }
}

/// Checks the host for what is wanted. An item whose files can't be read is unknown, with the reason.
///
/// # Errors
/// Where not even the CPUs, the kernel and the cgroups can be looked at.
pub fn run(host: &Host, wanted: &Wanted, profile: Profile) -> Result<Vec<Item>, Error> {
    let cpus = Cpus::read(host)?;
    let context = Context {
        kernel: Kernel::read(host)?,
        cgroups: Cgroups::read(host)?,
        limits: Limits::read(host, &cpus.online)?,
        host,
        wanted,
        cpus,
    };
    let groups: [&[Check]; 9] = [
        kernel::CHECKS,
        cpus::CHECKS,
        irq::CHECKS,
        memory::CHECKS,
        scheduler::CHECKS,
        cgroup::CHECKS,
        process::CHECKS,
        clock::CHECKS,
        devices::CHECKS,
    ];
    let cluster = if profile == Profile::Kubernetes { kubernetes::CHECKS } else { &[] };
    let checks = groups.into_iter().flatten().chain(cluster);
    Ok(checks.filter_map(|check| one(check, &context)).collect())
}

fn one(Check { id, why, run }: &Check, context: &Context) -> Option<Item> {
    let outcome = run(context).unwrap_or_else(|error| Some(unknown(error.to_string())))?;
    let Outcome { verdict, found, remedy } = outcome;
    Some(Item { id, verdict, found, why, remedy })
}

/// `CPU 3`, `CPUs 2-5`.
fn named(cpus: &CpuSet) -> String {
    let word = if cpus.len() == 1 { "CPU" } else { "CPUs" };
    format!("{word} {cpus}")
}
