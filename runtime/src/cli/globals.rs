use super::Error;
use super::log::{Format, Level};
use crate::cgroup::Manager;
use crate::state::Store;
use rtrun_hooks::nearest;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A flag that stands before the command.
pub(super) struct Flag {
    /// With its dashes left off.
    pub name: &'static str,
    /// What its value is called; empty for a switch.
    pub value: &'static str,
    /// For the help.
    pub about: &'static str,
}

/// All of them: the parser and the help read this list.
pub(super) const FLAGS: &[Flag] = &[
    flag("root", "DIR", "where containers' state is kept [default: /run/rtrun, or $XDG_RUNTIME_DIR/rtrun if not root]"),
    flag("log", "FILE", "append messages to this file instead of writing them to standard error"),
    flag("log-format", "FORMAT", "text or json [default: text]"),
    flag("log-level", "LEVEL", "error, warn, info or debug [default: warn]"),
    flag("debug", "", "the same as --log-level debug"),
    flag("systemd-cgroup", "", "let systemd make the cgroup; cgroupsPath is slice:prefix:name"),
    flag("cgroup-manager", "MANAGER", "cgroupfs, systemd or disabled [default: cgroupfs]"),
    flag("rootless", "WHEN", "true, false or auto: pass over cgroups that can't be written [default: auto]"),
    flag("criu", "PATH", "the criu binary [default: the one in PATH]"),
];

const fn flag(name: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, value, about }
}

/// What the global flags say.
#[derive(Debug, Eq, PartialEq)]
pub struct Globals {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--log`.
    pub log: Option<PathBuf>,
    /// `--log-format`.
    pub format: Format,
    /// `--log-level`, `--debug`.
    pub level: Level,
    /// `--systemd-cgroup`, `--cgroup-manager`.
    pub manager: Manager,
    /// `--rootless`; `None` is `auto`.
    pub rootless: Option<bool>,
    /// `--criu`.
    pub criu: Option<PathBuf>,
}

impl Default for Globals {
    fn default() -> Self {
        Globals {
            root: None,
            log: None,
            format: Format::default(),
            level: Level::default(),
            manager: Manager::Cgroupfs,
            rootless: None,
            criu: None,
        }
    }
}

/// What the command line asks for, once its flags are read.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Request {
    /// A command and its arguments.
    Command(String, Vec<OsString>),
    /// `--version`.
    Version,
    /// `--help`, or nothing at all.
    Help,
}

/// Reads the flags before the command by hand: three processes make a container, and each would pay for a parser of
/// all commands. What is read so far is kept in `globals` also when the rest is wrong, so that the error reaches the
/// log file.
///
/// # Errors
/// An unknown flag or value, named with the nearest one.
pub(super) fn read(args: Vec<OsString>, globals: &mut Globals) -> Result<Request, Error> {
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let Some(flag) = arg.as_bytes().strip_prefix(b"-").filter(|rest| !rest.is_empty()) else {
            return Ok(Request::Command(arg.to_string_lossy().into_owned(), args.collect()));
        };
        let flag = flag.strip_prefix(b"-").unwrap_or(flag);
        let (name, inline) = match flag.iter().position(|&byte| byte == b'=') {
            Some(at) => (&flag[..at], Some(OsStr::from_bytes(&flag[at + 1..]).to_owned())),
            None => (flag, None),
        };
        let name = String::from_utf8_lossy(name);
        match name.as_ref() {
            "version" | "v" => return Ok(Request::Version),
            "help" | "h" => return Ok(Request::Help),
            _ => {}
        }
        let Some(known) = FLAGS.iter().find(|known| known.name == name) else {
            let names: Vec<&str> = FLAGS.iter().map(|flag| flag.name).collect();
            return Err(Error::UnknownFlag { nearest: nearest(&name, names).to_owned(), name: name.into_owned() });
        };
        let value = match (known.value.is_empty(), inline) {
            (true, None) => "true".into(),
            (_, Some(inline)) => inline,
            (false, None) => args.next().ok_or(Error::NoValue(known.name))?,
        };
        globals.set(known.name, &value)?;
    }
    Ok(Request::Help)
}

impl Globals {
    fn set(&mut self, name: &'static str, value: &OsStr) -> Result<(), Error> {
        let bad = || Error::Value { flag: name, value: value.to_string_lossy().into_owned() };
        let text = value.to_str().ok_or_else(bad);
        let switch = || match value.to_str() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(bad()),
        };
        match name {
            "root" => self.root = Some(value.into()).filter(|_| !value.is_empty()),
            "log" => self.log = Some(value.into()).filter(|_| !value.is_empty()),
            "log-format" => {
                self.format = match text? {
                    "text" | "" => Format::Text,
                    "json" => Format::Json,
                    _ => return Err(bad()),
                }
            }
            "log-level" => self.level = Level::from_name(text?).ok_or_else(bad)?,
            "debug" => self.level = if switch()? { Level::Debug } else { self.level },
            "systemd-cgroup" => self.manager = if switch()? { Manager::Systemd } else { self.manager },
            "cgroup-manager" => {
                self.manager = match text? {
                    "cgroupfs" => Manager::Cgroupfs,
                    "systemd" => Manager::Systemd,
                    "disabled" => Manager::Disabled,
                    _ => return Err(bad()),
                }
            }
            "rootless" => {
                self.rootless = match text? {
                    "auto" | "" => None,
                    _ => Some(switch()?),
                }
            }
            "criu" => self.criu = Some(value.into()).filter(|_| !value.is_empty()),
            _ => {}
        }
        Ok(())
    }

    /// The containers of this root.
    pub fn store(&self) -> Store {
        Store::new(self.state_root())
    }

    /// Where the library's warnings go.
    pub(super) fn warn(&self) -> impl FnMut(String) {
        |message| super::log::warning(self, &message)
    }

    /// Where the state is: as asked, or the place that every caller without `--root` finds again.
    pub fn state_root(&self) -> PathBuf {
        if let Some(root) = &self.root {
            return root.clone();
        }
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) if self.is_rootless() => PathBuf::from(dir).join("rtrun"),
            _ => PathBuf::from("/run/rtrun"),
        }
    }

    /// Whether the caller is not the host's root: another user, or root of a user namespace (as podman runs us).
    pub fn is_rootless(&self) -> bool {
        self.rootless.unwrap_or_else(|| !nix::unistd::geteuid().is_root() || in_user_namespace())
    }
}

/// The initial user namespace maps all IDs to themselves (`user_namespaces(7)`).
fn in_user_namespace() -> bool {
    let map = crate::sys::read_procfs("/proc/self/uid_map").unwrap_or_default();
    map.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).ne([&b"0"[..], b"0", b"4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (Globals, Result<Request, Error>) {
        let mut globals = Globals::default();
        let request = read(line.split(' ').map(OsString::from).collect(), &mut globals);
        (globals, request)
    }

    #[test]
    fn what_containerd_passes() {
        let (globals, request) =
            parsed("--root /run/containerd/runc/k8s.io --log /b/log.json --log-format json --systemd-cgroup start c1");
        assert_eq!(globals.root, Some("/run/containerd/runc/k8s.io".into()));
        assert_eq!((globals.format, globals.manager), (Format::Json, Manager::Systemd));
        assert_eq!(request.unwrap(), Request::Command("start".into(), vec!["c1".into()]));
    }

    #[test]
    fn what_conmon_passes() {
        let (globals, request) = parsed("--log-format=json --log /c/oci-log --cgroup-manager disabled create -b x c1");
        assert_eq!(globals.log, Some("/c/oci-log".into()));
        assert_eq!(globals.manager, Manager::Disabled);
        assert!(matches!(request, Ok(Request::Command(name, rest)) if name == "create" && rest.len() == 3));
    }

    #[test]
    fn switches_take_go_values() {
        let (globals, _) = parsed("--rootless=true --debug=false --systemd-cgroup=false list");
        assert_eq!(globals, Globals { rootless: Some(true), ..Globals::default() });
    }

    #[test]
    fn wrong_flags_are_named() {
        let message = |line| parsed(line).1.unwrap_err().to_string();
        assert_eq!(message("--rot /x list"), "unknown flag --rot; did you mean --root?");
        assert_eq!(message("--log"), "--log needs a value");
        assert_eq!(message("--log-format xml list"), "--log-format: invalid value \"xml\"");
    }

    #[test]
    fn what_was_read_before_an_error_is_kept() {
        assert_eq!(parsed("--log /l --nonsense").0.log, Some("/l".into()));
    }
}
