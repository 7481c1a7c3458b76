//! Unpacked images, each in a folder named after its digest: made once, then shared by all that run it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use super::Image;
use crate::error::{Error, Result, errno};

/// `/var/cache/rt-container-cli`, or below `$XDG_CACHE_HOME` for who is not root.
fn folder() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let user = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).filter(|_| !geteuid().is_root());
    user.unwrap_or_else(|| PathBuf::from("/var/cache")).join("rt-container-cli")
}

/// The image's root filesystem, unpacked if it was not. Written beside and renamed: half an image is never used, and of
/// two who unpack it at once the second waits.
///
/// # Errors
/// See [`Image::open`]; a full file system. Nothing of a failed unpacking is left.
pub fn unpacked(image: &mut Image) -> Result<PathBuf> {
    let cache = folder();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache).map_err(Error::file("make", &cache))?;
    let done = cache.join(&image.digest);
    let lock = cache.join(format!("{}.lock", image.digest));
    let file = fs::File::create(&lock).map_err(Error::file("make", &lock))?;
    let _locked = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| Error::File {
        step: "lock",
        path: lock.clone(),
        errno,
    })?;
    if done.is_dir() {
        return Ok(done);
    }
    let half = cache.join(format!("{}.half", image.digest));
    discard(&half)?;
    fs::create_dir(&half).map_err(Error::file("make", &half))?;
    let renamed = image.unpack(&half).and_then(|()| fs::rename(&half, &done).map_err(Error::file("rename", &half)));
    if let Err(error) = renamed {
        discard(&half)?;
        return Err(error);
    }
    Ok(done)
}

fn discard(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { step: "remove", path: path.to_path_buf(), errno: errno(&error) })
        }
        _ => Ok(()),
    }
}
