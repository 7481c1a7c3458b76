//! What would be written, for `rtrun plan`.

use super::setting::Setting;
use super::{Cgroup, Error};
use crate::spec::Resources;
use std::path::PathBuf;
#[cfg(test)]
use {super::Hierarchy, super::Manager, std::path::Path};

/// A file of the container's cgroup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedFile {
    /// On the host.
    pub path: PathBuf,
    /// What is written.
    pub value: String,
    /// Field of config.json.
    pub field: String,
}

impl Cgroup {
    /// The files that [`Cgroup::create`] would write for these limits, in order; device rules are not among them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a field can't be had on this layout at all.
    pub fn files(&self, resources: &Resources) -> Result<Vec<PlannedFile>, Error> {
        self.settings(resources)?.iter().map(|setting| self.planned(setting)).filter_map(Result::transpose).collect()
    }

    fn planned(&self, setting: &Setting) -> Result<Option<PlannedFile>, Error> {
        if let Some(reason) = setting.impossible {
            return Err(Error::unsupported(setting.field.as_ref(), reason));
        }
        let hierarchy = self.controller(&setting.controller).or_else(|| self.v2_tree());
        let (Some(hierarchy), Some((file, value))) = (hierarchy, setting.writes.first()) else { return Ok(None) };
        let path = hierarchy.directory().join(file.as_ref());
        Ok(Some(PlannedFile { path, value: value.clone(), field: setting.field.to_string() }))
    }

    /// Whether a v1 hierarchy has this controller.
    #[must_use]
    pub fn has_v1(&self, controller: &str) -> bool {
        self.controller(controller).is_some()
    }
}

#[cfg(test)]
impl Cgroup {
    /// A cgroup `/parent/c` on hierarchies of plain files: pure v2 if the only name is empty.
    pub(crate) fn fake(hierarchies: &[(&str, &Path)]) -> Cgroup {
        let unified = matches!(hierarchies, [("", _)]);
        let hierarchies = hierarchies.iter().map(|(name, mountpoint)| Hierarchy {
            name: (*name).to_owned(),
            mountpoint: mountpoint.to_path_buf(),
            path: "parent/c".into(),
        });
        Cgroup { manager: Manager::Cgroupfs, rootless: false, unified, hierarchies: hierarchies.collect(), unit: None }
    }
}
