//! As much of D-Bus as talking to systemd takes: EXTERNAL authentication, method calls and one kind of signal.

mod wire;

pub(super) use wire::{Message, Value, Writer};

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::{ENDIAN, ERROR, METHOD_RETURN, Reader, SIGNAL, encode};

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

#[cfg(test)]
mod tests;
