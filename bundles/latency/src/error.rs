//! Why a measurement can't be made or told.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

/// One variant a failed step.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each text says its variant")]
pub enum Error {
    #[error("cpus={list}: {problem}")]
    CpuList { list: String, problem: String },
    #[error("cpus={asked}: CPU {cpu} is not among those that this process may use: {allowed}")]
    CpuNotAllowed { asked: String, cpu: usize, allowed: String },
    #[error("CPU {cpu}: sched_setaffinity: {errno}")]
    Affinity { cpu: usize, errno: Errno },
    #[error("policy={policy} prio={priority} refused: {errno}; in a container the runtime sets it (policy=inherit)")]
    Policy { policy: &'static str, priority: u8, errno: Errno },
    #[error("prio={0} without policy=fifo or policy=rr has no meaning")]
    PriorityAlone(u8),
    #[error("mlockall: {0}; raise RLIMIT_MEMLOCK (org.rtrun.memory.lock=true, ulimit -l) or say mlock=false")]
    Lock(Errno),
    #[error("/dev/cpu_dma_latency: {0}; say dma-latency=off to measure with the idle states as they are")]
    DmaLatency(io::Error),
    #[error("{step}: {errno}")]
    Clock { step: &'static str, errno: Errno },
    #[error("start a measuring thread: {0}")]
    Thread(io::Error),
    #[error("the histogram of {what}: {problem}")]
    Histogram { what: &'static str, problem: String },
    #[error("{step} {path}: {error}")]
    File { step: &'static str, path: PathBuf, error: io::Error },
    #[error("interval={0:?}: between 1us and 1s")]
    Interval(std::time::Duration),
}

/// Shorthand.
pub type Result<T> = std::result::Result<T, Error>;
