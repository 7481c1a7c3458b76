use super::{Command, Error, Globals, print};
use crate::check::{self, Item, Profile, Verdict, Wanted};
use crate::host::Host;
use crate::spec::{self, Spec};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// Exit code of a check with failures: 1 is that of a command that could not be run.
const NOT_READY: u8 = 2;

/// Check whether this host is ready for real-time containers: exit code 0 if so, 2 if not
#[derive(clap::Parser)]
pub(super) struct Check {
    /// For the container of this bundle
    #[arg(short, long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// For a container with this annotation; repeatable, and added to the bundle's
    #[arg(short, long = "annotations", visible_alias = "annotation", value_name = "KEY=VALUE", value_parser = pair)]
    annotations: Vec<(String, String)>,
    /// What the host is to be
    #[arg(short, long, value_enum, default_value_t = Profile::Node)]
    profile: Profile,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    format: Output,
    /// Count warnings as failures
    #[arg(long)]
    strict: bool,
}

/// `--format` of `check`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Output {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// For callers.
    Json,
}

/// The JSON.
#[derive(Serialize)]
struct Report<'a> {
    profile: Profile,
    ready: bool,
    summary: BTreeMap<&'static str, usize>,
    items: &'a [Item],
}

impl Command for Check {
    fn run(self, _: &Globals) -> Result<u8, Error> {
        let wanted = match self.spec()? {
            Some(spec) => Wanted::of(&spec)?,
            None => Wanted::default(),
        };
        let items = check::run(&Host::default(), &wanted, self.profile)?;
        let worst = if self.strict { Verdict::Warn } else { Verdict::Fail };
        let ready = items.iter().all(|item| item.verdict < worst);
        let text = match self.format {
            Output::Json => {
                let report = Report { profile: self.profile, ready, summary: summary(&items), items: &items };
                format!("{}\n", serde_json::to_string_pretty(&report)?)
            }
            Output::Text => text(&items, ready),
        };
        print(&text)?;
        Ok(if ready { 0 } else { NOT_READY })
    }
}

impl Check {
    /// The configuration to check for; none where the host itself is.
    fn spec(&self) -> Result<Option<Spec>, Error> {
        let mut spec = match &self.bundle {
            Some(bundle) => spec::load(bundle, None)?,
            None if self.annotations.is_empty() => return Ok(None),
            None => Spec::default(),
        };
        spec.annotations.extend(self.annotations.iter().cloned());
        Ok(Some(spec))
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("an annotation is KEY=VALUE, such as org.rtrun.cpus=2-3")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn summary(items: &[Item]) -> BTreeMap<&'static str, usize> {
    let count = |verdict| items.iter().filter(|item| item.verdict == verdict).count();
    [Verdict::Ok, Verdict::Unknown, Verdict::Warn, Verdict::Fail].map(|verdict| (word(verdict), count(verdict))).into()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Unknown => "unknown",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
    }
}

fn text(items: &[Item], ready: bool) -> String {
    let mut text = String::new();
    let width = items.iter().map(|item| item.id.len()).max().unwrap_or(0);
    for Item { id, verdict, found, why, remedy } in items {
        let _ = writeln!(text, "{:<7}  {id:width$}  {found}", word(*verdict));
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<7}  {:width$}  why:  {why}\n{0:<7}  {1:width$}  mend: {remedy}", "", "");
        }
    }
    let counts: Vec<_> = summary(items).into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let _ = writeln!(text, "\n{}: {}", if ready { "ready" } else { "not ready" }, counts.join(", "));
    text
}
