//! Options to config.json: OCI's fields first, annotations for what they lack.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{
    LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, LinuxSchedulerPolicy, Mount, MountBuilder, Scheduler,
    Spec,
};
use rtrun_hooks::annotation::{DEFAULT_PRIORITY, Policy};

use super::Decided;
use crate::app::App;
use crate::cli::{Deadline, LaunchOptions, Network};
use crate::error::{Error, Result};
use crate::fleet::{METRICS, SHARED};

/// What every agent's configuration begins with.
const TEMPLATE: &str = include_str!("../../../templates/agent/config.json");

/// The whole configuration.
///
/// # Errors
/// An option that contradicts another or has no meaning.
pub fn spec(app: &App, options: &LaunchOptions, decided: &Decided) -> Result<Spec> {
    let mut spec: Spec = serde_json::from_str(TEMPLATE)
        .map_err(|error| Error::Malformed { path: "templates/agent/config.json".into(), problem: error.to_string() })?;
    spec.set_hostname(Some(decided.name.clone()));
    process(&mut spec, app, options)?;
    resources(&mut spec, options, decided);
    network(&mut spec, options, decided);
    if let Some(rootfs) = &app.rootfs {
        let mut root = spec.root().clone().unwrap_or_default();
        root.set_path(rootfs.clone());
        spec.set_root(Some(root));
    }
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    mounts.push(shared(&decided.shared)?);
    mounts.extend(app.bound.iter().map(|(from, to)| bound(from, to)).collect::<Result<Vec<_>>>()?);
    spec.set_mounts(Some(mounts));
    spec.set_annotations(Some(options.annotations()?.into_iter().collect()));
    Ok(spec)
}

fn process(spec: &mut Spec, app: &App, options: &LaunchOptions) -> Result<()> {
    let mut process = spec.process().clone().unwrap_or_default();
    let params = options.params()?;
    let mut args = app.args.clone();
    args.extend(if params.is_empty() { app.default_params.clone() } else { params.clone() });
    let mut env = process.env().clone().unwrap_or_default();
    env.extend(app.env.iter().cloned());
    env.push(format!("RTRUN_PARAM_METRICS={}", Path::new(SHARED).join(METRICS).display()));
    env.extend(params.iter().filter_map(|word| variable(word)));
    for given in &options.env {
        env.push(match given.split_once('=') {
            Some(_) => given.clone(),
            None => format!("{given}={}", std::env::var(given).map_err(|_| not_set(given))?),
        });
    }
    if let Some(cwd) = &app.cwd {
        process.set_cwd(cwd.clone());
    }
    if let Some((uid, gid)) = app.user {
        let mut user = process.user().clone();
        user.set_uid(uid);
        user.set_gid(gid);
        process.set_user(user);
    }
    process.set_args(Some(args));
    process.set_env(Some(env));
    process.set_scheduler(scheduler(options)?);
    spec.set_process(Some(process));
    Ok(())
}

fn not_set(name: &str) -> Error {
    Error::Option {
        option: "env",
        value: name.to_owned(),
        problem: "is not set here; NAME=VALUE gives a value".to_owned(),
    }
}

/// `board=4x4` as `RTRUN_PARAM_BOARD=4x4`; letters and digits stay, all else is an underscore.
fn variable(word: &str) -> Option<String> {
    let (key, value) = word.trim_start_matches('-').split_once('=')?;
    let key: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    (!key.is_empty()).then(|| format!("RTRUN_PARAM_{key}={value}"))
}

fn scheduler(options: &LaunchOptions) -> Result<Option<Scheduler>> {
    let policy = match (options.sched, &options.deadline) {
        (None, Some(_)) => Some(Policy::Deadline),
        (policy, _) => policy,
    };
    let needs = |option, needs| Err(Error::Needs { option, needs });
    let Some(policy) = policy else {
        return if options.prio.is_some() { needs("prio", "--sched SCHED_FIFO or SCHED_RR") } else { Ok(None) };
    };
    if options.prio.is_some() && !policy.has_priority() {
        return needs("prio", "--sched SCHED_FIFO or SCHED_RR");
    }
    if (policy == Policy::Deadline) != options.deadline.is_some() {
        return match policy {
            Policy::Deadline => needs("sched SCHED_DEADLINE", "--deadline RUNTIME/DEADLINE/PERIOD"),
            _ => needs("deadline", "--sched SCHED_DEADLINE, or none"),
        };
    }
    let mut scheduler = Scheduler::default();
    scheduler.set_policy(match policy {
        Policy::Other => LinuxSchedulerPolicy::SchedOther,
        Policy::Fifo => LinuxSchedulerPolicy::SchedFifo,
        Policy::Rr => LinuxSchedulerPolicy::SchedRr,
        Policy::Batch => LinuxSchedulerPolicy::SchedBatch,
        Policy::Idle => LinuxSchedulerPolicy::SchedIdle,
        Policy::Deadline => LinuxSchedulerPolicy::SchedDeadline,
    });
    if policy.has_priority() {
        scheduler.set_priority(Some(options.prio.unwrap_or(DEFAULT_PRIORITY) as i32));
    }
    if let Some(Deadline { runtime, deadline, period }) = options.deadline {
        let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).ok();
        scheduler.set_runtime(nanos(runtime));
        scheduler.set_deadline(nanos(deadline));
        scheduler.set_period(nanos(period));
    }
    Ok(Some(scheduler))
}

fn resources(spec: &mut Spec, options: &LaunchOptions, decided: &Decided) {
    let Some(linux) = spec.linux_mut() else { return };
    linux.set_cgroups_path(Some(Path::new("/rt-container-cli").join(&decided.name)));
    let Some(resources) = linux.resources_mut() else { return };
    if let Some(cpus) = &decided.cpus {
        let mut cpu = resources.cpu().clone().unwrap_or_default();
        cpu.set_cpus(Some(cpus.to_string()));
        resources.set_cpu(Some(cpu));
    }
    if let Some(limit) = options.mem {
        let mut memory = resources.memory().unwrap_or_default();
        memory.set_limit(i64::try_from(limit).ok());
        resources.set_memory(Some(memory));
    }
}

fn network(spec: &mut Spec, options: &LaunchOptions, decided: &Decided) {
    let namespace = |path: Option<&PathBuf>| -> Option<LinuxNamespace> {
        let mut builder = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Network);
        if let Some(path) = path {
            builder = builder.path(path);
        }
        builder.build().ok()
    };
    let wanted = match options.net {
        Network::Host => None,
        Network::None => namespace(None),
        Network::Namespace(_) | Network::Bridge { .. } => namespace(decided.netns.as_ref()),
    };
    if let (Some(linux), Some(namespace)) = (spec.linux_mut(), wanted) {
        let mut namespaces = linux.namespaces().clone().unwrap_or_default();
        namespaces.push(namespace);
        linux.set_namespaces(Some(namespaces));
    }
}

/// The one folder that an agent may write to and that outlives it: its metrics are there.
fn shared(from: &Path) -> Result<Mount> {
    let options = ["bind", "rw", "nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
    Ok(MountBuilder::default().destination(SHARED).source(from).typ("bind").options(options).build()?)
}

fn bound(from: &Path, to: &Path) -> Result<Mount> {
    let options = ["bind", "ro", "nosuid", "nodev"].map(str::to_owned).to_vec();
    Ok(MountBuilder::default().destination(to).source(from).typ("bind").options(options).build()?)
}
