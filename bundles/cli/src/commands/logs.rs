//! `logs`: what a detached agent has printed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::thread::sleep;
use std::time::Duration;

use crate::agent::Store;
use crate::error::{Error, Result};

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Prints the log; with `follow`, until the agent ends.
///
/// # Errors
/// No such agent, or it ran in the foreground and has no log.
pub fn logs(store: &Store, name: &str, follow: bool) -> Result<u8> {
    let (folder, _) = store.find(name)?;
    let path = folder.log();
    let mut log = File::open(&path).map_err(Error::file("open", &path))?;
    loop {
        // Asked before reading: what was printed before the end is printed here, too.
        let running = folder.load().is_ok_and(|agent| agent.is_running());
        match io::copy(&mut log, &mut io::stdout()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
            other => other.map_err(Error::file("copy", &path))?,
        };
        if !follow || !running {
            return Ok(0);
        }
        sleep(LOOK);
    }
}
