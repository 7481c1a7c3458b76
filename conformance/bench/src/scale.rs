//! What a command costs when many containers live: create, state, list and delete, against their number.

use std::path::Path;
use std::time::Duration;

use crate::bundle::Bundle;
use crate::contender::{Contender, Runtime};
use crate::error::Result;
use crate::host::Host;
use crate::process::Streams;
use crate::stats::Summary;

/// How many points a line has.
const POINTS: usize = 20;

/// One command's cost.
pub struct Series {
    /// The command.
    pub name: &'static str,
    /// Containers alive, and the median of the calls around that number in milliseconds.
    pub points: Vec<(usize, f64)>,
}

/// Makes `size` containers one after the other, whose inits wait, and takes them away again.
pub fn run(runtime: &Runtime, size: usize, host: &Host, bundle: &Bundle, streams: &Streams) -> Result<Vec<Series>> {
    let step = (size / POINTS).max(1);
    let [mut create, mut state, mut list, mut delete] =
        ["create", "state", "list", "delete"].map(|name| Series { name, points: Vec::new() });
    let show = runtime.command(host, &["state", "scale-0"].map(Path::new))?;
    let all = runtime.command(host, &["list", "--format", "json"].map(Path::new))?;
    let mut lives = Vec::new();
    let mut times = Vec::new();
    for number in 0..size {
        let id = format!("scale-{number}");
        let dir = bundle.sibling(&id, &["/bin/true"], &format!("{}/{id}", host.parent))?;
        let life = Contender::runtime(runtime, host, &dir, &id)?;
        times.push(life.create().time(streams)?);
        lives.push((id, life));
        if lives.len() % step == 0 {
            create.add(lives.len(), std::mem::take(&mut times));
            state.add(lives.len(), (0..9).map(|_| show.time(streams)).collect::<Result<_>>()?);
            list.add(lives.len(), (0..5).map(|_| all.time(streams)).collect::<Result<_>>()?);
        }
    }
    let mut times = Vec::new();
    while let Some((id, life)) = lives.pop() {
        let init = life.init()?;
        times.push(runtime.command(host, &["delete", "--force", &id].map(Path::new))?.time(streams)?);
        init.wait_end()?;
        if lives.len() % step == 0 {
            delete.add(lives.len() + 1, std::mem::take(&mut times));
        }
    }
    delete.points.reverse();
    Ok(vec![create, state, list, delete])
}

impl Series {
    fn add(&mut self, count: usize, times: Vec<Duration>) {
        self.points.extend(Summary::of_times(times).map(|summary| (count, summary.median)));
    }
}

/// Least and greatest count with its cost, a command a line.
pub fn text(series: &[Series]) -> String {
    let line = |series: &Series| {
        let ends = series.points.first().zip(series.points.last());
        let ends = ends.map(|((few, fast), (many, slow))| format!("{fast:.2} ms at {few}, {slow:.2} ms at {many}"));
        format!("* {} beside other containers: {}\n", series.name, ends.unwrap_or_default())
    };
    series.iter().map(line).collect()
}
