//! Archives and images as root filesystems: a tar of files, an OCI image layout (folder or tar), a docker-archive.
//!
//! An image is unpacked once, into a folder named after its content, and shared read-only by all agents that run it.

mod cache;
mod compress;
mod docker;
mod layer;
mod oci;
mod root;
mod source;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use source::Source;

pub use cache::unpacked;
pub use root::Root;

/// How a program in an image is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Program and words that are always given.
    pub entrypoint: Vec<String>,
    /// Words that stand in where none are given.
    pub command: Vec<String>,
    /// Variables, KEY=VALUE.
    pub env: Vec<String>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
    /// User and group, by number or by a name of the image's own /etc/passwd.
    pub user: Option<String>,
}

/// An image that has been looked at and not yet unpacked.
#[derive(Debug)]
pub struct Image {
    /// Path as it was given, for messages.
    shown: PathBuf,
    source: Source,
    layers: Vec<Layer>,
    /// How its program is started.
    pub start: Start,
    /// Hexadecimal SHA-256 that tells this content from any other.
    digest: String,
}

/// One layer of an image.
#[derive(Clone, Debug)]
struct Layer {
    /// Name in the source.
    name: String,
    /// Hexadecimal SHA-256 of the bytes as stored, where the image says it.
    sha256: Option<String>,
}

impl Image {
    /// Looks at a folder or file; `None` where it is neither an image nor an archive.
    ///
    /// # Errors
    /// An image that is malformed, for another platform, or whose parts are missing.
    pub fn open(path: &Path) -> Result<Option<Image>> {
        let Some(mut source) = Source::open(path)? else { return Ok(None) };
        let image = if source.has("oci-layout") {
            oci::image(path, &mut source)?
        } else if source.has("manifest.json") {
            docker::image(path, &mut source)?
        } else if source.is_folder() {
            return Ok(None);
        } else {
            Parts {
                layers: vec![Layer { name: String::new(), sha256: None }],
                start: Start::default(),
                digest: source.digest(path)?,
            }
        };
        Ok(Some(Image {
            shown: path.to_path_buf(),
            source,
            layers: image.layers,
            start: image.start,
            digest: image.digest,
        }))
    }

    /// Applies every layer, lowest first, to an empty folder.
    ///
    /// # Errors
    /// A layer that is malformed, altered, or tries to leave the folder; a full file system.
    fn unpack(&mut self, folder: &Path) -> Result<()> {
        let root = root::Root::open(folder)?;
        let mut budget = layer::Budget::default();
        for part in &self.layers {
            let path = if part.name.is_empty() { self.shown.clone() } else { self.shown.join(&part.name) };
            let malformed = |problem| Error::Malformed { path: path.clone(), problem };
            let mut checked = source::Checked::new(self.source.read(&part.name)?, part.sha256.clone());
            let decoded = compress::decoder(&mut checked).map_err(malformed)?;
            layer::apply(decoded, &root, &mut budget).map_err(malformed)?;
            checked.finish().map_err(malformed)?;
        }
        Ok(())
    }
}

/// What the two formats of images say, each in its own way.
#[derive(Debug)]
struct Parts {
    layers: Vec<Layer>,
    start: Start,
    digest: String,
}

/// Reads a JSON part of at most a few megabytes.
fn json<T: serde::de::DeserializeOwned>(
    shown: &Path,
    source: &mut Source,
    name: &str,
    sha256: Option<String>,
) -> Result<T> {
    const LARGEST: u64 = 8 << 20;
    let malformed = |problem: String| Error::Malformed { path: shown.join(name), problem };
    let mut text = Vec::new();
    let mut checked = source::Checked::new(source.read(name)?, sha256);
    checked.by_ref().take(LARGEST).read_to_end(&mut text).map_err(|error| malformed(error.to_string()))?;
    checked.finish().map_err(malformed)?;
    serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))
}

/// What a config of either format says of the program; both have the same keys (OCI image-spec, config.md).
#[derive(Debug, Default, serde::Deserialize)]
struct Config {
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    config: Option<oci_spec::image::Config>,
}

impl Config {
    fn start(self, shown: &Path) -> Result<Start> {
        let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        if let Some(found) = self.architecture.filter(|architecture| architecture != host) {
            return Err(Error::Architecture { path: shown.to_path_buf(), found, host });
        }
        let config = self.config.unwrap_or_default();
        Ok(Start {
            entrypoint: config.entrypoint().clone().unwrap_or_default(),
            command: config.cmd().clone().unwrap_or_default(),
            env: config.env().clone().unwrap_or_default(),
            cwd: config.working_dir().clone().filter(|cwd| !cwd.is_empty()).map(PathBuf::from),
            user: config.user().clone().filter(|user| !user.is_empty()),
        })
    }
}
