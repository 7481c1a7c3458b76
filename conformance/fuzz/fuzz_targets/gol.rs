#![no_main]

use gol_agent::pattern::Pattern;
use gol_agent::protocol::{HEADER, Header};

// What an agent reads from others: a message is refused or means the same when written again; so does a pattern.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok((header, rest)) = Header::decode(data) {
        let mut message = vec![0; HEADER];
        message.extend(rest);
        header.encode(&mut message);
        assert_eq!(Header::decode(&message), Ok((header, rest)));
    }
    // A mutation seldom keeps the CRC right: what is behind it is reached by making it so.
    if let Some((_, rest)) = data.split_at_checked(HEADER) {
        let mut message = data.to_vec();
        let crc = {
            let mut crc = crc32fast::Hasher::new();
            crc.update(&data[..60]);
            crc.update(rest);
            crc.finalize()
        };
        message[60..64].copy_from_slice(&crc.to_le_bytes());
        let _ = Header::decode(&message);
    }
    if let Ok(pattern) = std::str::from_utf8(data).map_err(drop).and_then(|text| Pattern::parse(text).map_err(drop)) {
        if pattern.width() * pattern.height() < 1 << 20 {
            assert_eq!(Pattern::parse(&pattern.to_rle()).as_ref(), Ok(&pattern));
            assert_eq!(Pattern::parse(&pattern.to_plaintext()).as_ref(), Ok(&pattern));
        }
    }
});
