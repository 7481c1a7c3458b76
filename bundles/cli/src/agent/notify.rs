//! Under systemd: tell it when the program runs, and that it is well for as long as it publishes metrics (`sd_notify(3)`).

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::runtime::Runtime;

/// How often the runtime is asked whether the program runs.
const ASK: Duration = Duration::from_millis(10);

/// Whether a service manager waits to be told.
pub fn wanted() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Starts a thread that does so; it ends with the process.
pub fn begin(runtime: Runtime, name: String, metrics: PathBuf) {
    let mut limit = 0;
    let watchdog = sd_notify::watchdog_enabled(false, &mut limit).then(|| Duration::from_micros(limit));
    std::thread::spawn(move || {
        while !runs(&runtime, &name) {
            sleep(ASK);
        }
        // A manager that is gone has nobody to be told.
        let _ = sd_notify::notify(false, &[NotifyState::Ready]);
        let Some(limit) = watchdog else { return };
        loop {
            sleep(limit / 3);
            let age = std::fs::metadata(&metrics)
                .and_then(|metadata| metadata.modified())
                .ok()
                .and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age < limit) {
                let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
            }
        }
    });
}

fn runs(runtime: &Runtime, name: &str) -> bool {
    let state = runtime.call(&["state", name]).ok();
    let state = state.and_then(|output| serde_json::from_slice::<serde_json::Value>(&output.stdout).ok());
    state.is_some_and(|state| state["status"] == "running")
}
