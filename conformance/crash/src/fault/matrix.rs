//! Every system call of every command fails once: the command says so and undoes what it did, or the failure is known
//! to be harmless and why is written in [`super::tolerated`].

use super::deeds::Deed;
use super::inject::{self, Fault, Place, Run};
use super::tolerated;
use crate::Context;
use crate::leftovers;
use crate::outcome::{Check, Stop, fail, must};
use crate::sandbox::Sandbox;
use nix::errno::Errno;
use std::time::Instant;

/// A line of the table of faults.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Row {
    /// The command.
    pub deed: &'static str,
    /// `rtrun`, or `child`: the init or the process of exec before its program.
    pub who: &'static str,
    /// The system call and its path, with what differs from run to run taken out.
    pub place: String,
    /// The error given.
    pub errno: &'static str,
    /// The error in words.
    pub described: &'static str,
    /// What the user gets.
    pub gets: String,
}

/// Each call of the command fails with each of its errors, or, where that takes longer than the context's patience,
/// each n-th of them does.
pub fn once(context: &Context, deed: &'static Deed) -> Check {
    let sandbox = Sandbox::new(&context.runtime, &format!("fault-{}", deed.name))?;
    let faults = plan(&sandbox, deed, false)?;
    sweep(context, &sandbox, deed, &faults, |fault, run| judge(&sandbox, deed, fault, run).map(Some))
}

/// From a call on all of its kind fail, as they do on a full or broken disk: no hang, no silence, and the container can
/// be deleted once the fault is over.
pub fn lasting(context: &Context, deed: &'static Deed) -> Check {
    let sandbox = Sandbox::new(&context.runtime, &format!("lasting-{}", deed.name))?;
    let faults = plan(&sandbox, deed, true)?;
    sweep(context, &sandbox, deed, &faults, |fault, run| {
        let failed = run.output.code != 0;
        // Without memory there is no text, without write(2) nobody to tell it.
        let speechless = is_memory(fault) || fault.place.call.number == libc::SYS_write;
        must(!failed || !run.output.stderr.trim().is_empty() || speechless, "failed in silence")?;
        must(!run.output.stderr.contains("panicked"), format_args!("panics: {}", run.output.stderr))?;
        Ok(None)
    })
}

/// The faults that the undisturbed command leads past.
fn plan(sandbox: &Sandbox, deed: &Deed, lasting: bool) -> Check<Vec<Fault>> {
    // The first one makes what all containers share.
    sandbox.create()?.succeeded()?;
    clear(sandbox)?;
    (deed.prepare)(sandbox)?;
    let run = inject::run(&mut sandbox.command(&(deed.words)(sandbox)), None)?;
    let places = run.places;
    (deed.done)(sandbox, &run.output.succeeded()?).map_err(|stop| stop.at("undisturbed"))?;
    clear(sandbox)?;
    let of_place = |place: Place| {
        let errors = place.call.errors;
        errors.iter().filter(|errno| !lasting || **errno != Errno::EINTR).map(move |errno| Fault {
            place: place.clone(),
            errno: *errno,
            lasting,
        })
    };
    Ok(places.into_iter().flat_map(of_place).collect())
}

fn sweep(
    context: &Context,
    sandbox: &Sandbox,
    deed: &Deed,
    faults: &[Fault],
    judge: impl Fn(&Fault, &Run) -> Check<Option<Row>>,
) -> Check {
    let step = |fault: &Fault| -> Check<bool> {
        (deed.prepare)(sandbox).map_err(|stop| stop.at("before the fault"))?;
        let run = inject::run(&mut sandbox.command(&(deed.words)(sandbox)), Some(fault))?;

        if run.hit {
            if let Some(row) = judge(fault, &run)? {
                context.rows.borrow_mut().push(row);
            }
        }
        clear(sandbox)?;
        Ok(run.hit)
    };
    let begin = Instant::now();
    const SAMPLES: usize = 8;
    let mut failures = Vec::new();
    let mut note = |fault: &Fault, done: Check<bool>| -> usize {
        match done {
            Ok(hit) => usize::from(hit),
            Err(Stop::Skipped(_)) => 0,
            Err(Stop::Failed(text)) => {
                failures.push(format!("{} {}: {text}", deed.name, describe(sandbox, fault)));
                leftovers::sweep(sandbox);
                1
            }
        }
    };
    for sample in 0..SAMPLES {
        let fault = &faults[faults.len() * sample / SAMPLES];
        note(fault, step(fault));
    }
    let all = begin.elapsed().as_secs_f64() / SAMPLES as f64 * faults.len() as f64;
    let stride = (all / context.patience.as_secs_f64()).ceil().max(1.0) as usize;
    let (mut tried, mut hits) = (0, 0);
    for fault in faults.iter().skip(context.seed % stride).step_by(stride) {
        tried += 1;
        hits += note(fault, step(fault));
    }
    let (total, seconds) = (faults.len(), begin.elapsed().as_secs_f64());
    println!("# {}: {hits} of {total} faults, every {stride}. of them, {seconds:.1} s", deed.name);
    failures.sort();
    failures.dedup();
    must(failures.is_empty(), failures.join("\n#   "))?;
    must(hits * 2 >= tried, format_args!("only {hits} of {tried} faults met their call"))
}

/// What the command made of one fault.
fn judge(sandbox: &Sandbox, deed: &'static Deed, fault: &Fault, run: &Run) -> Check<Row> {
    let output = &run.output;
    must(!output.stderr.contains("panicked"), format_args!("panics: {}", output.stderr.trim()))?;
    let gets = if output.code == 0 {
        (deed.done)(sandbox, output)?;
        match tolerated::reason(deed.name, fault) {
            Some(reason) => format!("nothing: {reason}"),
            None => return fail(format_args!("is ignored: {}", output.stderr.trim())),
        }
    } else {
        (deed.undone)(sandbox)?;
        message(sandbox, fault, output.code, &output.stderr)?
    };
    let who = if fault.place.process == 0 { "rtrun" } else { "child" };
    Ok(Row {
        deed: deed.name,
        who,
        place: place(sandbox, &fault.place),
        errno: name(fault.errno),
        described: fault.errno.desc(),
        gets,
    })
}

/// The error's text, which must name the errno; who has no memory for a text ends by a signal.
fn message(sandbox: &Sandbox, fault: &Fault, code: i32, text: &str) -> Check<String> {
    let shown = plain(sandbox, text.trim());
    let said = std::io::Error::from_raw_os_error(fault.errno as i32).to_string();
    let named = shown.contains(name(fault.errno)) || shown.contains(&said);
    // An init that is recorded has nobody to tell but the next command, which finds it dead.
    let mute = fault.place.process > 0 && shown.contains("killed before it could say why");
    let died = mute || (is_memory(fault) && (code > 128 || shown.is_empty()));
    must(named || died, format_args!("exits with {code} and does not say {}: {shown}", name(fault.errno)))?;
    // The text of `level=error msg="…"`, without its time.
    Ok(shown.split_once("msg=").map_or(shown.clone(), |(_, message)| message.trim_matches('"').replace("\\\"", "\"")))
}

/// Errors of the allocator's calls: there may be no memory left to say so.
fn is_memory(fault: &Fault) -> bool {
    [libc::SYS_mmap, libc::SYS_mprotect].contains(&fault.place.call.number)
}

/// Whatever has happened, the container can be deleted and leaves nothing.
fn clear(sandbox: &Sandbox) -> Check {
    sandbox.call(&["delete", "--force", &sandbox.id])?.succeeded().map_err(|stop| stop.at("afterwards"))?;
    sandbox.gone().map_err(|stop| stop.at("after delete --force"))
}

fn name(errno: Errno) -> &'static str {
    const NAMES: [(Errno, &str); 11] = [
        (Errno::EMFILE, "EMFILE"),
        (Errno::EIO, "EIO"),
        (Errno::EINTR, "EINTR"),
        (Errno::ENOSPC, "ENOSPC"),
        (Errno::ENOMEM, "ENOMEM"),
        (Errno::ENOLCK, "ENOLCK"),
        (Errno::EAGAIN, "EAGAIN"),
        (Errno::EPERM, "EPERM"),
        (Errno::EBUSY, "EBUSY"),
        (Errno::EINVAL, "EINVAL"),
        (Errno::EACCES, "EACCES"),
    ];
    NAMES.iter().find(|(known, _)| *known == errno).map_or("?", |(_, name)| name)
}

fn describe(sandbox: &Sandbox, fault: &Fault) -> String {
    let (at, errno) = (&fault.place, name(fault.errno));
    let who = if at.process == 0 { "rtrun" } else { "child" };
    format!("{who} {}. {} {errno}", at.index, place(sandbox, at))
}

fn place(sandbox: &Sandbox, place: &Place) -> String {
    let name = place.call.name.trim_start_matches("SYS_");
    if place.about.is_empty() { name.to_owned() } else { format!("{name} {}", plain(sandbox, &place.about)) }
}

/// The text without what differs from run to run: the sandbox's names, and numbers of processes and descriptors.
fn plain(sandbox: &Sandbox, text: &str) -> String {
    let text = text.replace(&sandbox.root.display().to_string(), "ROOT");
    let text = text.replace(&sandbox.dir.display().to_string(), "BUNDLE").replace(&sandbox.id, "ID");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = ["/proc/", "/fd/", ":["].iter().filter_map(|part| Some(rest.find(part)? + part.len())).min() {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        if digits > 0 {
            out.push('N');
            rest = &rest[digits..];
        }
    }
    out + rest
}
