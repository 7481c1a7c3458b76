use super::table::columns;
use super::{Command, Error, Globals, print};
use crate::host::Host;
use crate::metrics::{Exposition, FAMILIES, Syntax, container, node};
use std::path::{Path, PathBuf};

/// Print figures of the clock and of containers, all of this root or those named, as OpenMetrics
#[derive(clap::Parser)]
pub(super) struct Metrics {
    /// Write DIR/rtrun.prom for node_exporter's textfile collector instead
    #[arg(long, value_name = "DIR")]
    textfile: Option<PathBuf>,
    /// Print what each family of figures means instead
    #[arg(long, conflicts_with_all = ["textfile", "ids"])]
    describe: bool,
    /// Names of containers
    ids: Vec<String>,
}

impl Command for Metrics {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        if self.describe {
            return print(&description());
        }
        let store = globals.store();
        let containers = match self.ids.is_empty() {
            true => store
                .list()?
                .into_iter()
                .filter_map(|one| one.map_err(|error| globals.warn()(error.to_string())).ok())
                .collect(),
            false => self.ids.iter().map(|id| store.load(id)).collect::<Result<Vec<_>, _>>()?,
        };
        let mut exposition = Exposition::default();
        node(&mut exposition)?;
        let host = Host::default();
        containers.iter().for_each(|one| container(&host, one, &mut exposition));
        match &self.textfile {
            None => print(&exposition.text(Syntax::OpenMetrics)),
            Some(directory) => write(directory, &exposition.text(Syntax::Prometheus)),
        }
    }
}

/// Whole and renamed, so that the collector never reads half a file; its ending keeps the unfinished one out of sight.
fn write(directory: &Path, text: &str) -> Result<u8, Error> {
    let path = directory.join("rtrun.prom");
    let temporary = directory.join(format!(".rtrun.prom.{}", std::process::id()));
    let file = |source| Error::File { action: "writing", path: path.clone(), source };
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &path));
    written.inspect_err(|_| drop(std::fs::remove_file(&temporary))).map_err(file)?;
    Ok(0)
}

fn description() -> String {
    let mut rows = vec![["FAMILY", "TYPE", "UNIT", "LABELS", "MEANING"].map(String::from)];
    rows.extend(FAMILIES.iter().map(|family| {
        let unit = if family.unit.is_empty() { "-" } else { family.unit };
        let labels = if family.labels.is_empty() { "-".to_owned() } else { family.labels.join(" ") };
        [family.name.to_owned(), family.kind.name().to_owned(), unit.to_owned(), labels, family.help.to_owned()]
    }));
    columns(&rows)
}
