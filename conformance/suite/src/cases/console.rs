//! Terminals: the pty handed over, its size, exec --tty.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use serde_json::json;

use crate::harness::call::eventually;
use crate::harness::case::{OrFail, mentions, must};
use crate::harness::{Case, Container, Verdict, case, socket};

/// See the file's head.
pub const CASES: &[Case] = &[
    case("socket-gets-the-pty", |c| {
        let mut pty = create(c, "tty; test -t 0 && test -t 1 && test -t 2 && echo three")?;
        let text = output(c, &mut pty)?;
        mentions("terminal", &text, &["/dev/pts/0", "/dev/console"])?;
        mentions("terminal", &text, &["three"])
    }),
    case("size-from-config", |c| {
        c.set("/process/consoleSize", json!({"height": 33, "width": 101}));
        let mut pty = create(c, "stty size")?;
        mentions("terminal", &output(c, &mut pty)?, &["33 101"])
    }),
    case("dev-console-is-the-pty", |c| {
        let mut pty = create(c, "echo via-console > /dev/console; ls -l /dev/console")?;
        mentions("terminal", &output(c, &mut pty)?, &["via-console"])
    }),
    case("is-the-controlling-terminal", |c| {
        let mut pty = create(c, "echo via-tty > /dev/tty; ps -o pid,tty | cat")?;
        mentions("terminal", &output(c, &mut pty)?, &["via-tty"])
    }),
    case("takes-input", |c| {
        let mut pty = create(c, "read line; echo got:$line")?;
        c.start()?;
        pty.write_all(b"word\n").or_fail("write to the pty")?;
        c.wait_for("stopped")?;
        mentions("terminal", &read_all(&mut pty), &["got:word"])
    }),
    case("owner-is-the-user", |c| {
        c.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        let mut pty = create(c, "stat -c %u $(tty)")?;
        mentions("terminal", &output(c, &mut pty)?, &["1000"])
    }),
    case("exec-tty", |c| {
        c.up()?;
        let path = c.dir.join("exec.sock");
        let listener = socket::listen(&path)?;
        let path = path.display().to_string();
        let file = c.file(
            "process.json",
            &json!({"terminal": true, "args": ["sh", "-c", "tty; stty size; sleep 0.2"],
            "env": ["PATH=/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "consoleSize": {"height": 20, "width": 40}})
            .to_string(),
        )?;
        let file = file.display().to_string();
        c.rt(&["exec", "--detach", "--process", &file, "--console-socket", &path, &c.id])?.succeeded()?;
        let mut pty = master(&listener)?;
        let mut seen = String::new();
        let said = || {
            seen.push_str(&read_all(&mut pty));
            seen.contains("20 40").then_some(())
        };
        eventually("tty and size", said)?;
        mentions("terminal", &seen, &["/dev/pts/"])
    }),
    case("terminal-without-socket-is-refused", |c| {
        c.set("/process/terminal", json!(true));
        c.create_refused().map(drop)
    }),
    case("missing-socket-is-refused", |c| {
        c.set("/process/terminal", json!(true));
        c.write_config()?;
        c.create_with(&["--console-socket", "/nonexistent/socket"])?.refused()?;
        c.nothing_left()
    }),
    case("socket-without-terminal-is-refused", |c| {
        let path = c.dir.join("console.sock");
        let _listener = socket::listen(&path)?;
        let path = path.display().to_string();
        must(c.create_with(&["--console-socket", &path])?.code != 0, "a console socket without terminal was accepted")
    })
    .note("crun ignores the socket"),
];

/// Creates a container with a terminal and gives the master that came over the socket.
fn create(c: &mut Container, script: &str) -> Verdict<File> {
    let path = c.dir.join("console.sock");
    let listener = socket::listen(&path)?;
    c.set("/process/terminal", json!(true));
    c.script(script);
    let path = path.display().to_string();
    c.create_with(&["--console-socket", &path])?.succeeded()?;
    master(&listener)
}

fn master(listener: &std::os::unix::net::UnixListener) -> Verdict<File> {
    let (_, fds) = socket::receive(listener, "console")?;
    let fd: OwnedFd = fds.into_iter().next().or_fail("descriptor")?;
    // SAFETY: fcntl on a descriptor that is owned here.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    Ok(File::from(fd))
}

/// Starts the container, waits for its end, gives what it wrote to the terminal.
fn output(c: &Container, pty: &mut File) -> Verdict<String> {
    c.start()?;
    c.wait_for("stopped")?;
    Ok(read_all(pty))
}

fn read_all(pty: &mut File) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = pty.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
