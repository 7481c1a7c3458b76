//! Unit files: one service an agent, one target for the fleet (`systemd.service(5)`, `sd_notify(3)`).

use std::fmt::Write;
use std::path::Path;

use rtrun_hooks::CpuSet;

use super::{Fleet, Member};
use crate::cli::words;
use crate::error::{Error, Result, errno};
use crate::host::Cpus;

/// Writes `FLEET.target` and `FLEET-AGENT.service` for each agent into a folder.
///
/// # Errors
/// A file that can't be written, CPUs that are not there.
pub fn write(fleet: &Fleet, folder: &Path) -> Result<u8> {
    std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    let own = std::env::current_exe()
        .map_err(|error| Error::Start { program: "find this program".to_owned(), errno: errno(&error) })?;
    let host = Cpus::read()?;
    let mut taken = CpuSet::default();
    for member in &fleet.members {
        let cpus = member.options.cpus.as_deref().map(|asked| host.choose(asked, &taken)).transpose()?;
        taken = cpus.as_ref().map_or_else(|| taken.clone(), |cpus| taken.or(cpus));
        save(
            folder,
            &format!("{}.service", fleet.agent_name(member)),
            &service(fleet, member, &own, &host, cpus.as_ref()),
        )?;
    }
    save(folder, &format!("{}.target", fleet.name), &target(fleet))?;
    Ok(0)
}

fn save(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(Error::file("write", &path))?;
    println!("{}", path.display());
    Ok(())
}

fn target(fleet: &Fleet) -> String {
    let wants: Vec<String> =
        fleet.members.iter().map(|member| format!("{}.service", fleet.agent_name(member))).collect();
    format!(
        "[Unit]\nDescription=Fleet {}\nWants={}\n\n[Install]\nWantedBy=multi-user.target\n",
        fleet.name,
        wants.join(" ")
    )
}

/// The supervisor stays off the agent's CPUs; the container's cpuset puts the agent on them.
fn service(fleet: &Fleet, member: &Member, own: &Path, host: &Cpus, cpus: Option<&CpuSet>) -> String {
    let mut options = member.options.clone();
    options.name = Some(fleet.agent_name(member));
    options.app = std::path::absolute(&options.app).unwrap_or(options.app);
    options.cpus = cpus.map(ToString::to_string);
    // systemd restarts, and sees every end.
    let restart = match options.restart {
        crate::cli::Restart::No => "no",
        crate::cli::Restart::OnFailure(_) => "on-failure",
        crate::cli::Restart::Always => "always",
    };
    options.restart = crate::cli::Restart::No;
    let mut unit =
        format!("[Unit]\nDescription={} of fleet {}\nPartOf={}.target\n", member.name, fleet.name, fleet.name);
    let after: Vec<String> = member.after.iter().map(|name| format!("{}-{name}.service", fleet.name)).collect();
    if !after.is_empty() {
        let _ = write!(unit, "Requires={0}\nAfter={0}\n", after.join(" "));
    }
    let line: Vec<String> = words(&options).iter().map(|word| quoted(word)).collect();
    let _ = write!(
        unit,
        "\n[Service]\nType=notify\nNotifyAccess=main\nExecStart={} run {}\nRestart={restart}\nRestartSec=100ms\nKillMode=mixed\n",
        quoted(&own.to_string_lossy()),
        line.join(" ")
    );
    let housekeeping = cpus.map_or_else(|| host.online.clone(), |cpus| host.online.without(cpus));
    if !housekeeping.is_empty() {
        let _ = writeln!(unit, "CPUAffinity={housekeeping}");
    }
    if let Some(heartbeat) = member.health.and_then(|health| health.heartbeat) {
        let _ = writeln!(unit, "WatchdogSec={}ms", heartbeat.as_millis().max(1));
    }
    unit
}

/// A word of ExecStart: `systemd.service(5)`, "Command lines": quotes, `%` and `$` doubled.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+%$".contains(c);
    if !escaped.is_empty() && escaped.chars().all(plain) { escaped } else { format!("\"{escaped}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        assert_eq!(quoted("board=4x4 region=1"), "\"board=4x4 region=1\"");
        assert_eq!(quoted("50%"), "50%%");
        assert_eq!(quoted("a\"b$c"), "\"a\\\"b$$c\"");
    }
}
