//! The libraries of a dynamic program, found by the loader that will load them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result, errno};

/// Loader and libraries, each once. The loader is asked (`ld.so(8)`, `--list`; musl's knows it as well): it alone knows
/// RPATH, RUNPATH, `$ORIGIN`, hwcaps and the cache. It maps the program and runs none of it.
///
/// # Errors
/// The loader or a library is not on this machine.
pub fn of(program: &Path, loader: PathBuf) -> Result<Vec<PathBuf>> {
    if !loader.exists() {
        return Err(Error::Loader { path: program.to_path_buf(), loader });
    }
    let output = Command::new(&loader).arg("--list").arg(program).env_remove("LD_PRELOAD").output();
    let output =
        output.map_err(|error| Error::Start { program: loader.display().to_string(), errno: errno(&error) })?;
    let (listed, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let (found, mut missing) = parse(&listed);
    missing.extend(complaint.lines().filter_map(missing_in_complaint));
    if !missing.is_empty() {
        return Err(Error::Libraries { path: program.to_path_buf(), libraries: missing });
    }
    if !output.status.success() {
        let problem = format!("{} --list: {}", loader.display(), complaint.trim());
        return Err(Error::Elf { path: program.to_path_buf(), problem });
    }
    let mut all = vec![loader];
    for library in found {
        if !all.contains(&library) {
            all.push(library);
        }
    }
    Ok(all)
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f…)`; the kernel's vdso has no path, a missing one says so.
fn parse(listed: &str) -> (Vec<PathBuf>, Vec<String>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for line in listed.lines().map(str::trim) {
        let (name, place) = line.split_once(" => ").unwrap_or((line, line));
        if place.starts_with("not found") {
            missing.push(name.to_owned());
        } else if place.starts_with('/') {
            found.push(PathBuf::from(place.rsplit_once(" (").map_or(place, |(path, _)| path)));
        }
    }
    (found, missing)
}

/// glibc's words for the first one that is missing, and musl's.
fn missing_in_complaint(line: &str) -> Option<String> {
    let glibc = line.split_once("error while loading shared libraries: ").map(|(_, rest)| rest);
    let musl = line.split_once("Error loading shared library ").map(|(_, rest)| rest);
    let name = glibc.or(musl)?.split(':').next()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_list_is_read() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/libm.so.6 (0x00007f)\n\
                      \tlibgone.so.1 => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let (found, missing) = parse(listed);
        assert_eq!(found, [PathBuf::from("/lib/libm.so.6"), PathBuf::from("/lib64/ld-linux-x86-64.so.2")]);
        assert_eq!(missing, ["libgone.so.1"]);
    }

    #[test]
    fn a_loaders_complaint_names_the_library() {
        let line = "./x: error while loading shared libraries: libgone.so.1: cannot open shared object file";
        assert_eq!(missing_in_complaint(line).as_deref(), Some("libgone.so.1"));
    }
}
