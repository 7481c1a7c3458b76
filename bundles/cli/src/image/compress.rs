//! Compressed streams, told by their first bytes: media types lie, and tar files have none.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

/// RFC 1952.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// RFC 8878.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Compressors whose streams are named in the refusal.
const REFUSED: &[(&str, &[u8])] = &[("xz", &[0xfd, b'7', b'z', b'X', b'Z']), ("bzip2", b"BZh")];

/// Whether a file begins as a compressed stream; leaves it at its begin.
///
/// # Errors
/// Can't be read.
pub fn is_compressed(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head)?;
    file.rewind()?;
    let mut known = REFUSED.iter().map(|(_, magic)| *magic).chain([GZIP, ZSTD]);
    Ok(known.any(|magic| head.starts_with(magic)))
}

/// The stream, decompressed where it is compressed.
///
/// # Errors
/// A compression that is not supported, or a malformed begin.
pub fn decoder<'a>(stream: impl Read + 'a) -> Result<Box<dyn Read + 'a>, String> {
    let mut stream = BufReader::new(stream);
    let head = stream.fill_buf().map_err(|error| error.to_string())?;
    if head.starts_with(GZIP) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(stream)));
    }
    if head.starts_with(ZSTD) {
        let decoder = ruzstd::decoding::StreamingDecoder::new(stream).map_err(|error| error.to_string())?;
        return Ok(Box::new(decoder));
    }
    match REFUSED.iter().find(|(_, magic)| head.starts_with(magic)) {
        Some((name, _)) => Err(format!("is compressed with {name}; only gzip and zstd are read")),
        None => Ok(Box::new(stream)),
    }
}
