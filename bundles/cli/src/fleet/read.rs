//! The file: TOML, every key known, every value checked before anything is started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rtrun_hooks::{annotation, nearest};
use serde::Deserialize;
use toml::Value;

use super::{Fleet, Health, Member, order, start::Start};
use crate::cli::{LaunchOptions, Reader, Table, texts};
use crate::error::{Error, Result};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    start: Option<String>,
    #[serde(default)]
    defaults: Table,
    #[serde(default)]
    agent: Vec<Table>,
}

/// Keys of an agent that are no options of `run`, and options that a fleet decides itself.
const READER: Reader = Reader {
    who: "the fleet's",
    own: &["name", "after", "health", "image"],
    decided: &["detach", "rm", "dry-run", "write-bundle"],
};
/// How often health is looked at, where the file does not say.
const EVERY: Duration = Duration::from_secs(1);

/// Reads a fleet file; paths in it are relative to its folder.
///
/// # Errors
/// What is wrong with it, with the agent and the key.
pub fn fleet(path: &Path) -> Result<Fleet> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    parse(&text, path)
}

/// The text of a fleet file; `path` is where it lies, or would.
///
/// # Errors
/// As [`fleet`].
pub fn parse(text: &str, path: &Path) -> Result<Fleet> {
    let malformed = |problem: String| Error::Malformed { path: path.to_path_buf(), problem };
    let file: File = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    if file.agent.is_empty() {
        return Err(malformed("no [[agent]] in it".to_owned()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut members: Vec<Member> = Vec::new();
    for (index, table) in file.agent.iter().enumerate() {
        let mut whole = file.defaults.clone();
        whole.extend(table.clone());
        let member = member(&whole, folder).map_err(|problem| malformed(format!("agent {}: {problem}", index + 1)))?;
        if members.iter().any(|other| other.name == member.name) {
            return Err(malformed(format!("two agents are named {}", member.name)));
        }
        members.push(member);
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Fleet {
        name: file.name.unwrap_or(stem),
        start: file
            .start
            .map(|text| text.parse::<Start>())
            .transpose()
            .map_err(|problem| malformed(format!("start: {problem}")))?,
        members: order::ordered(members).map_err(malformed)?,
    })
}

fn member(table: &Table, folder: &Path) -> std::result::Result<Member, String> {
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{key} is a {}, not a text", other.type_str())),
    };
    let Some(name) = text("name")? else { return Err("it has no name".to_owned()) };
    let options = options(table, folder).map_err(|problem| format!("{name}: {problem}"))?;
    let after = match table.get("after") {
        None => Vec::new(),
        Some(value) => texts("after", value).map_err(|problem| format!("{name}: {problem}"))?,
    };
    let health = table.get("health").map(health).transpose().map_err(|problem| format!("{name}: health: {problem}"))?;
    Ok(Member { name, options, after, health, image: text("image")? })
}

fn options(table: &Table, folder: &Path) -> std::result::Result<LaunchOptions, String> {
    let mut options = READER.options(table)?;
    options.app = beside(folder, &options.app);
    Ok(options)
}

fn beside(folder: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_path_buf() } else { folder.join(path) }
}

fn health(value: &Value) -> std::result::Result<Health, String> {
    let table = value.as_table().ok_or("is not a table")?;
    let keys = ["heartbeat", "max-misses", "every"];
    if let Some(unknown) = table.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(format!("there is no {unknown}; did you mean {}?", nearest(unknown, keys)));
    }
    let duration = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().ok_or_else(|| format!("{key} is not a text"))?;
            annotation::duration(text).map(Some).map_err(|problem| format!("{key}: {text:?} {problem}"))
        }
    };
    let misses = match table.get("max-misses") {
        None => None,
        Some(value) => {
            let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
            Some(number.ok_or("max-misses is not a whole number")?)
        }
    };
    let heartbeat = duration("heartbeat")?;
    if heartbeat.is_none() && misses.is_none() {
        return Err("neither heartbeat nor max-misses is in it".to_owned());
    }
    Ok(Health { heartbeat, max_misses: misses, every: duration("every")?.unwrap_or(EVERY) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> std::result::Result<Fleet, String> {
        let path =
            std::env::temp_dir().join(format!("fleet-{}-{:?}.toml", std::process::id(), std::thread::current().id()));
        std::fs::write(&path, text).unwrap();
        let fleet = fleet(&path).map_err(|error| error.to_string());
        std::fs::remove_file(path).unwrap();
        fleet
    }

    #[test]
    fn defaults_are_every_agents_and_order_follows_after() {
        let fleet = read(
            "name = 'life'\nstart = '+2s'\n[defaults]\napp = './gol-agent'\nsched = 'SCHED_FIFO'\nmem = '64m'\n\
             [[agent]]\nname = 'b'\nafter = ['a']\ncpus = '1'\nenv = ['X=1', 'Y=2']\n[[agent]]\nname = 'a'\nmlock = true\n",
        )
        .unwrap();
        let names: Vec<&str> = fleet.members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let b = &fleet.members[1].options;
        assert_eq!((b.cpus.as_deref(), b.mem, b.env.len()), (Some("1"), Some(64 << 20), 2));
        assert!(b.app.is_absolute() && fleet.members[0].options.mlock);
    }

    #[test]
    fn every_mistake_names_the_agent_and_the_key() {
        for (text, wanted) in [
            ("", "no [[agent]]"),
            ("[[agent]]\napp = 'x'\n", "no name"),
            ("[[agent]]\nname = 'a'\napp = 'x'\ncpu = '1'\n", "did you mean cpus"),
            ("[[agent]]\nname = 'a'\napp = 'x'\nmem = 'much'\n", "a: "),
            ("[[agent]]\nname = 'a'\n", "--app"),
            ("[[agent]]\nname = 'a'\napp = 'x'\n[[agent]]\nname = 'a'\napp = 'x'\n", "two agents"),
            ("[[agent]]\nname = 'a'\napp = 'x'\nafter = ['b']\n", "comes after b"),
            ("[[agent]]\nname = 'a'\napp = 'x'\nafter = ['a']\n", "waits for itself"),
            ("[[agent]]\nname = 'a'\napp = 'x'\ndetach = true\n", "the fleet's"),
            ("[[agent]]\nname = 'a'\napp = 'x'\nhealth = { heartbeet = '1s' }\n", "did you mean heartbeat"),
            ("[[agent]]\nname = 'a'\napp = 'x'\nhealth = {}\n", "neither"),
            ("start = 'soon'\n[[agent]]\nname = 'a'\napp = 'x'\n", "start"),
            ("strat = '+1s'\n[[agent]]\nname = 'a'\napp = 'x'\n", "strat"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
