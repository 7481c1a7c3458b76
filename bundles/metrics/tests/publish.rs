//! What is published can be read: as a file, over a Unix socket, over TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rtrun_agent_metrics::{Address, Exporter, Metrics};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

fn exporter() -> Exporter {
    let mut metrics = Metrics::new("agent", [("region", "1")]);
    let [late, missing] = metrics.counters("halos", "Halos that were no use", "why", ["late", "missing"]);
    late.inc_by(2);
    missing.inc();
    metrics.gauge_seconds("clock_bound", "How far off the clock may be").set(0.25);
    let jitter = metrics.histogram("release_jitter", "How late a release was");
    [1, 1024, 1025, 3_000_000, u64::MAX].into_iter().for_each(|nanos| jitter.observe(Duration::from_nanos(nanos)));
    metrics.exporter()
}

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("rtrun-agent-metrics-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn ask(mut connection: impl Read + Write, request: &str) -> String {
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_text_is_open_metrics() {
    let text = exporter().text();
    for line in [
        "# TYPE agent_halos counter",
        "agent_halos_total{region=\"1\",why=\"late\"} 2",
        "agent_halos_total{region=\"1\",why=\"missing\"} 1",
        "# UNIT agent_clock_bound_seconds seconds",
        "agent_clock_bound_seconds{region=\"1\"} 0.25",
        "# TYPE agent_release_jitter_seconds histogram",
        "agent_release_jitter_seconds_count{region=\"1\"} 5",
        "agent_release_jitter_seconds_bucket{region=\"1\",le=\"0.000001024\"} 2",
        "agent_release_jitter_seconds_bucket{region=\"1\",le=\"0.000002048\"} 3",
        "agent_release_jitter_seconds_bucket{region=\"1\",le=\"+Inf\"} 5",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_file_is_written_at_once_and_at_the_end_and_nothing_is_left_beside_it() {
    let directory = directory("file");
    let path = directory.join("agent.prom");
    let mut metrics = Metrics::new("agent", [("region", "1")]);
    let counter = metrics.counter("steps", "Steps");
    let publisher = metrics.exporter().to_file(&path, Duration::from_secs(3600)).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("agent_steps_total{region=\"1\"} 0"));
    counter.inc();
    drop(publisher);
    assert!(std::fs::read_to_string(&path).unwrap().contains("agent_steps_total{region=\"1\"} 1"));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_file_that_can_not_be_written_is_refused_at_once() {
    let refused = exporter().to_file("/no/such/directory/x".as_ref(), Duration::from_secs(1)).err().unwrap();
    assert!(refused.to_string().starts_with("write metrics to /no/such/directory/x: "), "{refused}");
}

#[test]
fn a_scraper_is_answered_over_both_sockets() {
    let directory = directory("http");
    let path = directory.join("sock");
    exporter().serve(&Address::Unix(path.clone())).unwrap();
    let answer = ask(UnixStream::connect(&path).unwrap(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0"),
        "{answer}"
    );
    assert!(answer.ends_with("# EOF\n"));

    let Address::Tcp(bound) = exporter().serve(&"127.0.0.1:0".parse().unwrap()).unwrap() else { panic!("not TCP") };
    for (request, status) in [
        ("GET /metrics HTTP/1.0\r\n\r\n", "200"),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", "200"),
        ("GET /other HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("GET /metrics HTTP/9\r\n\r\n", "505"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = ask(TcpStream::connect(bound).unwrap(), request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_socket_in_use_is_refused_and_one_left_behind_is_not() {
    let directory = directory("stale");
    let (used, stale) = (directory.join("used"), directory.join("stale"));
    exporter().serve(&Address::Unix(used.clone())).unwrap();
    let refused = exporter().serve(&Address::Unix(used)).unwrap_err();
    assert!(refused.to_string().contains("Address already in use"), "{refused}");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    exporter().serve(&Address::Unix(stale)).unwrap();
    assert_eq!(
        "unix:".parse::<Address>().unwrap_err().to_string(),
        "unix: is no address to serve metrics at: give unix:/PATH or IP:PORT"
    );
    std::fs::remove_dir_all(directory).unwrap();
}
