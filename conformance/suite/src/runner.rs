//! Every selected case against every runtime, in order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use crate::cases;
use crate::harness::call::pause;
use crate::harness::isolate::KILLED;
use crate::harness::kmsg::Kmsg;
use crate::harness::need::Ring;
use crate::harness::{Case, leftovers, rootfs};
use crate::options::Options;
use crate::report::progress::Progress;
use crate::report::{self, Cell, Report, Result, Row};

/// Runs what the options ask for and prints the report.
pub fn run(options: &Options) -> std::result::Result<ExitCode, String> {
    let selected: Vec<Case> = cases::selected(options.filter.as_deref()).collect();
    if selected.is_empty() {
        return Err(format!("no case matches {:?}", options.filter.as_deref().unwrap_or_default()));
    }
    let runtimes: Vec<PathBuf> =
        options.runtimes.iter().map(|path| find(path)).collect::<std::result::Result<_, _>>()?;
    let _hugetlb = if options.hugetlb_v1 { Some(HugetlbV1::mount()?) } else { None };
    let run = Run::prepare(options)?;
    let report = run.all(&selected, &runtimes);
    print!("{}", report::print(&report, options.format));
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What all jobs of one run share.
struct Run<'a> {
    options: &'a Options,
    dir: PathBuf,
    template: PathBuf,
    executable: PathBuf,
}

impl Run<'_> {
    fn prepare(options: &Options) -> std::result::Result<Run<'_>, String> {
        let text = |what: &str, error: std::io::Error| format!("{what}: {error}");
        let dir = std::env::temp_dir().join(format!("rtrun-conformance-{}", std::process::id()));
        let template = dir.join("template");
        let executable = std::env::current_exe().map_err(|error| text("own path", error))?;
        let probe = rootfs::is_static(&executable).then_some(executable.as_path());
        let busybox = rootfs::find_busybox(options.busybox.as_deref())?;
        rootfs::build(&template, &busybox, probe).map_err(|error| text("build root filesystem", error))?;
        Ok(Run { options, dir, template, executable })
    }

    /// The jobs, spread over `--jobs` threads; each thread runs all runtimes of a case one after the other.
    fn all(&self, selected: &[Case], runtimes: &[PathBuf]) -> Report {
        let unusable: Vec<Option<String>> = runtimes.iter().skip(1).map(|runtime| self.unusable(runtime)).collect();
        let next = Mutex::new(0..selected.len());
        let rows = Mutex::new(Vec::new());
        let progress = Mutex::new(Progress::new(selected.len()));
        let node = Mutex::new(());
        let work = || {
            while let Some(index) = next.lock().map_or(None, |mut next| next.next()) {
                // partitions and interrupts are the whole machine's: two of these at once take each other's CPU
                let _alone = selected[index].topic.starts_with("realtime").then(|| node.lock());
                let cell = |(column, runtime): (usize, &PathBuf)| match column
                    .checked_sub(1)
                    .and_then(|peer| unusable[peer].clone())
                {
                    Some(reason) => Cell { result: Result::Skip(reason), time: Duration::ZERO, kept: None },
                    None => self.cell(&selected[index], runtime, &format!("rtc-{index}-{column}")),
                };
                let row = Row { case: selected[index], cells: runtimes.iter().enumerate().map(cell).collect() };
                if let Ok(mut progress) = progress.lock() {
                    progress.row(&row);
                }
                if let Ok(mut rows) = rows.lock() {
                    rows.push((index, row));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.options.jobs.max(1) {
                scope.spawn(work);
            }
        });
        if let Ok(progress) = progress.lock() {
            progress.end();
        }
        let mut rows = rows.into_inner().unwrap_or_default();
        rows.sort_by_key(|(index, _)| *index);
        Report { runtimes: runtimes.to_vec(), rows: rows.into_iter().map(|(_, row)| row).collect() }
    }

    /// Why a peer can't run even `true` here; such a peer's cases are skipped.
    fn unusable(&self, runtime: &Path) -> Option<String> {
        let trivial = cases::all().find(|case| case.full_name() == cases::TRIVIAL)?;
        match self.cell(&trivial, runtime, "rtc-trivial").result {
            Result::Fail(message) => Some(format!("can't run `true` here: {message}")),
            _ => None,
        }
    }

    /// One case against one runtime, whatever happens cleaned up after it.
    fn cell(&self, case: &Case, runtime: &Path, serial: &str) -> Cell {
        let id = format!("{serial}-{}", std::process::id());
        let dir = self.dir.join(&id);
        let mut kernel = Kmsg::from_now();
        let start = Instant::now();
        let result = match fs::create_dir_all(&dir) {
            Ok(()) => self.job(case, runtime, &dir, &id),
            Err(error) => Result::Fail(format!("make {}: {error}", dir.display())),
        };
        let time = start.elapsed();
        let kept = match &result {
            Result::Fail(message) => self.keep(case, runtime, &dir, message, &mut kernel),
            _ => None,
        };
        leftovers::sweep(&id, Some(&dir));
        Cell { result, time, kept }
    }

    /// Starts the job's process, gives it its time, reads the verdict.
    fn job(&self, case: &Case, runtime: &Path, dir: &Path, id: &str) -> Result {
        let mut command = Command::new(&self.executable);
        command.arg("case").args(["--name", &case.full_name(), "--id", id]);
        command.arg("--ring").arg(match self.options.ring {
            Ring::Host => "host",
            Ring::Lab => "lab",
        });
        command.arg("--runtime").arg(runtime).arg("--dir").arg(dir).arg("--template").arg(&self.template);
        let (out, err) = (dir.join("verdict"), dir.join("verdict.err"));
        let files = (fs::File::create(&out), fs::File::create(&err));
        let (Ok(stdout), Ok(stderr)) = files else { return Result::Fail("the suite can't write its folder".into()) };
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => return Result::Fail(format!("start the case's process: {error}")),
        };
        let (start, limit) = (Instant::now(), Duration::from_secs(self.options.timeout));
        let status = loop {
            if let Ok(Some(status)) = child.try_wait() {
                break status;
            }
            if start.elapsed() > limit {
                let _ = child.kill();
                leftovers::thaw(id);
                let _ = child.wait();
                return Result::Fail(format!("did not end within {limit:?}"));
            }
            pause(start.elapsed());
        };
        if status.code() == Some(i32::from(KILLED)) {
            return Result::Fail("the runtime killed a process that is not the container's: the case itself".into());
        }
        verdict(&fs::read_to_string(&out).unwrap_or_default()).unwrap_or_else(|| {
            Result::Fail(format!("the suite broke: {}", fs::read_to_string(&err).unwrap_or_default()))
        })
    }

    /// A copy of the folder of a case that failed: bundle, outputs, the message, what the kernel logged meanwhile.
    fn keep(
        &self,
        case: &Case,
        runtime: &Path,
        dir: &Path,
        message: &str,
        kernel: &mut Option<Kmsg>,
    ) -> Option<PathBuf> {
        let of_runtime = self.options.keep.join(runtime.file_name().unwrap_or_default());
        let to = of_runtime.join(case.full_name().replace('/', "-"));
        let log = kernel.as_mut().map_or("/dev/kmsg can't be read here\n".to_string(), Kmsg::lines);
        let _ = fs::write(dir.join("message"), format!("{message}\n{}\n", report::reproduce(case, runtime)));
        let _ = fs::write(dir.join("kernel.log"), log);
        let _ = fs::create_dir_all(&of_runtime);
        let _ = fs::remove_dir_all(&to);
        let copied = Command::new("cp").args(["-a", "--"]).arg(dir).arg(&to).status();
        if copied.is_ok_and(|status| status.success()) {
            return Some(to);
        }
        eprintln!("rtrun-conformance: could not keep {}", to.display());
        None
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The verdict in the last line that the case's process printed.
fn verdict(text: &str) -> Option<Result> {
    let value: Value = serde_json::from_str(text.lines().last()?).ok()?;
    let message = value["message"].as_str()?.to_string();
    match value["verdict"].as_str()? {
        "pass" => Some(Result::Pass),
        "fail" => Some(Result::Fail(message)),
        "skip" => Some(Result::Skip(message)),
        _ => None,
    }
}

/// A runtime's absolute path: as given if it has a slash, else by PATH.
fn find(runtime: &Path) -> std::result::Result<PathBuf, String> {
    let direct = || fs::canonicalize(runtime).ok();
    let searched = || {
        let path = std::env::var_os("PATH")?;
        let mut places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
        places.find_map(|dir| fs::canonicalize(dir.join(runtime)).ok())
    };
    let found = if runtime.components().count() > 1 { direct() } else { searched().or_else(direct) };
    found.ok_or_else(|| format!("runtime {} not found", runtime.display()))
}

/// The v1 hugetlb hierarchy, mounted in a mount namespace of the suite's own for as long as this lives.
struct HugetlbV1;

impl HugetlbV1 {
    const POINT: &'static str = "/sys/fs/cgroup/hugetlb";

    fn mount() -> std::result::Result<HugetlbV1, String> {
        let text = |what: &'static str| move |error: nix::errno::Errno| format!("--hugetlb-v1: {what}: {error}");
        let none: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS).map_err(text("unshare"))?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(text("make / private"))?;
        fs::create_dir_all(Self::POINT).map_err(|error| format!("--hugetlb-v1: make {}: {error}", Self::POINT))?;
        let options = Some("hugetlb");
        mount(Some("cgroup"), Self::POINT, Some("cgroup"), MsFlags::empty(), options).map_err(text("mount"))?;
        Ok(HugetlbV1)
    }
}

impl Drop for HugetlbV1 {
    fn drop(&mut self) {
        let _ = umount2(Self::POINT, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(Self::POINT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_verdict() {
        let text = "noise\n{\"verdict\":\"skip\",\"message\":\"no v2\"}\n";
        assert_eq!(verdict(text), Some(Result::Skip("no v2".into())));
        assert_eq!(verdict(""), None);
        assert_eq!(verdict("{\"verdict\":\"maybe\",\"message\":\"\"}"), None);
    }

    #[test]
    fn a_name_is_looked_up_in_path() {
        assert!(find(Path::new("sh")).is_ok_and(|path| path.is_absolute()));
        assert!(find(Path::new("/no/such/runtime")).is_err());
    }
}
