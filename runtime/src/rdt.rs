//! The container's group in resctrl (`config-linux.md`, IntelRdt; `Documentation/filesystems/resctrl.rst`).

use crate::spec::IntelRdt;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Why the container can't have its class of service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is wrong.
    #[error("linux.intelRdt.{field}: {problem}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// There is no resctrl.
    #[error(
        "linux.intelRdt: no resctrl filesystem is mounted: mount -t resctrl resctrl /sys/fs/resctrl (needs a CPU with RDT)"
    )]
    NotMounted,
    /// A class of service without schemata must be there already.
    #[error("linux.intelRdt.closID: {0} doesn't exist, and no schemata say how to make it")]
    NoGroup(PathBuf),
    /// A class of service that is there has other schemata.
    #[error("linux.intelRdt: {path} has not the line {wanted:?}; it has: {found}")]
    Differs {
        /// The schemata file.
        path: PathBuf,
        /// What the configuration says.
        wanted: String,
        /// What is in force.
        found: String,
    },
    /// A step on a file of resctrl failed.
    #[error("linux.intelRdt: {step} {path}: {source}{status}")]
    Step {
        /// What was tried.
        step: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
        /// `info/last_cmd_status`, resctrl's own words.
        status: String,
    },
}

/// The groups of a container; kept in its state, so that `delete` finds them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Where resctrl is mounted.
    root: PathBuf,
    /// The class of service's directory.
    clos: PathBuf,
    /// Lines for its `schemata`, in order.
    #[serde(skip)]
    schemata: Vec<String>,
    /// Whether `clos` is named by the configuration, and so may be shared and stays.
    named: bool,
    /// The monitoring group's directory.
    monitor: Option<PathBuf>,
}

impl Group {
    /// What will be made, for the container `id`; nothing is changed.
    ///
    /// # Errors
    /// [`Error::NotMounted`], [`Error::Field`], [`Error::NoGroup`].
    pub fn plan(rdt: &IntelRdt, id: &str) -> Result<Group, Error> {
        Group::plan_under(&mounted()?, rdt, id)
    }

    fn plan_under(root: &Path, rdt: &IntelRdt, id: &str) -> Result<Group, Error> {
        let clos = match rdt.clos_id.as_deref() {
            None => root.join(id),
            Some("/") => root.to_path_buf(),
            Some(name) => root.join(directory_name(name)?),
        };
        let schemata = lines(rdt)?;
        if rdt.clos_id.is_some() && schemata.is_empty() && !clos.is_dir() {
            return Err(Error::NoGroup(clos));
        }
        let monitor = rdt.enable_monitoring.then(|| clos.join("mon_groups").join(id));
        Ok(Group { root: root.to_path_buf(), clos, schemata, named: rdt.clos_id.is_some(), monitor })
    }

    /// Makes the directories and writes the schemata; compares them where the class of service is there already. What was
    /// made is undone on failure.
    ///
    /// # Errors
    /// [`Error::Differs`], [`Error::Step`].
    pub fn create(&self) -> Result<(), Error> {
        let made = match std::fs::create_dir(&self.clos) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(self.step("making", &self.clos, error)),
        };
        let result = self.fill(made);
        if result.is_err() && made {
            // The first error is the one to tell; a directory left behind shows up in resctrl itself.
            let _ = std::fs::remove_dir(&self.clos);
        }
        result
    }

    fn fill(&self, made: bool) -> Result<(), Error> {
        let path = self.clos.join("schemata");
        if made || !self.named {
            for line in &self.schemata {
                let written = std::fs::write(&path, format!("{line}\n"));
                written.map_err(|error| self.step("writing", &path, error))?;
            }
        } else if !self.schemata.is_empty() {
            let found = std::fs::read_to_string(&path).map_err(|error| self.step("reading", &path, error))?;
            if let Some(wanted) = self.schemata.iter().find(|line| !holds(&found, line)) {
                let (wanted, found) = (wanted.clone(), found.trim().replace('\n', ", "));
                return Err(Error::Differs { path, wanted, found });
            }
        }
        match &self.monitor {
            None => Ok(()),
            Some(monitor) => match std::fs::create_dir(monitor) {
                Err(error) => Err(self.step("making the monitoring group", monitor, error)),
                Ok(()) => Ok(()),
            },
        }
    }

    /// Puts a process, and its children to come, into the groups.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn add(&self, pid: Pid) -> Result<(), Error> {
        for directory in std::iter::once(&self.clos).chain(&self.monitor) {
            let path = directory.join("tasks");
            std::fs::write(&path, pid.to_string()).map_err(|error| self.step("adding a task to", &path, error))?;
        }
        Ok(())
    }

    /// Changes one line of the class of service's schemata.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn update(&self, line: &str) -> Result<(), Error> {
        let path = self.clos.join("schemata");
        std::fs::write(&path, format!("{line}\n")).map_err(|error| self.step("writing", &path, error))
    }

    /// Removes what is the container's own: the monitoring group, and the class of service unless the configuration names
    /// it. Already gone is fine.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn remove(&self) -> Result<(), Error> {
        let own = (!self.named).then_some(&self.clos);
        for directory in self.monitor.iter().chain(own) {
            match std::fs::remove_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.step("removing", directory, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn step(&self, step: &'static str, path: &Path, source: io::Error) -> Error {
        let status = std::fs::read_to_string(self.root.join("info/last_cmd_status")).unwrap_or_default();
        let status = match status.trim() {
            "" | "ok" => String::new(),
            words => format!(" ({words})"),
        };
        Error::Step { step, path: path.to_path_buf(), source, status }
    }
}

/// Where resctrl is mounted; its usual place is looked at first.
fn mounted() -> Result<PathBuf, Error> {
    let usual = Path::new("/sys/fs/resctrl");
    if usual.join("schemata").exists() {
        return Ok(usual.to_path_buf());
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut fields = mounts.lines().map(|line| line.split(' '));
    let found = fields.find_map(|mut line| {
        let (_, path, kind) = (line.next()?, line.next()?, line.next()?);
        (kind == "resctrl").then(|| PathBuf::from(path))
    });
    found.ok_or(Error::NotMounted)
}

fn directory_name(name: &str) -> Result<&str, Error> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\n']) {
        let problem = format!("{name:?} is not a plain directory name");
        return Err(Error::Field { field: "closID", problem });
    }
    Ok(name)
}

/// The lines for `schemata` in the order that the specification gives them.
fn lines(rdt: &IntelRdt) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for (field, prefix, value) in
        [("l3CacheSchema", "", &rdt.l3_cache_schema), ("memBwSchema", "MB:", &rdt.mem_bw_schema)]
    {
        let Some(value) = value.as_ref().filter(|value| !value.is_empty()) else { continue };
        // Old configurations put several L3 lines into the one string.
        if !value.starts_with(prefix) || prefix == "MB:" && value.contains('\n') {
            let problem = format!("{value:?} is not one line that starts with {prefix}");
            return Err(Error::Field { field, problem });
        }
        lines.extend(value.lines().map(str::to_owned));
    }
    for line in &rdt.schemata {
        if line.contains('\n') {
            return Err(Error::Field { field: "schemata", problem: format!("{line:?} is more than one line") });
        }
        lines.push(line.clone());
    }
    Ok(lines)
}

/// Whether each `id=value` of the wanted line is in the found text's line of the same resource.
fn holds(found: &str, wanted: &str) -> bool {
    let parts = |line: &str| {
        let (resource, domains) = line.split_once(':')?;
        let domains: Option<Vec<(u32, String)>> = domains
            .split(';')
            .map(|domain| {
                let (id, value) = domain.split_once('=')?;
                // The kernel pads figures: 007f is 7f.
                Some((id.trim().parse().ok()?, value.trim().trim_start_matches('0').to_ascii_lowercase()))
            })
            .collect();
        Some((resource.trim().to_owned(), domains?))
    };
    let Some((resource, domains)) = parts(wanted) else { return false };
    let Some((_, current)) = found.lines().filter_map(parts).find(|(other, _)| *other == resource) else {
        return false;
    };
    domains.iter().all(|domain| current.contains(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdt() -> IntelRdt {
        IntelRdt { clos_id: Some("gold".into()), schemata: vec!["L3:0=7f0;1=1f".into()], ..IntelRdt::default() }
    }

    fn root(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("rtrun-rdt-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("info")).unwrap();
        root
    }

    #[test]
    fn without_resctrl_the_field_is_named() {
        if Path::new("/sys/fs/resctrl/schemata").exists() {
            eprintln!("skip: this host has resctrl");
            return;
        }
        assert!(Group::plan(&rdt(), "c1").unwrap_err().to_string().starts_with("linux.intelRdt: no resctrl"));
    }

    #[test]
    fn a_group_that_is_there_must_have_the_schemata() {
        let root = root("differs");
        std::fs::create_dir(root.join("gold")).unwrap();
        std::fs::write(root.join("gold/schemata"), "    MB:0=100;1=100\n    L3:0=7f0;1=01f\n").unwrap();
        Group::plan_under(&root, &rdt(), "c1").unwrap().create().unwrap();
        let other = IntelRdt { schemata: vec!["L3:0=7ff".into()], ..rdt() };
        let error = Group::plan_under(&root, &other, "c1").unwrap().create().unwrap_err().to_string();
        assert!(error.contains("has not the line \"L3:0=7ff\""), "{error}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_named_group_stays_and_an_own_one_goes() {
        let root = root("stays");
        let own = Group::plan_under(&root, &IntelRdt::default(), "c1").unwrap();
        own.create().unwrap();
        own.remove().unwrap();
        assert!(!root.join("c1").exists());
        std::fs::create_dir(root.join("gold")).unwrap();
        let named = IntelRdt { schemata: Vec::new(), ..rdt() };
        let named = Group::plan_under(&root, &named, "c1").unwrap();
        named.create().unwrap();
        named.remove().unwrap();
        assert!(root.join("gold").exists());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn wrong_fields_are_named() {
        let root = root("fields");
        let wrong = [
            (IntelRdt { clos_id: Some("../up".into()), ..rdt() }, "linux.intelRdt.closID: \"../up\""),
            (IntelRdt { mem_bw_schema: Some("L3:0=1".into()), ..rdt() }, "linux.intelRdt.memBwSchema"),
            (IntelRdt { schemata: vec!["L3:0=1\nL2:0=1".into()], ..rdt() }, "linux.intelRdt.schemata"),
            (IntelRdt { clos_id: Some("none".into()), ..IntelRdt::default() }, "doesn't exist"),
        ];
        for (rdt, part) in wrong {
            let error = Group::plan_under(&root, &rdt, "c1").unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
