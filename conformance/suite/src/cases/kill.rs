//! kill: signals by name and number, what it refuses.

use crate::harness::call::eventually;
use crate::harness::case::{mentions, must, same};
use crate::harness::{Case, Container, Verdict, case, leftovers};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("default-is-term", |c| caught(c, &[], "TERM")),
    case("name", |c| caught(c, &["USR1"], "USR1")),
    case("name-with-sig", |c| caught(c, &["SIGUSR2"], "USR2")),
    case("number", |c| caught(c, &["10"], "USR1")),
    case("lower-case-name", |c| caught(c, &["hup"], "HUP")),
    case("real-time-number", |c| caught(c, &["36"], "36")),
    case("signal-0-only-asks", |c| {
        c.up()?;
        c.rt(&["kill", &c.id, "0"])?.succeeded()?;
        same("status", &c.state()?["status"], "running")
    })
    .note("runc 1.1 and crun parse 0 as unknown or send it"),
    case("unknown-name-is-refused", |c| {
        c.up()?;
        c.rt(&["kill", &c.id, "NONSENSE"])?.refused()?;
        same("status", &c.state()?["status"], "running")
    }),
    case("unknown-number-is-refused", |c| {
        c.up()?;
        c.rt(&["kill", &c.id, "999"])?.refused()?;
        same("status", &c.state()?["status"], "running")
    }),
    case("stopped-is-refused", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        let output = c.rt(&["kill", &c.id, "KILL"])?.refused()?;
        mentions("message", &output.stderr, &["not running", "no such process", "process already finished"])
    }),
    case("created-can-be-killed", |c| {
        let pid = c.create()?;
        c.rt(&["kill", &c.id, "KILL"])?.succeeded()?;
        c.wait_for("stopped")?;
        must(!leftovers::alive(pid), "the process lives")?;
        c.delete()?;
        c.nothing_left()
    }),
    case("created-stays-startable-after-signal-0", |c| {
        c.create()?;
        c.rt(&["kill", &c.id, "0"])?.succeeded()?;
        c.start()
    })
    .note("a peer's created container can't be started once signalled"),
    case("all-reaches-every-process", |c| {
        c.no_namespace("pid");
        c.up_script("sleep 1000 & sleep 1000 & exec sleep 1000")?;
        c.rt(&["kill", "--all", &c.id, "KILL"])?.succeeded()?;
        c.wait_for("stopped")?;
        c.delete()?;
        c.nothing_left()
    }),
    case("all-in-a-pid-namespace", |c| {
        c.up_script("sleep 1000 & sleep 1000 & exec sleep 1000")?;
        c.rt(&["kill", "--all", &c.id, "KILL"])?.succeeded()?;
        c.wait_for("stopped")
    }),
    case("all-short-flag", |c| {
        c.up()?;
        c.rt(&["kill", "-a", &c.id, "KILL"])?.succeeded()?;
        c.wait_for("stopped")
    }),
    case("all-on-stopped-is-harmless", |c| {
        c.up_script("true")?;
        c.wait_for("stopped")?;
        c.rt(&["kill", "--all", &c.id, "KILL"])?;
        c.delete()
    })
    .note("containerd calls it so; the exit code is the runtime's choice"),
    case("paused-can-be-killed", |c| {
        c.up()?;
        c.rt(&["pause", &c.id])?.succeeded()?;
        c.rt(&["kill", &c.id, "KILL"])?.succeeded()?;
        c.rt(&["delete", "--force", &c.id])?.succeeded()?;
        c.nothing_left()
    }),
];

/// The process must catch `signal` when `kill` is called with these arguments.
fn caught(c: &mut Container, args: &[&str], signal: &str) -> Verdict {
    let shared = c.folder("shared")?;
    c.mount("/mnt", "bind", &shared, &["bind"]);
    c.up_script(&format!("trap 'touch /mnt/caught; exit 0' {signal}; touch /mnt/ready; while :; do sleep 0.05; done"))?;
    let seen = |name: &str| {
        let path = shared.join(name);
        eventually(name, || path.exists().then_some(()))
    };
    seen("ready")?;
    let mut line = vec!["kill", &c.id];
    line.extend(args);
    c.rt(&line)?.succeeded()?;
    seen("caught")
}
