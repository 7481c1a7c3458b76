//! State on disk that all processes of the node share: a lock, and a file that is written whole and renamed.

use super::Error;
use super::book::{Book, VERSION};
use crate::host::{Host, errno};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long another may hold the lock: some hundred containers that start at once come through in less.
const PATIENCE: Duration = Duration::from_secs(30);

/// The files of one such state.
#[derive(Debug)]
pub(crate) struct Names {
    pub lock: &'static str,
    pub file: &'static str,
    pub next: &'static str,
}

const LEDGER: Names = Names { lock: "lock", file: "ledger.json", next: "ledger.json.next" };

/// The lock, given back when dropped or when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Locked {
    dir: PathBuf,
    names: &'static Names,
    _lock: Flock<File>,
}

/// The ledger's lock; `None` when there is no ledger here and none is to be made.
pub(super) fn lock_ledger(dir: &Path, make: bool) -> Result<Option<Locked>, Error> {
    lock(dir, &LEDGER, make)
}

/// Takes the lock; `None` when there is none and none is to be made.
pub(crate) fn lock(dir: &Path, names: &'static Names, make: bool) -> Result<Option<Locked>, Error> {
    let path = dir.join(names.lock);
    let open =
        || std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = match open() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !make => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(|error| Error::Directory { path: dir.to_owned(), errno: errno(error) })?;
            open()
        }
        other => other,
    };
    let file = file.map_err(|error| Error::Lock { path: path.clone(), errno: errno(error) })?;
    let mut lock = wait(file, &path)?;
    // For whoever waits in vain; the lock itself is the kernel's.
    let _ = lock.rewind().and_then(|()| lock.set_len(0)).and_then(|()| write!(lock, "{}", std::process::id()));
    Ok(Some(Locked { dir: dir.to_owned(), names, _lock: lock }))
}

/// flock(2) has no time limit of its own, and a stopped holder must not stop every container of the node for ever.
fn wait(mut file: File, path: &Path) -> Result<Flock<File>, Error> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) if start.elapsed() < PATIENCE => file,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Error::Busy { path: path.to_owned(), holder, seconds: PATIENCE.as_secs() });
            }
            Err((_, errno)) => return Err(Error::Lock { path: path.to_owned(), errno }),
        };
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

impl Locked {
    /// What is remembered of this boot.
    pub(super) fn load(&self, host: &Host) -> Result<Book, Error> {
        load(&self.dir, host)
    }

    /// Puts the book in the place of the old one.
    pub(super) fn save(&self, book: &Book) -> Result<(), Error> {
        let path = self.dir.join(self.names.next);
        let text = serde_json::to_vec(book);
        self.write(&text.map_err(|error| Error::File { step: "writing", path, errno: errno(error.into()) })?)
    }

    /// The file's text, if there is a file.
    pub(crate) fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        read(&self.dir.join(self.names.file))
    }

    /// Writes the text beside the old one and puts it in its place: whoever reads sees the one or the other.
    pub(crate) fn write(&self, text: &[u8]) -> Result<(), Error> {
        let (next, path) = (self.dir.join(self.names.next), self.dir.join(self.names.file));
        let failed = |step| {
            let path = next.clone();
            move |error: std::io::Error| Error::File { step, path, errno: errno(error) }
        };
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut out = options.open(&next).map_err(failed("writing"))?;
        out.write_all(text).map_err(failed("writing"))?;
        std::fs::rename(&next, &path).map_err(failed("renaming"))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::File { step: "reading", path: path.to_owned(), errno: errno(error) }),
    }
}

/// Reads without the lock: the file is always whole.
pub(super) fn load(dir: &Path, host: &Host) -> Result<Book, Error> {
    let boot = host.boot_id().map_err(|(path, errno)| Error::File { step: "reading", path, errno })?;
    let path = dir.join(LEDGER.file);
    let Some(text) = read(&path)? else { return Ok(Book::new(boot)) };
    let malformed = |message: String| Error::Malformed { path: path.clone(), message };
    let book: Book = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    if book.version != VERSION {
        return Err(malformed(format!("its version is {}, this program's is {VERSION}", book.version)));
    }
    // The kernel of another boot knows nothing of these values.
    Ok(if book.boot == boot { book } else { Book::new(boot) })
}
