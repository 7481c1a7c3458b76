//! An archive or image: unpacked, and started as it says.

use std::io::Read;
use std::path::Path;

use super::App;
use crate::error::{Error, Result};
use crate::image::{Image, Root, unpacked};

/// How much of an image's /etc/passwd and /etc/group is read, bytes.
const LONGEST: u64 = 1 << 20;

/// `--entry` stands in for the image's entrypoint.
///
/// # Errors
/// The image is malformed, says of no program, or of a user that it doesn't have.
pub fn app(shown: &Path, mut image: Image, entry: Option<&Path>) -> Result<App> {
    let rootfs = unpacked(&mut image)?;
    let start = image.start;
    let user = start.user.as_deref().map(|user| numbers(shown, &rootfs, user)).transpose()?;
    let (args, default_params) = match entry {
        Some(entry) => (vec![Path::new("/").join(entry).display().to_string()], Vec::new()),
        None if !start.entrypoint.is_empty() => (start.entrypoint, start.command),
        None if !start.command.is_empty() => (Vec::new(), start.command),
        None => return Err(Error::NoEntry { path: shown.to_path_buf() }),
    };
    Ok(App {
        rootfs: Some(rootfs),
        bound: Vec::new(),
        args,
        default_params,
        env: start.env,
        cwd: start.cwd.map(|cwd| Path::new("/").join(cwd)),
        user,
    })
}

/// `USER[:GROUP]`, numbers or names of the image's own files (image-spec, config.md).
fn numbers(shown: &Path, rootfs: &Path, user: &str) -> Result<(u32, u32)> {
    let root = Root::open(rootfs)?;
    let read = |path: &str| {
        let mut text = String::new();
        root.read(path.as_ref()).and_then(|file| file.take(LONGEST).read_to_string(&mut text)).map(|_| text)
    };
    let unknown = || Error::Malformed {
        path: shown.to_path_buf(),
        problem: format!("its user {user:?} is not in its own files"),
    };
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    let passwd = read("/etc/passwd").unwrap_or_default();
    let line = |field: usize, value: &str| {
        passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.get(field) == Some(&value))
    };
    let field = |fields: Vec<&str>, index: usize| fields.get(index)?.parse::<u32>().ok();
    let uid = name.parse().ok().or_else(|| field(line(0, name)?, 2)).ok_or_else(unknown)?;
    let gid = match group {
        Some(group) => group.parse().ok().or_else(|| {
            let groups = read("/etc/group").unwrap_or_default();
            let fields =
                groups.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == group)?;
            fields.get(2)?.parse().ok()
        }),
        None => Some(line(2, &uid.to_string()).and_then(|fields| field(fields, 3)).unwrap_or(0)),
    };
    Ok((uid, gid.ok_or_else(unknown)?))
}
