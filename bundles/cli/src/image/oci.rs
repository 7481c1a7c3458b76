//! OCI image layout (image-spec, image-layout.md): index.json → manifest → config and layers.

use std::path::Path;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};

use super::source::Source;
use super::{Config, Layer, Parts, json};
use crate::error::{Error, Result};

/// Deepest nesting of indexes that is followed.
const DEEPEST: usize = 4;

/// The image for this machine.
///
/// # Errors
/// None for this machine, several that are, or a part that is missing or altered.
pub fn image(shown: &Path, source: &mut Source) -> Result<Parts> {
    let index: ImageIndex = json(shown, source, "index.json", None)?;
    let descriptor = choose(shown, source, index, DEEPEST)?;
    let manifest: ImageManifest = blob(shown, source, &descriptor)?;
    let config: Config = blob(shown, source, manifest.config())?;
    let layers = manifest.layers().iter().map(|layer| {
        let (name, sha256) = place(shown, layer)?;
        Ok(Layer { name, sha256: Some(sha256) })
    });
    Ok(Parts {
        layers: layers.collect::<Result<_>>()?,
        start: config.start(shown)?,
        digest: place(shown, &descriptor)?.1,
    })
}

/// The one manifest of an index that is for this architecture, or says of none.
fn choose(shown: &Path, source: &mut Source, index: ImageIndex, depth: usize) -> Result<Descriptor> {
    let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let problem = |problem: String| Error::Malformed { path: shown.join("index.json"), problem };
    let fits = |descriptor: &&Descriptor| {
        descriptor.platform().as_ref().is_none_or(|platform| platform.architecture().to_string() == host)
    };
    let fitting: Vec<&Descriptor> = index.manifests().iter().filter(fits).collect();
    let descriptor = match fitting.as_slice() {
        [one] => (*one).clone(),
        [] => return Err(problem(format!("no image of it is for {host}"))),
        several => {
            return Err(problem(format!("{} images of it are for {host}; keep one in the layout", several.len())));
        }
    };
    if *descriptor.media_type() != MediaType::ImageIndex {
        return Ok(descriptor);
    }
    if depth == 0 {
        return Err(problem("its indexes are nested without end".to_owned()));
    }
    let inner = blob(shown, source, &descriptor)?;
    choose(shown, source, inner, depth - 1)
}

fn blob<T: serde::de::DeserializeOwned>(shown: &Path, source: &mut Source, descriptor: &Descriptor) -> Result<T> {
    let (name, sha256) = place(shown, descriptor)?;
    json(shown, source, &name, Some(sha256))
}

/// Name of a blob, and its SHA-256.
fn place(shown: &Path, descriptor: &Descriptor) -> Result<(String, String)> {
    let digest = descriptor.digest();
    match (digest.algorithm().to_string().as_str(), digest.digest()) {
        ("sha256", hex) => Ok((format!("blobs/sha256/{hex}"), hex.to_owned())),
        (other, _) => Err(Error::Malformed {
            path: shown.to_path_buf(),
            problem: format!("a digest by {other}; only sha256 is checked"),
        }),
    }
}
