//! The folders of all agents.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use rtrun_hooks::{CpuSet, nearest};

use super::Agent;
use crate::app::App;
use crate::error::{Error, Result, errno};

/// Where they are.
#[derive(Clone, Debug)]
pub struct Store(PathBuf);

/// One agent's.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Longest name: that of a host (`HOST_NAME_MAX`), for the container is called so inside.
const LONGEST_NAME: usize = 63;

impl Store {
    /// The caller's.
    pub fn new() -> Store {
        let user = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !geteuid().is_root());
        Store(user.map_or_else(|| PathBuf::from("/run"), PathBuf::from).join("rt-container-cli"))
    }

    /// Takes a name: the one asked for, or the program's with the first number that makes it new. mkdir(2) decides.
    ///
    /// # Errors
    /// The name is taken or can't be one.
    pub fn take(&self, asked: Option<&str>, program: &Path) -> Result<(String, Folder)> {
        let failed =
            |path: &Path, error| Err(Error::File { step: "make", path: path.to_path_buf(), errno: errno(&error) });
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        if let Err(error) = builder.recursive(true).create(&self.0) {
            return failed(&self.0, error);
        }
        builder.recursive(false);
        let base = match asked {
            Some(name) => checked(name)?,
            None => derived(program),
        };
        for number in 1.. {
            let name = if number == 1 { base.clone() } else { format!("{base}-{number}") };
            let path = self.0.join(&name);
            match builder.create(&path) {
                Ok(()) => return Ok((name, Folder(path))),
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return failed(&path, error),
                Err(_) if asked.is_some() => return Err(Error::NameTaken(name)),
                Err(_) => {}
            }
        }
        Err(Error::NameTaken(base))
    }

    /// Where the files of fleets lie that the API runs: no agent's name begins with a dot.
    pub fn fleets(&self) -> PathBuf {
        self.0.join(".fleets")
    }

    /// An agent by name.
    ///
    /// # Errors
    /// There is none; the nearest is named.
    pub fn find(&self, name: &str) -> Result<(Folder, Agent)> {
        let folder = Folder(self.0.join(name));
        if !name.contains('/') && folder.0.join("agent.json").exists() {
            let agent = folder.load()?;
            return Ok((folder, agent));
        }
        let names: Vec<String> = self.all().into_iter().map(|(_, agent)| agent.name).collect();
        let known = match names.as_slice() {
            [] => "there are none".to_owned(),
            some => format!("the nearest is {}", nearest(name, some.iter().map(String::as_str))),
        };
        Err(Error::NoAgent { name: name.to_owned(), known })
    }

    /// Every agent that can be read, by name.
    pub fn all(&self) -> Vec<(Folder, Agent)> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut all: Vec<(Folder, Agent)> = entries
            .filter_map(|entry| {
                let folder = Folder(entry.path());
                folder.load().ok().map(|agent| (folder, agent))
            })
            .collect();
        all.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        all
    }

    /// CPUs of agents that run.
    pub fn taken_cpus(&self) -> CpuSet {
        let running = self.all().into_iter().filter(|(_, agent)| agent.is_running());
        running.filter_map(|(_, agent)| agent.cpus).fold(CpuSet::default(), |all, cpus| all.or(&cpus))
    }
}

impl Folder {
    /// A folder that is there.
    pub fn at(path: &Path) -> Folder {
        Folder(path.to_path_buf())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The bundle's folder.
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// The folder that the program may write to.
    pub fn shared(&self) -> PathBuf {
        self.0.join("shared")
    }

    /// What the program prints, when detached.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Reads agent.json.
    ///
    /// # Errors
    /// Missing or malformed.
    pub fn load(&self) -> Result<Agent> {
        let path = self.0.join("agent.json");
        let text = fs::read(&path).map_err(Error::file("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| Error::Malformed { path, problem: error.to_string() })
    }

    /// Writes agent.json whole and renames it: a reader never sees half.
    ///
    /// # Errors
    /// A full or read-only file system.
    pub fn save(&self, agent: &Agent) -> Result<()> {
        let (path, new) = (self.0.join("agent.json"), self.0.join("agent.json.new"));
        let text = serde_json::to_vec_pretty(agent)
            .map_err(|error| Error::Malformed { path: path.clone(), problem: error.to_string() })?;
        fs::write(&new, text).map_err(Error::file("write", &new))?;
        fs::rename(&new, &path).map_err(Error::file("rename to", &path))
    }

    /// Removes the folder and all in it.
    ///
    /// # Errors
    /// What can't be removed.
    pub fn remove(&self) -> Result<()> {
        fs::remove_dir_all(&self.0).map_err(Error::file("remove", &self.0))
    }
}

/// A name, if it can be one.
///
/// # Errors
/// What a name is.
pub fn checked(name: &str) -> Result<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(legal) && !name.starts_with(['.', '-']) {
        return Ok(name.to_owned());
    }
    Err(Error::Option {
        option: "name",
        value: name.to_owned(),
        problem: format!("1 to {LONGEST_NAME} letters, digits, - _ and ., not beginning with - or ."),
    })
}

fn derived(program: &Path) -> String {
    let stem = App::stem(program);
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(40).collect();
    let name = name.trim_start_matches('-');
    if name.is_empty() { "agent".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> Store {
        let path = std::env::temp_dir().join(format!("rt-container-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Store(path)
    }

    #[test]
    fn a_derived_name_gets_a_number_and_an_asked_one_is_refused_when_taken() {
        let store = store("names");
        let program = Path::new("/x/gol-agent");
        assert_eq!(store.take(None, program).unwrap().0, "gol-agent");
        assert_eq!(store.take(None, program).unwrap().0, "gol-agent-2");
        assert!(matches!(store.take(Some("gol-agent"), program), Err(Error::NameTaken(_))));
        for name in ["", "../x", "a/b", ".hidden", "-x", "ä"] {
            assert!(store.take(Some(name), program).is_err(), "{name}");
        }
        fs::remove_dir_all(store.0).unwrap();
    }

    #[test]
    fn no_path_is_a_name() {
        assert!(store("paths").find("../../etc").is_err());
    }
}
