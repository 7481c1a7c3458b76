//! A run's results in every form that was asked for.

mod histogram;
mod hlog;
mod json;
mod text;

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::options::Options;
use crate::run::Run;

/// Text to standard output, files where they were named.
///
/// # Errors
/// A file that can't be written.
pub fn write(options: &Options, run: &Run) -> Result<()> {
    let to_stdout = options.json.as_deref() == Some(Path::new("-"));
    match &options.json {
        Some(_) if to_stdout => print!("{}", json::json(run)?),
        Some(path) => save(path, json::json(run)?.as_bytes())?,
        None => {}
    }
    if let Some(path) = &options.histfile {
        save(path, histogram::histogram(options.histogram, run).as_bytes())?;
    }
    if let Some(path) = &options.hlog {
        save(path, &hlog::log(run)?)?;
    }
    if !to_stdout {
        print!("{}", text::text(options, run));
    }
    Ok(())
}

fn save(path: &Path, text: &[u8]) -> Result<()> {
    fs::write(path, text).map_err(|error| Error::File { step: "write", path: path.to_path_buf(), error })
}

/// The command line as it was given.
fn command_line() -> String {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
