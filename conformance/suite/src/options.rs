//! The command line.

use std::path::PathBuf;

use crate::harness::need::Ring;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs OCI runtime cases against one or more runtimes and prints one table.
///
/// The exit code is 1 if the first runtime named fails any case, 2 if the suite itself could not run.
#[derive(Parser, Debug)]
#[command(name = "rtrun-conformance", version, subcommand_negates_reqs = true)]
pub struct Options {
    /// Runtime to test: a path, or a name looked up in PATH; the first one decides the exit code
    #[arg(long = "runtime", value_name = "PATH", required_unless_present = "list")]
    pub runtimes: Vec<PathBuf>,
    /// Only cases whose `topic/name` contains this; `=topic/name` selects exactly one
    #[arg(long, value_name = "SUBSTR")]
    pub filter: Option<String>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Print the names of the cases, the ring that each needs and what of it, and end
    #[arg(long)]
    pub list: bool,
    /// Where each case that failed leaves a folder: bundle, outputs, message, kernel messages
    #[arg(long, value_name = "DIR", default_value = "/tmp/rtrun-conformance-failed")]
    pub keep: PathBuf,
    /// Cases run at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// A statically linked busybox for the root filesystem
    #[arg(long, value_name = "PATH")]
    pub busybox: Option<PathBuf>,
    /// Where this is: on the host what the machine lacks is skipped, in the lab what the lab promises must be there
    #[arg(long, value_enum, default_value_t = Ring::Host)]
    pub ring: Ring,
    /// Seconds that one case may take
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    pub timeout: u64,
    /// Mount the v1 hugetlb hierarchy for the run, in a mount namespace of the suite's own: crun refuses a hybrid
    /// layout whose v2 tree still has a controller
    #[arg(long)]
    pub hugetlb_v1: bool,
    /// What the suite starts itself as
    #[command(subcommand)]
    pub hidden: Option<Hidden>,
}

/// How results are printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table for people
    Text,
    /// Test Anything Protocol, version 13
    Tap,
    /// One JSON document
    Json,
    /// JUnit XML, one test suite a runtime
    Junit,
}

/// The roles in which the suite starts its own binary.
#[derive(Subcommand, Debug)]
pub enum Hidden {
    /// Inside a container: observe what busybox cannot
    #[command(hide = true)]
    Probe {
        /// Name of the probe
        what: String,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// In a process of its own: run one case against one runtime, result as one JSON line on stdout
    #[command(hide = true)]
    Case(Job),
}

/// One case against one runtime.
#[derive(Args, Debug, Clone)]
pub struct Job {
    /// Full name of the case
    #[arg(long)]
    pub name: String,
    /// Absolute path of the runtime
    #[arg(long)]
    pub runtime: PathBuf,
    /// The job's own directory, made by the parent and removed by it
    #[arg(long)]
    pub dir: PathBuf,
    /// The root filesystem that bundles are copied from
    #[arg(long)]
    pub template: PathBuf,
    /// As the option of the whole run
    #[arg(long, value_enum)]
    pub ring: Ring,
    /// Container id, and the last component of cgroupsPath
    #[arg(long)]
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_keep_their_order() {
        let options = Options::parse_from(["x", "--runtime", "rtrun", "--runtime", "crun", "--format", "tap"]);
        assert_eq!(options.runtimes, [PathBuf::from("rtrun"), PathBuf::from("crun")]);
        assert_eq!(options.format, Format::Tap);
        assert_eq!(options.jobs, 1);
    }

    #[test]
    fn a_runtime_is_required_unless_listing() {
        assert!(Options::try_parse_from(["x"]).is_err());
        assert!(Options::try_parse_from(["x", "--list"]).is_ok());
    }

    #[test]
    fn probe_takes_arguments_with_dashes() {
        let options = Options::parse_from(["x", "probe", "syscall", "-1", "--flag"]);
        let Some(Hidden::Probe { what, args }) = options.hidden else { panic!("not a probe") };
        assert_eq!((what.as_str(), args.len()), ("syscall", 2));
    }
}
