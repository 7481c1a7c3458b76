//! Completions and man pages, from the one definition of the command line.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::{Error, Result};

/// Prints what a shell completes by.
///
/// # Errors
/// None today.
pub fn completions(shell: Shell) -> Result<u8> {
    clap_complete::generate(shell, &mut Cli::command(), "rt-container-cli", &mut std::io::stdout());
    Ok(0)
}

/// Writes `rt-container-cli.1` and a page for each command.
///
/// # Errors
/// A folder that can't be made or written to.
pub fn man(folder: &Path) -> Result<u8> {
    std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(Error::file("write into", folder))?;
    Ok(0)
}
