//! Bad input and bad peers: a clear error or a counted metric, never a wrong board.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Running, agent, ports};
use gol_agent::protocol::{HEADER, Header, Kind, UNKNOWN_BOUND};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

#[track_caller]
fn refused(words: &str, expected: &str) {
    let output = agent(words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains(expected), "{words}: {said}");
}

#[test]
fn what_can_not_be_is_refused_by_name() {
    for (words, expected) in [
        ("board=4x4 region=17", "region=17: a board of 4x4 has regions 1 to 16"),
        ("board=4x4 region=0", "region=0: a board of 4x4 has regions 1 to 16"),
        ("board=4 region=1", "board=4: two numbers from 1 to 65535, as in 4x4"),
        ("bord=4x4", "bord: no such parameter; the nearest is board="),
        ("board", "`board` is no parameter: give KEY=VALUE"),
        ("region=1 region=2", "region= is given twice with different values"),
        ("halo=0", "halo=0: from 1 to 64 cells"),
        ("halo=5 cells=4x9", "halo=5: from 1 to 64 cells, and no wider or higher than a region of 4x9 cells"),
        ("period=10", "period=10: a duration with its unit"),
        ("period=0 policy=reuse", "period=0 has no deadline to miss"),
        ("period=1ms deadline=2ms", "deadline=2ms: longer than 0 and no longer than period=1ms"),
        ("board=200x200 region=1", "port=47000: region 40000 would be at a port beyond 65535"),
        ("policy=wait", "policy=wait: stall, reuse or stale"),
        ("peers=2", "peers=2: REGION=ADDRESS[:PORT]"),
        ("group=10.0.0.1", "group=10.0.0.1: an IPv4 multicast address"),
        ("pattern=glidr", "no pattern is named glidr; named are acorn,"),
        ("pattern=/no/such.rle", "pattern=/no/such.rle: read it: No such file"),
        ("pattern=gosper-gun cells=16x16", "are not all on a board of 16x16 cells"),
        ("kernel=gpu", "kernel=gpu: this CPU runs "),
        ("faults=loss:2", "faults: `loss:2`: give loss:SHARE"),
        ("metrics=nowhere", "nowhere is no address to serve metrics at"),
        ("metrics=/no/such/x period=0 generations=1", "write metrics to /no/such/x"),
        ("board=2x2 cells=9x60000 halo=64 region=1", "halo=64: from 1 to 64 cells"),
        ("board=2x2 cells=64x60000 halo=64 region=1 period=0", "the halo's strips for region 2 are"),
    ] {
        refused(words, expected);
    }
}

#[test]
fn the_environment_gives_parameters_and_the_command_line_wins() {
    let mut command = agent("generations=3 report=0 period=0");
    let output = command.env("RTRUN_PARAM_CELLS", "32x32").env("RTRUN_PARAM_GENERATIONS", "9").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("check region=1 generation=3 "));
    let output = agent("generations=3").env("RTRUN_PARAM_CELS", "32x32").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("cels: no such parameter; the nearest is cells="));
}

#[test]
fn a_second_agent_of_a_region_is_refused() {
    for transport in ["udp", "tcp"] {
        let words = format!("board=2x1 region=1 port={} report=0 transport={transport} period=0", ports());
        let first = Running::new(&words);
        std::thread::sleep(Duration::from_millis(200));
        refused(&words, "is in use: does another agent run region 1?");
        first.terminate();
        assert!(first.wait().status.success());
    }
    let words =
        format!("board=2x1 region=1 port={} report=0 transport=multicast interface=127.0.0.1 period=0", ports());
    let first = Running::new(&words);
    std::thread::sleep(Duration::from_millis(200));
    refused(&words, "region 1 is taken: another agent of this run computes it already");
    first.terminate();
    assert!(first.wait().status.success());
}

/// The value of a metric in a file, once it is `wanted`.
fn await_metric(path: &std::path::Path, line: &str, wanted: u64) {
    let begin = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let value =
            text.lines().find_map(|found| found.strip_prefix(line)).and_then(|value| value.trim().parse::<u64>().ok());
        if value >= Some(wanted) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{line} is {value:?}, not {wanted}, in\n{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_peers_should_not_send_is_counted_and_changes_nothing() {
    let (port, run) = (ports(), 77);
    let metrics = std::env::temp_dir().join(format!("gol-refusals-{}.prom", std::process::id()));
    let words = format!(
        "board=2x1 region=1 cells=64x64 port={port} run={run} period=0 generations=10 report=0 lock=false metrics={}",
        metrics.display()
    );
    let agent = Running::new(&words);
    let socket = UdpSocket::bind(("127.0.0.1", port + 2)).unwrap();
    let honest = Header {
        kind: Kind::Halo,
        inexact: false,
        // all but north and south, where region 1 is its own neighbour
        sides: 0b1110_1110,
        run,
        generation: 0,
        sent: 0,
        source: 2,
        target: 1,
        instance: 5,
        sequence: 0,
        host: 0,
        clock_bound: UNKNOWN_BOUND,
    };
    let encode = |header: Header, length: usize| {
        let mut message = vec![0xff; HEADER + length];
        header.encode(&mut message);
        message
    };
    let strips = 2 * 64 + 4;
    let halo = |header: Header| encode(header, strips);
    let mut corrupt = halo(honest);
    corrupt[HEADER + 3] ^= 1;
    // another version whose CRC is right, as a later release would send it
    let mut version = halo(honest);
    version[4] = 2;
    let crc = {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&version[..60]);
        crc.update(&version[HEADER..]);
        crc.finalize()
    };
    version[60..64].copy_from_slice(&crc.to_le_bytes());
    std::thread::sleep(Duration::from_millis(200));
    for message in [
        corrupt,
        version,
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        halo(Header { run: 78, ..honest }),
        halo(Header { source: 9, ..honest }),
        halo(Header { generation: 2, ..honest }),
        halo(Header { sides: 1, ..honest }),
        encode(honest, strips - 1),
    ] {
        socket.send_to(&message, ("127.0.0.1", port + 1)).unwrap();
    }
    for (why, count) in [("corrupt", 3), ("version", 1), ("foreign", 1), ("run", 1), ("stranger", 1), ("future", 1)] {
        let line = format!("gol_messages_refused_total{{region=\"1\",run=\"{run:016x}\",why=\"{why}\"}}");
        await_metric(&metrics, &line, count);
    }
    drop(socket);

    // the true neighbour comes, with an instance of its own: it is the second one of its region, and refused by name
    let output =
        Running::new(&words.replace("region=1", "region=2").replace(&format!("metrics={}", metrics.display()), ""))
            .wait();
    assert!(String::from_utf8_lossy(&output.stderr).contains("region 2 is taken"), "{output:?}");
    agent.terminate();
    let said = String::from_utf8(agent.wait().stderr).unwrap();
    for expected in
        ["is of another run", "another version of the protocol", "no agent sends to this port", "is no neighbour"]
    {
        assert!(said.contains(expected), "no `{expected}` in\n{said}");
    }
    std::fs::remove_file(metrics).unwrap();
}

#[test]
fn regions_of_different_runs_do_not_mix() {
    let port = ports();
    let words = |region: u32, seed: u32| {
        format!(
            "board=2x1 region={region} port={port} pattern=random:{seed} period=0 generations=10 report=0 lock=false"
        )
    };
    let agents = [Running::new(&words(1, 1)), Running::new(&words(2, 2))];
    std::thread::sleep(Duration::from_millis(1500));
    agents.iter().for_each(Running::terminate);
    for (agent, other) in agents.into_iter().zip([2, 1]) {
        let output = agent.wait();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("region {other} is of another run: board=, cells=")), "{said}");
        assert!(said.contains(&format!("generation 0 waits for the halo of region {other}")), "{said}");
        assert!(
            String::from_utf8(output.stdout).unwrap().starts_with(&format!("check region={} generation=0 ", 3 - other))
        );
    }
}

#[test]
fn two_regions_of_a_board_of_sixteen_keep_time_without_the_others() {
    let port = ports();
    let words = |region: u32| {
        format!(
            "board=4x4 region={region} port={port} period=10ms generations=50 join=2s report=0 lock=false pattern=random:1"
        )
    };
    let agents = [Running::new(&words(1)), Running::new(&words(2))];
    for agent in agents {
        let output = agent.wait();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("until generation 0: going on without"), "{said}");
        // they heard each other
        assert!(!said.contains("not heard of region 1,") && !said.contains("not heard of region 2,"), "{said}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("generation=50 ") && said.contains("trusted="), "{said}");
    }
}

#[test]
fn who_comes_late_joins_where_the_others_are_and_says_so() {
    let port = ports();
    let words = |region: u32, more: &str| {
        format!(
            "board=2x1 region={region} port={port} period=5ms join=200ms report=0 lock=false pattern=random:1 {more}"
        )
    };
    let first = Running::new(&words(1, ""));
    std::thread::sleep(Duration::from_millis(700));
    let late = Running::new(&words(2, "generations=300")).wait();
    let said = String::from_utf8(late.stderr).unwrap();
    assert!(late.status.success() && said.contains("the others are at generation "), "{said}");
    assert!(String::from_utf8(late.stdout).unwrap().contains("generation=300 "));
    first.terminate();
    let first = first.wait();
    assert!(String::from_utf8(first.stderr).unwrap().contains("not heard of region 2 until generation 0"));
    assert!(String::from_utf8(first.stdout).unwrap().contains("trusted=none"));
}

/// The living cells of a plaintext pattern that lie in a rectangle.
fn cells_in(
    path: &std::path::Path,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
) -> Vec<(usize, usize)> {
    let pattern = gol_agent::pattern::Pattern::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    pattern.cells().filter(|(x, y)| columns.contains(x) && rows.contains(y)).collect()
}

#[test]
fn the_rectangle_that_is_trusted_without_a_neighbour_is_right() {
    let directory = std::env::temp_dir().join(format!("gol-trust-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (part, whole) = (directory.join("part.cells"), directory.join("whole.cells"));
    let words = "board=2x1 cells=100x100 pattern=random:9 generations=30 report=0 lock=false";
    let agent =
        Running::new(&format!("{words} port={} period=1ms policy=stale join=50ms output={}", ports(), part.display()));
    let said = String::from_utf8(agent.wait().stdout).unwrap();
    assert!(said.contains("check region=1 generation=30 ") && said.contains(" trusted=40x40+30+30\n"), "{said}");
    let reference = agent_reference(&format!("{words} output={}", whole.display()));
    assert!(reference.status.success());
    assert_ne!(cells_in(&part, 0..100, 0..100), cells_in(&whole, 0..100, 0..100), "nothing was missing");
    assert_eq!(cells_in(&part, 30..70, 30..70), cells_in(&whole, 30..70, 30..70));
    std::fs::remove_dir_all(directory).unwrap();
}

fn agent_reference(words: &str) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_gol-agent")).arg("reference").arg(words).output().unwrap()
}
