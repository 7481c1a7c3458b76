//! A limit on its way to the kernel: which field asked, which file of which controller takes it.

use super::{Error, knob};
use nix::errno::Errno;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// One write to one knob.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    /// v1's name of the controller, also where v2 has another (`blkio` for `io`).
    pub controller: Cow<'static, str>,
    /// Field of config.json.
    pub field: Cow<'static, str>,
    /// Knob and value; the first knob that exists is written.
    pub writes: Vec<(Cow<'static, str>, String)>,
    /// Nothing is lost where the knob does not exist, as nothing is limited.
    pub moot: bool,
    /// Why this version of cgroups can't honour the field at all.
    pub impossible: Option<&'static str>,
}

impl Setting {
    pub(super) fn new(
        controller: impl Into<Cow<'static, str>>,
        field: impl Into<Cow<'static, str>>,
        file: impl Into<Cow<'static, str>>,
        value: impl ToString,
    ) -> Self {
        Self {
            controller: controller.into(),
            field: field.into(),
            writes: vec![(file.into(), value.to_string())],
            moot: false,
            impossible: None,
        }
    }

    pub(super) fn impossible(controller: &'static str, field: &'static str, reason: &'static str) -> Self {
        Self {
            controller: controller.into(),
            field: field.into(),
            writes: vec![],
            moot: false,
            impossible: Some(reason),
        }
    }

    /// Another knob for kernels without the first.
    pub(super) fn or(mut self, file: &'static str, value: impl ToString) -> Self {
        self.writes.push((file.into(), value.to_string()));
        self
    }

    /// Marks a setting whose absence limits nothing.
    pub(super) fn moot_if(mut self, moot: bool) -> Self {
        self.moot = moot;
        self
    }

    fn write(&self, dir: &Path) -> Result<(), Error> {
        for (file, value) in &self.writes {
            let path = dir.join(file.as_ref());
            match knob::set(&path, value) {
                Ok(()) => return Ok(()),
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(self.refused(value, path, errno)),
            }
        }
        if self.moot { Ok(()) } else { Err(self.missing(dir)) }
    }

    fn refused(&self, value: &str, path: PathBuf, errno: Errno) -> Error {
        let hint = match errno {
            Errno::EBUSY => "; in use: more is used now than the new limit, or a child or sibling forbids it",
            Errno::ENODEV => "; no such device",
            Errno::EACCES | Errno::EPERM => {
                "; not permitted: the cgroup is not delegated to this user, or a parent forbids it"
            }
            Errno::ENOSPC => "; empty cpuset",
            Errno::ERANGE | Errno::EINVAL => "; out of range, or beyond what the parent cgroup allows",
            _ => "",
        };
        Error::Refused { field: self.field.to_string(), value: value.to_owned(), path, errno, hint }
    }

    fn missing(&self, dir: &Path) -> Error {
        let file = self.writes.first().map_or("", |(file, _)| file.as_ref());
        let controller = file.split('.').next().unwrap_or_default();
        Error::unsupported(
            self.field.as_ref(),
            format!(
                "no {file} in {}: this kernel lacks it, or controller {controller} is not enabled there",
                dir.display()
            ),
        )
    }
}

/// Writes all, in an order that the kernel accepts: where one value bounds another (memory and swap, period and quota),
/// which goes first depends on what was there before, so a refused one is tried again after the others.
pub(super) fn write_all<'a>(settings: &[Setting], dir_of: impl Fn(&str) -> Option<&'a Path>) -> Result<(), Error> {
    let mut left: Vec<(&Setting, PathBuf)> = Vec::with_capacity(settings.len());
    for setting in settings {
        if let Some(reason) = setting.impossible {
            return Err(Error::unsupported(setting.field.as_ref(), reason));
        }
        match dir_of(&setting.controller) {
            Some(dir) => left.push((setting, dir.to_owned())),
            None if setting.moot => {}
            None => {
                let reason = format!("this host has no {} controller", setting.controller);
                return Err(Error::unsupported(setting.field.as_ref(), reason));
            }
        }
    }
    loop {
        let mut refused = Vec::new();
        let mut first = None;
        for (setting, dir) in &left {
            match setting.write(dir) {
                Ok(()) => {}
                Err(error @ Error::Refused { errno: Errno::EINVAL, .. }) => {
                    refused.push((*setting, dir.clone()));
                    first.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match first {
            None => return Ok(()),
            Some(error) if refused.len() == left.len() => return Err(error),
            Some(_) => left = refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_back_to_the_second_knob_and_names_what_is_missing() {
        let dir = std::env::temp_dir().join(format!("rtrun-setting-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("io.weight"), "").unwrap();
        let both = Setting::new("blkio", "f", "io.bfq.weight", 7).or("io.weight", 8);
        write_all(&[both], |_| Some(&dir)).unwrap();
        assert_eq!(std::fs::read_to_string(dir.join("io.weight")).unwrap(), "8");
        let gone = Setting::new("rdma", "linux.resources.rdma", "rdma.max", "x");
        let error = write_all(std::slice::from_ref(&gone), |_| Some(&dir)).unwrap_err().to_string();
        assert!(error.starts_with("linux.resources.rdma: no rdma.max in "), "{error}");
        let error = write_all(std::slice::from_ref(&gone), |_| None).unwrap_err().to_string();
        assert_eq!(error, "linux.resources.rdma: this host has no rdma controller");
        write_all(&[gone.moot_if(true)], |_| None).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
