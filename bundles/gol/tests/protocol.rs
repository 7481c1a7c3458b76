//! Any bytes are a message or an error; a message survives the way there and back, and no change of it goes unnoticed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gol_agent::protocol::{DecodeError, HEADER, Header, Kind};
use proptest::prelude::*;

fn header() -> impl Strategy<Value = Header> {
    let kind = prop::sample::select(vec![Kind::Halo, Kind::Ask, Kind::Hello, Kind::Bye, Kind::Refusal]);
    (kind, any::<(bool, u8, u64, u64, u64)>(), any::<(u32, u32, u32, u32, u32, u32)>()).prop_map(|(kind, a, b)| {
        Header {
            kind,
            inexact: a.0,
            sides: a.1,
            run: a.2,
            generation: a.3,
            sent: a.4,
            source: b.0,
            target: b.1,
            instance: b.2,
            sequence: b.3,
            host: b.4,
            clock_bound: b.5,
        }
    })
}

proptest! {
    #[test]
    fn a_message_survives(header in header(), rest: Vec<u8>) {
        let mut message = vec![0; HEADER];
        message.extend(&rest);
        header.encode(&mut message);
        prop_assert_eq!(Header::decode(&message), Ok((header, &rest[..])));
        prop_assert_eq!(Header::message_length(message.first_chunk().unwrap()), Some(message.len()));
    }

    #[test]
    fn a_changed_bit_is_noticed(header in header(), rest: Vec<u8>, bit: prop::sample::Index) {
        let mut message = vec![0; HEADER];
        message.extend(&rest);
        header.encode(&mut message);
        let bit = bit.index(message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 32 { DecodeError::Foreign } else { DecodeError::Corrupt };
        prop_assert_eq!(Header::decode(&message), Err(expected));
    }

    #[test]
    fn a_cut_message_is_noticed(header in header(), rest: Vec<u8>, cut: prop::sample::Index) {
        let mut message = vec![0; HEADER];
        message.extend(&rest);
        header.encode(&mut message);
        prop_assert!(Header::decode(&message[..cut.index(message.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>, ours: bool) {
        let mut bytes = bytes;
        if ours && bytes.len() >= 4 {
            bytes[..4].copy_from_slice(b"RGOL");
        }
        let _ = Header::decode(&bytes);
    }
}
