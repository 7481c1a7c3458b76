use super::table::{Format, columns};
use super::{Command, Error, Globals, print};
use crate::cgroup::Cgroup;
use crate::host::Host;
use crate::report::{Step, What};
use crate::spec::{Spec, load, validate};
use serde::Serialize;
use std::path::PathBuf;

/// Print what a bundle's container would be given on this host, in order, and change nothing
#[derive(clap::Parser)]
pub(super) struct Plan {
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Name that the container would have
    #[arg(long, value_name = "ID", default_value = "ID")]
    id: String,
    /// The bundle's folder
    #[arg(value_name = "BUNDLE", default_value = ".")]
    bundle: PathBuf,
}

/// The JSON.
#[derive(Serialize)]
struct Printed {
    steps: Vec<Row>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

/// One step.
#[derive(Serialize)]
struct Row {
    what: What,
    target: String,
    value: String,
    asked: String,
}

impl Command for Plan {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        validate::id(&self.id)?;
        let mut spec = load(&self.bundle, None)?;
        validate::validate(&spec, &self.bundle)?.into_iter().for_each(globals.warn());
        let cgroup = Cgroup::plan(&spec, &self.id, globals.manager, globals.is_rootless())?;
        let plan = crate::plan::Plan::for_container(&mut spec, &cgroup, &Host::default()).map_err(Box::new)?;
        let printed = match plan {
            Some(plan) => {
                Printed { steps: plan.steps.into_iter().map(row).collect(), warnings: plan.warnings, notes: plan.notes }
            }
            None => Printed { steps: plain(&spec, &cgroup)?, warnings: Vec::new(), notes: Vec::new() },
        };
        match self.format {
            Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&printed)?)),
            Format::Table => print(&text(&printed)),
        }
    }
}

/// A container that asks for nothing beyond its limits.
fn plain(spec: &Spec, cgroup: &Cgroup) -> Result<Vec<Row>, Error> {
    let resources = spec.linux.resources.clone().unwrap_or_default();
    let files = cgroup.files(&resources)?.into_iter();
    let row = |file: crate::cgroup::PlannedFile| Row {
        what: What::Cgroup,
        target: file.path.display().to_string(),
        value: file.value,
        asked: file.field,
    };
    Ok(files.map(row).collect())
}

fn row(step: Step) -> Row {
    let Step { what, target, value, asked, .. } = step;
    Row { what, target, value, asked }
}

fn text(printed: &Printed) -> String {
    let mut rows = vec![["STEP", "TARGET", "VALUE", "ASKED BY"].map(String::from)];
    rows.extend(
        printed
            .steps
            .iter()
            .map(|row| [row.what.to_string(), row.target.clone(), row.value.clone(), row.asked.clone()]),
    );
    let mut text = columns(&rows);
    printed.warnings.iter().for_each(|warning| text.push_str(&format!("warning: {warning}\n")));
    printed.notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
    text
}
