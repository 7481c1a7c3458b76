//! As much of HTTP/1.1 as a scraper needs: `GET /metrics`, one request a connection.

use crate::Exporter;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The longest request that is read.
const LONGEST_REQUEST: usize = 8192;
/// How long a client may take to ask, and to read.
const PATIENCE: Duration = Duration::from_secs(2);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A connection whose waits can be bounded.
pub(crate) trait Connection: Read + Write {
    fn bound_waits(&self) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn bound_waits(&self) -> io::Result<()> {
        self.set_read_timeout(Some(PATIENCE))?;
        self.set_write_timeout(Some(PATIENCE))
    }
}

impl Connection for UnixStream {
    fn bound_waits(&self) -> io::Result<()> {
        self.set_read_timeout(Some(PATIENCE))?;
        self.set_write_timeout(Some(PATIENCE))
    }
}

/// Answers one connection after the other.
pub(crate) fn serve<C: Connection>(accept: impl Fn() -> io::Result<C>, exporter: &Exporter) {
    loop {
        match accept() {
            // A client that goes away or is slow loses its own answer only.
            Ok(mut connection) => drop(answer(&mut connection, exporter)),
            // Out of descriptors, most likely: they come back.
            Err(_) => std::thread::sleep(PATIENCE),
        }
    }
}

fn answer(connection: &mut impl Connection, exporter: &Exporter) -> io::Result<()> {
    connection.bound_waits()?;
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < LONGEST_REQUEST {
        match connection.read(&mut chunk)? {
            0 => break,
            read => request.extend_from_slice(&chunk[..read]),
        }
    }
    let (status, kind, body) = respond(&request, exporter);
    let body = if request.starts_with(b"HEAD ") { (body.len(), String::new()) } else { (body.len(), body) };
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        body.0, body.1
    )?;
    connection.flush()
}

/// Status, content type and body.
fn respond(request: &[u8], exporter: &Exporter) -> (&'static str, &'static str, String) {
    let plain = "text/plain; charset=utf-8";
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return ("400 Bad Request", plain, "this is no HTTP request\n".into());
    };
    if !version.starts_with(b"HTTP/1.") {
        return ("505 HTTP Version Not Supported", plain, "HTTP/1.1 is spoken here\n".into());
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match (method, path) {
        (b"GET" | b"HEAD", b"/metrics" | b"/") => ("200 OK", OPEN_METRICS, exporter.text()),
        (b"GET" | b"HEAD", _) => ("404 Not Found", plain, "metrics are at /metrics\n".into()),
        _ => ("405 Method Not Allowed", plain, "metrics can only be read\n".into()),
    }
}
