//! The head of an ELF file: for which machine it is, and whether it needs a loader.

use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use goblin::container::{Container, Ctx};
use goblin::elf::Elf;
use goblin::elf::header::{ELFCLASS64, EM_AARCH64, EM_X86_64, machine_to_str};
use goblin::elf::program_header::{PT_INTERP, ProgramHeader};

use crate::error::{Error, Result};

/// How much of a file's begin is read, bytes: linkers put the program headers there.
pub const HEAD: u64 = 4096;
/// Longest path of a loader, bytes (PATH_MAX).
const LONGEST: u64 = 4096;

#[cfg(target_arch = "x86_64")]
const HOST: (u16, &str) = (EM_X86_64, "x86_64");
#[cfg(target_arch = "aarch64")]
const HOST: (u16, &str) = (EM_AARCH64, "aarch64");

/// The loader (PT_INTERP) that a program asks for; `None` for a static one. `shown` is the path as the user gave it.
///
/// # Errors
/// Malformed, or for another machine.
pub fn loader(shown: &Path, program: &Path, head: &[u8]) -> Result<Option<PathBuf>> {
    let malformed = |problem: String| Error::Elf { path: shown.to_path_buf(), problem };
    let header = Elf::parse_header(head).map_err(|error| malformed(error.to_string()))?;
    if (header.e_machine, header.e_ident[4]) != (HOST.0, ELFCLASS64) {
        return Err(Error::Architecture { path: shown.to_path_buf(), found: name(header.e_machine), host: HOST.1 });
    }
    let endian = header.endianness().map_err(|error| malformed(error.to_string()))?;
    let (offset, count) = (header.e_phoff as usize, header.e_phnum as usize);
    let headers = ProgramHeader::parse(head, offset, count, Ctx::new(Container::Big, endian))
        .map_err(|error| malformed(format!("program headers: {error}")))?;
    let Some(interpreter) = headers.iter().find(|header| header.p_type == PT_INTERP) else { return Ok(None) };
    if interpreter.p_filesz == 0 || interpreter.p_filesz > LONGEST {
        return Err(malformed(format!("a loader's path of {} bytes", interpreter.p_filesz)));
    }
    let mut path = vec![0; interpreter.p_filesz as usize];
    let read = File::open(program).and_then(|file| file.read_exact_at(&mut path, interpreter.p_offset));
    read.map_err(|error| malformed(format!("the loader's path: {error}")))?;
    path.truncate(path.iter().position(|&byte| byte == 0).unwrap_or(path.len()));
    Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(path))))
}

fn name(machine: u16) -> String {
    match machine {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "aarch64".to_owned(),
        other => machine_to_str(other).trim_start_matches("EM_").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_head() -> (PathBuf, Vec<u8>) {
        let own = std::env::current_exe().unwrap();
        let mut head = vec![0; HEAD as usize];
        File::open(&own).unwrap().read_exact_at(&mut head, 0).unwrap();
        (own, head)
    }

    #[test]
    fn a_program_of_another_machine_names_both() {
        let (own, mut head) = own_head();
        head[18..20].copy_from_slice(&243u16.to_le_bytes());
        let error = loader(&own, &own, &head).unwrap_err().to_string();
        assert!(error.contains("riscv") && error.contains(HOST.1), "{error}");
    }

    #[test]
    fn damaged_heads_are_errors_not_panics() {
        let (own, head) = own_head();
        for at in 0..64 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = head.clone();
                damaged[at] = value;
                let _ = loader(&own, &own, &damaged);
                let _ = loader(&own, &own, &damaged[..at]);
            }
        }
    }
}
