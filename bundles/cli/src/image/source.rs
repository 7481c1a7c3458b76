//! Where an image's parts are read from: a folder, or a tar file whose members are found by one pass over its headers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::compress;
use crate::error::{Error, Result};

/// A folder or tar file.
#[derive(Debug)]
pub enum Source {
    /// An OCI layout as a folder.
    Folder(PathBuf),
    /// A tar file: where the content of each member is.
    Tar {
        /// The file itself, or what it decompresses to.
        file: File,
        /// Offset and length by name.
        members: BTreeMap<String, (u64, u64)>,
    },
}

impl Source {
    /// `None` for a file that is no tar.
    ///
    /// # Errors
    /// Can't be read.
    pub fn open(path: &Path) -> Result<Option<Source>> {
        if path.is_dir() {
            return Ok(Some(Source::Folder(path.to_path_buf())));
        }
        let mut file = File::open(path).map_err(Error::file("open", path))?;
        let decoded = |problem: String| Error::Malformed { path: path.to_path_buf(), problem };
        if compress::is_compressed(&mut file).map_err(Error::file("read", path))? {
            // Members are read out of order, which only a plain file can do; it has no name and ends with this process.
            let mut plain = tempfile(path)?;
            let mut decoder = compress::decoder(file).map_err(decoded)?;
            io::copy(&mut decoder, &mut plain).map_err(Error::file("decompress", path))?;
            file = plain;
        }
        file.rewind().map_err(Error::file("read", path))?;
        Ok(members(&file).map(|members| Source::Tar { file, members }))
    }

    /// Whether there is such a part.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Source::Folder(folder) => folder.join(name).is_file(),
            Source::Tar { members, .. } => members.contains_key(name),
        }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        matches!(self, Source::Folder(_))
    }

    /// A part's bytes; the whole tar for the empty name.
    ///
    /// # Errors
    /// There is no such part.
    pub fn read(&mut self, name: &str) -> Result<Box<dyn Read + '_>> {
        match self {
            Source::Folder(folder) => {
                let path = folder.join(name);
                let outside = Path::new(name).components().any(|part| !matches!(part, std::path::Component::Normal(_)));
                if outside {
                    return Err(Error::Malformed { path, problem: "a part outside of the image".to_owned() });
                }
                Ok(Box::new(File::open(&path).map_err(Error::file("open", &path))?))
            }
            Source::Tar { file, members } => {
                let whole = (0, u64::MAX);
                let &(offset, length) = if name.is_empty() { &whole } else { found(members, name)? };
                file.seek(SeekFrom::Start(offset)).map_err(Error::file("seek in", name.as_ref()))?;
                Ok(Box::new(file.take(length)))
            }
        }
    }

    /// SHA-256 of the whole tar, hexadecimal.
    ///
    /// # Errors
    /// Can't be read.
    pub fn digest(&mut self, path: &Path) -> Result<String> {
        let mut checked = Checked::new(self.read("")?, None);
        io::copy(&mut checked, &mut io::sink()).map_err(Error::file("read", path))?;
        Ok(checked.sum())
    }
}

fn found<'a>(members: &'a BTreeMap<String, (u64, u64)>, name: &str) -> Result<&'a (u64, u64)> {
    members
        .get(name)
        .ok_or_else(|| Error::Malformed { path: name.into(), problem: "is named and not in the archive".to_owned() })
}

/// Names as written, without a leading `./`; `None` if the first header is no tar header.
fn members(file: &File) -> Option<BTreeMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(file);
    let mut members = BTreeMap::new();
    for entry in archive.entries_with_seek().ok()? {
        let entry = entry.ok()?;
        let name =
            String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").trim_end_matches('/').to_owned();
        members.insert(name, (entry.raw_file_position(), entry.size()));
    }
    (!members.is_empty()).then_some(members)
}

fn tempfile(path: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let folder = std::env::temp_dir();
    let opened = File::options().read(true).write(true).mode(0o600).custom_flags(libc::O_TMPFILE).open(&folder);
    opened.map_err(Error::file("decompress to a temporary file", path))
}

/// Bytes that are summed on their way.
pub struct Checked<R> {
    inner: R,
    sum: Sha256,
    wanted: Option<String>,
}

impl<R: Read> Checked<R> {
    /// Checked by [`Checked::finish`] against `wanted`, hexadecimal.
    pub fn new(inner: R, wanted: Option<String>) -> Checked<R> {
        Checked { inner, sum: Sha256::new(), wanted }
    }

    /// Reads what is left, and compares.
    ///
    /// # Errors
    /// Other bytes than the image says.
    pub fn finish(mut self) -> std::result::Result<(), String> {
        io::copy(&mut self, &mut io::sink()).map_err(|error| error.to_string())?;
        let wanted = self.wanted.take();
        let found = self.sum();
        match wanted {
            Some(wanted) if wanted != found => Err(format!("its SHA-256 is {found}, and the image says {wanted}")),
            _ => Ok(()),
        }
    }

    /// SHA-256 of what was read, hexadecimal.
    pub fn sum(self) -> String {
        self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.sum.update(&buffer[..length]);
        Ok(length)
    }
}
