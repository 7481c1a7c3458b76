//! Brings the kernel to what the book wants.

use super::Error;
use super::book::{Book, Original};
use super::report::{Effect, Outcome, Report};
use super::wanted::Wishes;
use crate::host::Host;
use crate::knob::{Target, Value, group, irq};
use nix::errno::Errno;

/// Takes down what is about to change, saves the book, changes it, and forgets what has been restored. A process that is
/// killed on the way leaves a book by which the next one does the same again.
pub(super) fn settle(
    host: &Host,
    before: &Book,
    mut book: Book,
    save: impl Fn(&Book) -> Result<(), Error>,
) -> Result<Report, Error> {
    forget_reused(host, &mut book);
    let wishes = Wishes::of(host, &book)?;
    remember(host, &mut book, &wishes);
    if book != *before {
        save(&book)?;
    }
    let saved = book.clone();
    let mut outcomes = Vec::new();
    for (target, wanted) in steps(host, &book, &wishes) {
        let (effect, found) = apply(host, &target, &wanted, must_tell(&book, &target, &wanted));
        if effect == Effect::Pending {
            note_told(&mut book, &target, &wanted);
        }
        let concerned = wishes.concern(&target);
        let (effect, done) = if concerned { (effect, false) } else { restored(&target, effect) };
        if done {
            book.originals.remove(&target);
        }
        // What nobody asks for and has nothing to restore is no news.
        if concerned || effect != Effect::Kept {
            outcomes.push(Outcome { target, wanted, found, effect });
        }
    }
    outcomes.extend(absent(&book, &wishes));
    outcomes.sort_by(|a, b| a.target.cmp(&b.target));
    if book != saved {
        save(&book)?;
    }
    Ok(Report { outcomes })
}

/// An interrupt's number may be another device's by now.
fn forget_reused(host: &Host, book: &mut Book) {
    book.originals.retain(|target, original| {
        let now = target.identity(host);
        now == original.identity || now.is_empty() || original.identity.is_empty()
    });
}

/// Takes down the value of each setting that a claim concerns for the first time. While the default mask is changed, an
/// interrupt that has come since has got ours: without us it would have the default's original.
fn remember(host: &Host, book: &mut Book, wishes: &Wishes) {
    let default = book.originals.get(&Target::DefaultAffinity).cloned();
    let ours = default.as_ref().and_then(|_| Target::DefaultAffinity.read(host).ok());
    let late = default.iter().flat_map(|_| irq::numbers(host)).map(Target::Irq);
    for target in wishes.targets().cloned().chain(late) {
        if book.originals.contains_key(&target) {
            continue;
        }
        let Ok(found) = target.read(host) else { continue };
        let value = match (&target, &default) {
            (Target::Irq(_), Some(default)) if Some(&found) == ours.as_ref() => default.value.clone(),
            _ => found,
        };
        let identity = target.identity(host);
        book.originals.insert(target, Original { value, identity, told: None });
    }
}

/// What to write, in an order that the kernel takes: budgets are lowered from the leaves up, then raised from the root down,
/// so that no parent ever holds less than its children.
fn steps(host: &Host, book: &Book, wishes: &Wishes) -> Vec<(Target, Value)> {
    let mut steps: Vec<(Target, Value)> = book
        .originals
        .iter()
        .map(|(target, original)| (target.clone(), wishes.value(target, &original.value)))
        .collect();
    steps.sort_by_cached_key(|(target, wanted)| match (target, wanted) {
        (Target::RtRuntime(dir), Value::Micros(wanted)) => {
            let depth = group::depth(dir) as isize;
            let lowers = matches!(target.read(host), Ok(Value::Micros(now)) if now > *wanted);
            if lowers { (1, -depth) } else { (2, depth) }
        }
        _ => (0, 0),
    });
    steps
}

/// Whether a setting that answers late has been told something else last, whatever it answers.
fn must_tell(book: &Book, target: &Target, wanted: &Value) -> bool {
    target.answers_late() && book.originals.get(target).is_some_and(|original| original.told.as_ref() != Some(wanted))
}

fn note_told(book: &mut Book, target: &Target, wanted: &Value) {
    if let (true, Some(original)) = (target.answers_late(), book.originals.get_mut(target)) {
        original.told = Some(wanted.clone());
    }
}

fn apply(host: &Host, target: &Target, wanted: &Value, must: bool) -> (Effect, Option<Value>) {
    let found = target.read(host);
    if matches!(found, Err(Errno::ENOENT | Errno::ESRCH | Errno::ENODEV)) {
        return (Effect::Absent, None);
    }
    // What can't be read is written, and read again.
    let kept = found.as_ref() == Ok(wanted) && !must;
    let written = if kept { Ok(Effect::Kept) } else { write(host, target, wanted) };
    let found = found.ok();
    match (target, written) {
        (Target::Irq(number), written) => irq_effect(host, *number, wanted, written),
        (target, Ok(Effect::Set)) if target.answers_late() => (Effect::Pending, found),
        (_, Ok(Effect::Set)) => match target.read(host) {
            Ok(found) if found == *wanted => (Effect::Set, Some(found)),
            Ok(found) => (Effect::refused(Errno::EPROTO, "the kernel took the value and has another"), Some(found)),
            Err(errno) => (Effect::refused(errno, "it can't be read back"), None),
        },
        (_, Ok(effect)) => (effect, found),
        (_, Err(errno)) => (Effect::refused(errno, why(target, errno)), found),
    }
}

fn write(host: &Host, target: &Target, wanted: &Value) -> Result<Effect, Errno> {
    match (target.write(host, wanted), wanted) {
        // A CPU that has gone offline since the masks were computed.
        (Err(Errno::EINVAL), Value::Cpus(cpus)) => {
            let left = cpus.and(&irq::online(host)?);
            if left.is_empty() || left == *cpus {
                return Err(Errno::EINVAL);
            }
            target.write(host, &Value::Cpus(left))
        }
        (result, _) => result,
    }
    .map(|()| Effect::Set)
}

/// An interrupt is where it is served, not where its mask says: many controllers move it only when it next fires.
fn irq_effect(host: &Host, number: u32, wanted: &Value, written: Result<Effect, Errno>) -> (Effect, Option<Value>) {
    let target = Target::Irq(number);
    let effective = irq::effective(host, number).ok();
    let found = effective.clone().map(Value::Cpus);
    let effect = match written {
        Err(errno @ (Errno::EIO | Errno::EPERM)) => Effect::Unmovable { errno: errno.to_string() },
        Err(Errno::ENOENT | Errno::ENODEV) => Effect::Absent,
        Err(errno) => Effect::refused(errno, why(&target, errno)),
        Ok(effect) => match (wanted, &effective) {
            (Value::Cpus(wanted), Some(effective)) if !effective.is_subset(wanted) => Effect::Pending,
            _ => effect,
        },
    };
    (effect, found)
}

/// The effect on a setting that no claim concerns, and whether its original value can be forgotten.
fn restored(target: &Target, effect: Effect) -> (Effect, bool) {
    match effect {
        Effect::Kept => (Effect::Kept, true),
        // What it answers until then is not what it was before the first claim.
        Effect::Pending if target.answers_late() => (Effect::Restored, false),
        Effect::Set | Effect::Pending => (Effect::Restored, true),
        Effect::Absent if target.may_vanish() => (Effect::Kept, true),
        other => (other, false),
    }
}

/// What is asked for and not there.
fn absent(book: &Book, wishes: &Wishes) -> Vec<Outcome> {
    let targets = wishes.targets().filter(|target| !book.originals.contains_key(target));
    let outcome = |target: &Target| Outcome {
        target: target.clone(),
        wanted: wishes.asked(target),
        found: None,
        effect: Effect::Absent,
    };
    targets.map(outcome).collect()
}

fn why(target: &Target, errno: Errno) -> &'static str {
    match (target, errno) {
        (_, Errno::EACCES | Errno::EROFS) => "it takes root, and a /proc and /sys that can be written",
        (Target::Irq(_), Errno::ENOSPC) => {
            "these CPUs have no interrupt vector left; give devices fewer queues (ethtool -L), or name more CPUs"
        }
        (Target::Irq(_) | Target::DefaultAffinity, Errno::EINVAL) => "none of these CPUs is online",
        (Target::Governor(_), Errno::EINVAL) => "see scaling_available_governors for those that this CPU has",
        (Target::RtRuntime(_), Errno::EINVAL) => {
            "the groups above it, or kernel.sched_rt_runtime_us, have less to give; see cpu.rt_runtime_us up to the root"
        }
        (Target::RtRuntime(_), Errno::EBUSY) => "real-time tasks still run in it",
        (Target::Irqbalance, _) => "irqbalance did not take it; restart it, or stop it on a real-time node",
        (Target::IrqThread { .. }, Errno::EPERM) => "it takes root or CAP_SYS_NICE",
        _ => "the kernel gives no more reason than that",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(written: Result<Effect, Errno>) -> Effect {
        let top = std::env::temp_dir().join(format!("rtrun-settle-{}", std::process::id()));
        let irq = top.join("proc/irq/40");
        std::fs::create_dir_all(&irq).unwrap();
        std::fs::write(irq.join("effective_affinity_list"), "1\n").unwrap();
        let (effect, found) = irq_effect(&Host::below(top), 40, &Value::Cpus("0".parse().unwrap()), written);
        assert_eq!(found, Some(Value::Cpus("1".parse().unwrap())));
        effect
    }

    #[test]
    fn each_refusal_of_an_interrupt_is_told_apart() {
        for errno in [Errno::EIO, Errno::EPERM] {
            assert_eq!(effect(Err(errno)), Effect::Unmovable { errno: errno.to_string() });
        }
        for (errno, words) in [(Errno::ENOSPC, "no interrupt vector left"), (Errno::EINVAL, "is online")] {
            match effect(Err(errno)) {
                Effect::Refused { why, .. } => assert!(why.contains(words), "{why}"),
                other => unreachable!("{other:?}"),
            }
        }
        assert_eq!(effect(Err(Errno::ENOENT)), Effect::Absent);
        assert_eq!(effect(Ok(Effect::Set)), Effect::Pending, "the mask says 0, and it is still served on 1");
    }
}
