//! docker-archive (`docker save`, `podman save`): manifest.json names a config and the layers' tar files, lowest first.

use std::path::Path;

use serde::Deserialize;

use super::source::Source;
use super::{Config, Layer, Parts, json};
use crate::error::{Error, Result};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// The archive's one image.
///
/// # Errors
/// Several images in one archive, or a part that is missing.
pub fn image(shown: &Path, source: &mut Source) -> Result<Parts> {
    let saved: Vec<Saved> = json(shown, source, "manifest.json", None)?;
    let count = saved.len();
    let Ok([saved]) = <[Saved; 1]>::try_from(saved) else {
        let problem = format!("{count} images in one archive; save one");
        return Err(Error::Malformed { path: shown.join("manifest.json"), problem });
    };
    let config: Config = json(shown, source, &saved.config, None)?;
    let layers = saved.layers.into_iter().map(|name| Layer { name, sha256: None }).collect();
    Ok(Parts { layers, start: config.start(shown)?, digest: source.digest(shown)? })
}
