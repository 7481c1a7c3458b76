use super::table::Format;
use super::{Command, Error, Globals, container_cgroup, print};
use nix::unistd::Pid;
use std::process;

/// List the processes of a container
#[derive(clap::Parser)]
pub(super) struct Ps {
    /// How to print them; json is the process IDs only
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Name of the container
    id: String,
    /// Options for ps(1), whose output must have a PID column [default: -ef]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    options: Vec<String>,
}

impl Command for Ps {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        let container = globals.store().load(&self.id)?;
        let pids: Vec<i32> = container_cgroup(&container)?.processes()?.into_iter().map(Pid::as_raw).collect();
        if self.format == Format::Json {
            return print(&format!("{}\n", serde_json::to_string(&pids)?));
        }
        let options = if self.options.is_empty() { vec!["-ef".to_owned()] } else { self.options };
        let output = process::Command::new("ps")
            .args(&options)
            .stderr(process::Stdio::inherit())
            .output()
            .map_err(|source| Error::File { action: "running", path: "ps".into(), source })?;
        if !output.status.success() {
            return Err(Error::Ps(output.status));
        }
        print(&of_container(&String::from_utf8_lossy(&output.stdout), &pids).ok_or(Error::NoPidColumn)?)
    }
}

/// The lines of ps(1)'s output, the title first, that are about one of `pids`; none without a PID column.
fn of_container(output: &str, pids: &[i32]) -> Option<String> {
    let mut lines = output.lines();
    let title = lines.next()?;
    let column = title.split_ascii_whitespace().position(|word| word == "PID")?;
    let pid = |line: &str| line.split_ascii_whitespace().nth(column).and_then(|word| word.parse().ok());
    let ours = lines.filter(|line| pid(line).is_some_and(|pid| pids.contains(&pid)));
    Some(std::iter::once(title).chain(ours).map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_containers_lines_are_kept() {
        let output = "UID   PID PPID CMD\nroot    1    0 init\nroot   17    1 sh -c 1\n";
        assert_eq!(of_container(output, &[17]).unwrap(), "UID   PID PPID CMD\nroot   17    1 sh -c 1\n");
        assert_eq!(of_container("CMD\nsh\n", &[17]), None);
    }
}
