//! The wire format (D-Bus specification, "Message Protocol").

use super::{BusError, Target};

/// A value of a property.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cgroup) enum Value {
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
pub(in crate::cgroup) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(in crate::cgroup) fn u32(&mut self, value: u32) -> &mut Self {
        self.align(4);
        self.0.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(in crate::cgroup) fn bool(&mut self, value: bool) -> &mut Self {
        self.u32(u32::from(value))
    }

    pub(in crate::cgroup) fn string(&mut self, text: &str) -> &mut Self {
        self.u32(length(text.len()));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    pub(super) fn signature(&mut self, text: &str) -> &mut Self {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    /// The length counts neither itself nor the padding before the first element.
    pub(in crate::cgroup) fn array(&mut self, alignment: usize, fill: impl FnOnce(&mut Self)) -> &mut Self {
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
    pub(in crate::cgroup) fn properties(&mut self, properties: &[(&str, Value)]) -> &mut Self {
        self.array(8, |writer| {
            for (name, value) in properties {
                writer.align(8);
                writer.string(name);
                writer.variant(value);
            }
        })
    }
}

pub(super) fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Unmarshals; out of bounds is an error, not a panic.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
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

    pub(super) fn u32(&mut self) -> Result<u32, BusError> {
        self.align(4);
        let bytes = self.take(4)?;
        Ok(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn text(&mut self, length: usize) -> Result<String, BusError> {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    pub(super) fn string(&mut self) -> Result<String, BusError> {
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
pub(in crate::cgroup) struct Message {
    pub(super) kind: u8,
    pub(super) reply_to: u32,
    pub(super) error: String,
    pub(super) member: String,
    pub(super) body: Vec<u8>,
}

pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

impl Message {
    /// The body of a reply that is one string, object path, or variant of a string.
    pub(in crate::cgroup) fn string(&self, variant: bool) -> Result<String, BusError> {
        let mut reader = Reader::new(&self.body);
        if variant {
            reader.signature()?;
        }
        reader.string()
    }

    pub(super) fn parse(fields: &[u8], kind: u8, body: Vec<u8>) -> Result<Self, BusError> {
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

pub(super) const ENDIAN: u8 = if cfg!(target_endian = "little") { b'l' } else { b'B' };

pub(super) fn encode(target: &Target, member: &str, signature: &str, body: &[u8], serial: u32) -> Vec<u8> {
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
