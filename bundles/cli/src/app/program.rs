//! A single program: itself in `/app`, its loader and libraries where it expects them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{App, elf};
use crate::error::{Error, Result, errno};

/// Where a single program is put in the container.
const FOLDER: &str = "/app";

/// Whether a file is an ELF file.
///
/// # Errors
/// Can't be read.
pub fn is_program(path: &Path) -> Result<bool> {
    Ok(head(path)?.starts_with(goblin::elf::header::ELFMAG))
}

fn head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(elf::HEAD).read_to_end(&mut head));
    read.map(|_| head).map_err(|error| Error::App { path: path.to_path_buf(), errno: errno(&error) })
}

/// The program with all that it loads. `shown` is its path as the user gave it.
///
/// # Errors
/// Of another architecture, not executable, or a loader or library that is not on this machine.
pub fn app(shown: &Path, program: &Path) -> Result<App> {
    let loader = elf::loader(shown, program, &head(program)?)?;
    let executable = std::fs::metadata(program).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0);
    if !executable {
        return Err(Error::NotExecutable { path: shown.to_path_buf() });
    }
    let inside = Path::new(FOLDER).join(program.file_name().unwrap_or_default());
    let args = vec![inside.display().to_string()];
    let mut app = App { bound: vec![(program.to_path_buf(), inside)], args, ..App::default() };
    if let Some(loader) = loader {
        let libraries = libraries(program, &loader)?;
        app.env.extend(library_path(&libraries));
        app.bound.push((loader.clone(), loader));
        app.bound.extend(libraries.into_iter().map(|library| (library.clone(), library)));
    }
    Ok(app)
}

/// The libraries' folders: an RPATH with `$ORIGIN` means another place once the program is in `/app`.
fn library_path(libraries: &[PathBuf]) -> Option<String> {
    let mut folders: Vec<&str> = libraries.iter().filter_map(|library| library.parent()?.to_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    (!folders.is_empty()).then(|| format!("LD_LIBRARY_PATH={}", folders.join(":")))
}

/// The libraries of a dynamic program, each once. Its loader is asked (`ld.so(8)`, `--list`; musl's knows it as well): it
/// alone knows RPATH, RUNPATH, `$ORIGIN`, hwcaps and the cache. It maps the program and runs none of it.
fn libraries(program: &Path, loader: &Path) -> Result<Vec<PathBuf>> {
    let path = program.to_path_buf();
    if !loader.exists() {
        return Err(Error::Loader { path, loader: loader.to_path_buf() });
    }
    let output = Command::new(loader).arg("--list").arg(program).env_remove("LD_PRELOAD").output();
    let output =
        output.map_err(|error| Error::Start { program: loader.display().to_string(), errno: errno(&error) })?;
    let (listed, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let (mut found, mut missing) = parse(&listed);
    missing.extend(complaint.lines().filter_map(missing_in_complaint));
    if !missing.is_empty() {
        return Err(Error::Libraries { path, libraries: missing });
    }
    if !output.status.success() {
        return Err(Error::Elf { path, problem: format!("{} --list: {}", loader.display(), complaint.trim()) });
    }
    found.retain(|library| library != loader);
    found.sort();
    found.dedup();
    Ok(found)
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

    #[test]
    fn a_program_brings_its_loader_and_its_libraries() {
        let app = app(Path::new("sh"), &std::fs::canonicalize("/bin/sh").unwrap()).unwrap();
        let places: Vec<&PathBuf> = app.bound.iter().map(|(_, to)| to).collect();
        assert!(places[0].starts_with("/app"));
        assert!(places.iter().any(|place| place.to_string_lossy().contains("libc.so")), "{places:?}");
    }
}
