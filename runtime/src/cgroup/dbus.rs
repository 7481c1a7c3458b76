//! As much of D-Bus as talking to systemd takes: the wire format (D-Bus specification, "Message Protocol"), EXTERNAL
//! authentication, method calls and one kind of signal.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// systemd's own limit for a job of a scope is 90 s.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The specification's greatest message is 128 MiB; systemd's answers to us are below one page.
const GREATEST: usize = 1 << 20;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No bus answers.
    #[error("connecting to {path}: {source}")]
    Connect {
        /// Its socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The connection broke, or nothing came in 90 s.
    #[error("talking to the bus: {0}")]
    Io(#[from] io::Error),
    /// Something else than D-Bus was read.
    #[error("the bus sent what is no D-Bus: {0}")]
    Protocol(&'static str),
    /// The call was answered by an error.
    #[error("{name}: {message}")]
    Remote {
        /// `org.freedesktop.…`.
        name: String,
        /// In words.
        message: String,
    },
}

/// A value of a property.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    U64(u64),
    String(String),
    Bytes(Vec<u8>),
    U32s(Vec<u32>),
    Pairs(Vec<(String, String)>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Bool(_) => "b",
            Self::U64(_) => "t",
            Self::String(_) => "s",
            Self::Bytes(_) => "ay",
            Self::U32s(_) => "au",
            Self::Pairs(_) => "a(ss)",
        }
    }
}

/// Marshals: each value at a multiple of its alignment, counted from the message's start.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.align(4);
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn bool(&mut self, value: bool) -> &mut Self {
        self.u32(u32::from(value))
    }

    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        self.u32(length(text.len()));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    fn signature(&mut self, text: &str) -> &mut Self {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    /// The length counts neither itself nor the padding before the first element.
    pub(super) fn array(&mut self, alignment: usize, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.u32(0);
        let at = self.0.len() - 4;
        self.align(alignment);
        let start = self.0.len();
        fill(self);
        let bytes = length(self.0.len() - start).to_ne_bytes();
        self.0[at..at + 4].copy_from_slice(&bytes);
        self
    }

    fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        match value {
            Value::Bool(value) => {
                self.bool(*value);
            }
            Value::U64(value) => {
                self.align(8);
                self.0.extend_from_slice(&value.to_ne_bytes());
            }
            Value::String(text) => {
                self.string(text);
            }
            Value::Bytes(bytes) => {
                self.array(1, |writer| writer.0.extend_from_slice(bytes));
            }
            Value::U32s(numbers) => {
                self.array(4, |writer| {
                    numbers.iter().for_each(|&number| {
                        writer.u32(number);
                    })
                });
            }
            Value::Pairs(pairs) => {
                self.array(8, |writer| {
                    for (first, second) in pairs {
                        writer.align(8);
                        writer.string(first).string(second);
                    }
                });
            }
        }
    }

    /// `a(sv)`.
    pub(super) fn properties(&mut self, properties: &[(&str, Value)]) -> &mut Self {
        self.array(8, |writer| {
            for (name, value) in properties {
                writer.align(8);
                writer.string(name);
                writer.variant(value);
            }
        })
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Unmarshals; out of bounds is an error, not a panic.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BusError> {
        let end = self.at.checked_add(count).ok_or(BusError::Protocol("a length overflows"))?;
        let taken = self.bytes.get(self.at..end).ok_or(BusError::Protocol("a message ends early"))?;
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, BusError> {
        self.align(4);
        let bytes = self.take(4)?;
        Ok(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn text(&mut self, length: usize) -> Result<String, BusError> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    fn string(&mut self) -> Result<String, BusError> {
        let length = self.u32()? as usize;
        self.text(length)
    }

    fn signature(&mut self) -> Result<String, BusError> {
        let length = usize::from(self.take(1)?[0]);
        self.text(length)
    }
}

/// What is read of a message.
#[derive(Debug, Default)]
pub(super) struct Message {
    kind: u8,
    reply_to: u32,
    error: String,
    member: String,
    body: Vec<u8>,
}

const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

impl Message {
    /// The body of a reply that is one string, object path, or variant of a string.
    pub(super) fn string(&self, variant: bool) -> Result<String, BusError> {
        let mut reader = Reader::new(&self.body);
        if variant {
            reader.signature()?;
        }
        reader.string()
    }

    fn parse(fields: &[u8], kind: u8, body: Vec<u8>) -> Result<Self, BusError> {
        let mut message = Self { kind, body, ..Self::default() };
        let mut reader = Reader::new(fields);
        while reader.at < fields.len() {
            reader.align(8);
            let code = reader.take(1)?[0];
            let signature = reader.signature()?;
            match (code, signature.as_str()) {
                (3, "s") => message.member = reader.string()?,
                (4, "s") => message.error = reader.string()?,
                (5, "u") => message.reply_to = reader.u32()?,
                (_, "s" | "o") => drop(reader.string()?),
                (_, "g") => drop(reader.signature()?),
                (_, "u") => drop(reader.u32()?),
                _ => return Err(BusError::Protocol("a header field of unknown type")),
            }
        }
        Ok(message)
    }
}

/// The object that a call goes to.
pub(super) struct Target {
    pub destination: &'static str,
    pub path: &'static str,
    pub interface: &'static str,
}

/// The bus itself.
const BUS: Target =
    Target { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

/// A connection to a bus, or straight to systemd.
pub(super) struct Connection {
    stream: UnixStream,
    serial: u32,
    /// Jobs whose end was announced before anybody waited for it: path and result.
    ended: Vec<(String, String)>,
}

impl Connection {
    /// Connects to the socket and names itself to the bus; `private` is systemd's own socket, which is no bus.
    pub(super) fn open(path: &Path, private: bool) -> Result<Self, BusError> {
        let connect = |source| BusError::Connect { path: path.to_owned(), source };
        let stream = UnixStream::connect(path).map_err(connect)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut connection = Self { stream, serial: 0, ended: Vec::new() };
        connection.authenticate()?;
        if !private {
            connection.call(&BUS, "Hello", "", |_| {})?;
            let rule = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
            connection.call(&BUS, "AddMatch", "s", |body| {
                body.string(rule);
            })?;
        }
        Ok(connection)
    }

    /// Without a user ID in it the server takes the socket's, which is right inside a user namespace as well.
    fn authenticate(&mut self) -> Result<(), BusError> {
        self.stream.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\n")?;
        loop {
            match self.line()?.as_str() {
                "DATA" => {}
                line if line.starts_with("OK") => break,
                _ => return Err(BusError::Protocol("authentication was refused")),
            }
        }
        Ok(self.stream.write_all(b"BEGIN\r\n")?)
    }

    fn line(&mut self) -> Result<String, BusError> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
            if line.len() > 1024 {
                return Err(BusError::Protocol("an endless line"));
            }
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Calls a method and waits for its reply.
    pub(super) fn call(
        &mut self,
        target: &Target,
        member: &str,
        signature: &str,
        fill: impl FnOnce(&mut Writer),
    ) -> Result<Message, BusError> {
        self.serial += 1;
        let mut body = Writer::default();
        fill(&mut body);
        self.stream.write_all(&encode(target, member, signature, &body.0, self.serial))?;
        loop {
            let message = self.read()?;
            match message.kind {
                METHOD_RETURN if message.reply_to == self.serial => return Ok(message),
                ERROR if message.reply_to == self.serial => {
                    let text = message.string(false).unwrap_or_default();
                    return Err(BusError::Remote { name: message.error, message: text });
                }
                _ => self.note(&message),
            }
        }
    }

    /// Waits for systemd to announce the end of `job`; its result, `done` if all went well.
    pub(super) fn wait_job(&mut self, job: &str) -> Result<String, BusError> {
        loop {
            if let Some((_, result)) = self.ended.iter().find(|(ended, _)| ended == job) {
                return Ok(result.clone());
            }
            let message = self.read()?;
            self.note(&message);
        }
    }

    /// JobRemoved(u id, o job, s unit, s result).
    fn note(&mut self, message: &Message) {
        let read = || {
            let mut reader = Reader::new(&message.body);
            reader.u32()?;
            let job = reader.string()?;
            reader.string()?;
            Ok::<_, BusError>((job, reader.string()?))
        };
        if message.kind == SIGNAL && message.member == "JobRemoved" {
            self.ended.extend(read());
        }
    }

    fn read(&mut self) -> Result<Message, BusError> {
        let mut head = [0u8; 16];
        self.stream.read_exact(&mut head)?;
        if head[0] != ENDIAN {
            return Err(BusError::Protocol("a message of the other byte order"));
        }
        let number = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (body, fields) = (number(4), number(12));
        if body > GREATEST || fields > GREATEST {
            return Err(BusError::Protocol("a message of more than 1 MiB"));
        }
        let mut rest = vec![0u8; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut rest)?;
        let body = rest.split_off(fields.next_multiple_of(8));
        Message::parse(&rest[..fields], head[1], body)
    }
}

const ENDIAN: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };

fn encode(target: &Target, member: &str, signature: &str, body: &[u8], serial: u32) -> Vec<u8> {
    let mut writer = Writer(vec![ENDIAN, 1, 0, 1]);
    writer.u32(length(body.len())).u32(serial);
    let text = [(1, "o", target.path), (2, "s", target.interface), (3, "s", member), (6, "s", target.destination)];
    writer.array(8, |writer| {
        for (code, kind, value) in text {
            writer.align(8);
            writer.0.push(code);
            writer.signature(kind).string(value);
        }
        if !signature.is_empty() {
            writer.align(8);
            writer.0.push(8);
            writer.signature("g").signature(signature);
        }
    });
    writer.align(8);
    writer.0.extend_from_slice(body);
    writer.0
}

#[cfg(test)]
#[path = "dbus_tests.rs"]
mod tests;
