//! What agents say to each other: a header of 64 bytes, and for a halo the strips of cells. Pure; all integers little-endian.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic `RGOL` |
//! | 4 | 1 | version |
//! | 5 | 1 | kind: 0 halo, 1 ask, 2 hello, 3 bye, 4 refusal |
//! | 6 | 1 | flags: bit 0 the sender's cells are not exact |
//! | 7 | 1 | sides of the receiver's halo (bit 0 north, clockwise) that the strips fill, or that are asked for |
//! | 8 | 8 | run |
//! | 16 | 8 | generation |
//! | 24 | 8 | time of sending, CLOCK_REALTIME in ns |
//! | 32 | 4 | source: the sender's region |
//! | 36 | 4 | target: the receiver's region |
//! | 40 | 4 | instance: tells two agents of the same region apart |
//! | 44 | 4 | sequence of the sender's messages |
//! | 48 | 4 | host: tells whether two agents share a clock |
//! | 52 | 4 | bound of the sender's clock error in µs, 0xffffffff unknown |
//! | 56 | 4 | length of what follows the header |
//! | 60 | 4 | CRC-32 (IEEE 802.3) of the header up to here and of what follows it |

/// Bytes of a header.
pub const HEADER: usize = 64;
/// The most that a UDP datagram carries over IPv4: what a message may not exceed.
pub const LONGEST: usize = 65_507;
/// The version spoken here.
pub const VERSION: u8 = 1;
/// The clock error bound of a sender that knows none.
pub const UNKNOWN_BOUND: u32 = u32::MAX;

const MAGIC: [u8; 4] = *b"RGOL";
const CRC_AT: usize = 60;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Strips of cells of a generation.
    Halo = 0,
    /// A request to send the strips of a generation again.
    Ask = 1,
    /// A sign of life before the start; what follows is the sender's T0, CLOCK_REALTIME in ns.
    Hello = 2,
    /// The sender needs no more halos.
    Bye = 3,
    /// The receiver's region is taken by another agent.
    Refusal = 4,
}

/// A message's header, but for its length and CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub kind: Kind,
    /// The sender's cells are not exact: a halo was missing there or before.
    pub inexact: bool,
    /// Sides of the receiver's halo.
    pub sides: u8,
    /// The run: agents of different runs don't exchange cells.
    pub run: u64,
    /// The generation.
    pub generation: u64,
    /// Time of sending, CLOCK_REALTIME in ns.
    pub sent: u64,
    /// The sender's region.
    pub source: u32,
    /// The receiver's region.
    pub target: u32,
    /// Tells two agents of one region apart.
    pub instance: u32,
    /// Counts the sender's messages.
    pub sequence: u32,
    /// Tells hosts apart.
    pub host: u32,
    /// How far the sender's clock may be off, in µs.
    pub clock_bound: u32,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not of this protocol.
    #[error("no message of a Game of Life agent")]
    Foreign,
    /// Another version of this protocol.
    #[error("a message of protocol version {0}; this agent speaks version {VERSION}")]
    Version(u8),
    /// Too short, too long, or changed on its way.
    #[error("a message that was changed on its way")]
    Corrupt,
}

impl Header {
    /// Writes the header and the CRC into `message`, whose bytes from [`HEADER`] on are what follows the header.
    pub fn encode(&self, message: &mut [u8]) {
        let length = (message.len() - HEADER) as u32;
        message[0..4].copy_from_slice(&MAGIC);
        message[4..8].copy_from_slice(&[VERSION, self.kind as u8, u8::from(self.inexact), self.sides]);
        message[8..16].copy_from_slice(&self.run.to_le_bytes());
        message[16..24].copy_from_slice(&self.generation.to_le_bytes());
        message[24..32].copy_from_slice(&self.sent.to_le_bytes());
        let words = [self.source, self.target, self.instance, self.sequence, self.host, self.clock_bound, length];
        for (bytes, word) in message[32..CRC_AT].chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let crc = checksum(message);
        message[CRC_AT..HEADER].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a message: its header and what follows it.
    pub fn decode(message: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
        let Some((header, rest)) = message.split_first_chunk::<HEADER>() else {
            return Err(if message.starts_with(&MAGIC) { DecodeError::Corrupt } else { DecodeError::Foreign });
        };
        if !header.starts_with(&MAGIC) {
            return Err(DecodeError::Foreign);
        }
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if checksum(message) != word(CRC_AT) || word(56) as usize != rest.len() {
            return Err(DecodeError::Corrupt);
        }
        if header[4] != VERSION {
            return Err(DecodeError::Version(header[4]));
        }
        let kind = match header[5] {
            0 => Kind::Halo,
            1 => Kind::Ask,
            2 => Kind::Hello,
            3 => Kind::Bye,
            4 => Kind::Refusal,
            _ => return Err(DecodeError::Corrupt),
        };
        let header = Header {
            kind,
            inexact: header[6] & 1 != 0,
            sides: header[7],
            run: long(8),
            generation: long(16),
            sent: long(24),
            source: word(32),
            target: word(36),
            instance: word(40),
            sequence: word(44),
            host: word(48),
            clock_bound: word(52),
        };
        Ok((header, rest))
    }

    /// The whole length of the message that begins with `bytes`, for a transport that is a stream; `None` when it is none.
    pub fn message_length(bytes: &[u8; HEADER]) -> Option<usize> {
        let length = u32::from_le_bytes([bytes[56], bytes[57], bytes[58], bytes[59]]) as usize;
        (bytes.starts_with(&MAGIC) && length <= LONGEST - HEADER).then_some(HEADER + length)
    }
}

/// CRC-32 of all but the CRC itself.
fn checksum(message: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&message[..CRC_AT]);
    crc.update(&message[HEADER..]);
    crc.finalize()
}
