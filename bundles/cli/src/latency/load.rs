//! What runs beside a measurement: stress-ng on every CPU, and CPUs kept out of their deep idle states.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::Load as Profile;
use crate::error::{Error, Result, errno};

/// How long stress-ng has to fork its workers before a measurement begins.
const SETTLE: Duration = Duration::from_millis(300);

/// stress-ng while it runs.
#[derive(Debug)]
pub struct Load(Option<Child>);

impl Load {
    /// Starts it on all CPUs that are online.
    ///
    /// # Errors
    /// Not installed, or ended at once.
    pub fn start(profile: Profile) -> Result<Load> {
        if profile == Profile::None {
            return Ok(Load(None));
        }
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let program = || "stress-ng (package stress-ng)".to_owned();
        let spawned = Command::new("stress-ng")
            .args(profile.stressors(cpus))
            .args(["--quiet", "--temp-path", "/tmp"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let mut child = spawned.map_err(|error| Error::Start { program: program(), errno: errno(&error) })?;
        std::thread::sleep(SETTLE);
        match child.try_wait() {
            Ok(None) => Ok(Load(Some(child))),
            _ => Err(Error::Failed {
                program: program(),
                what: profile.stressors(cpus).join(" "),
                message: "ended at once".to_owned(),
            }),
        }
    }

    /// Ends it, and returns when its workers have ended as well.
    ///
    /// # Errors
    /// It can't be waited for.
    pub fn stop(mut self) -> Result<()> {
        self.end()
            .map_err(|error| Error::Start { program: "stress-ng, and wait for it".to_owned(), errno: errno(&error) })
    }

    fn end(&mut self) -> std::io::Result<()> {
        let Some(mut child) = self.0.take() else { return Ok(()) };
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        child.wait().map(drop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// `/dev/cpu_dma_latency` at 0 for as long as the file lives (Documentation/power/pm_qos_interface.rst): for every contender
/// alike, as a container has no such device. `None` where there is none.
pub fn hold_cpus_awake() -> Option<File> {
    let mut device = OpenOptions::new().write(true).open("/dev/cpu_dma_latency").ok()?;
    device.write_all(&0i32.to_ne_bytes()).ok()?;
    Some(device)
}
