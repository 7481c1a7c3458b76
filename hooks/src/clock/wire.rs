//! chronyd's command protocol, version 6, as far as the tracking report goes (chrony's `candm.h` describes it; all fields are
//! big-endian).

const VERSION: u8 = 6;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const TRACKING: u16 = 33;
const TRACKING_REPLY: u16 = 5;
/// Header and report of a reply. A request is as long, so that nobody can be flooded by forged ones.
pub(super) const LENGTH: usize = 104;
/// Where the report begins.
const REPORT: usize = 28;

/// `127.127.1.1`: chronyd calls its own undisciplined clock a reference of this name.
const LOCAL: u32 = 0x7f7f_0101;

/// What chronyd knows of its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tracking {
    /// Its name: an IPv4 address, a hash of an IPv6 one, or four letters.
    pub reference: u32,
    pub has_address: bool,
    pub stratum: u16,
    /// 3 is not synchronised.
    pub leap: u16,
    /// When it was last heard, seconds after 1970.
    pub heard: f64,
    /// Reference less system clock, seconds.
    pub correction: f64,
    pub root_delay: f64,
    pub root_dispersion: f64,
    /// Seconds between the last two updates.
    pub interval: f64,
}

impl Tracking {
    /// Whether chronyd only hears itself.
    pub(super) fn is_local(&self) -> bool {
        self.reference == LOCAL && !self.has_address
    }
}

/// The request, to be answered under the same number.
pub(super) fn request(sequence: u32) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    (packet[0], packet[1]) = (VERSION, REQUEST);
    packet[4..6].copy_from_slice(&TRACKING.to_be_bytes());
    packet[8..12].copy_from_slice(&sequence.to_be_bytes());
    packet
}

/// The report in a reply to this request; in words why it is none.
pub(super) fn reply(packet: &[u8], sequence: u32) -> Result<Tracking, String> {
    if packet.len() < REPORT || packet[1] != REPLY {
        return Err("it answers, but not in chronyd's protocol".into());
    }
    if packet[0] != VERSION {
        return Err(format!("it speaks version {} of chronyd's protocol, not {VERSION}", packet[0]));
    }
    let half = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let word = |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    if word(16) != sequence {
        return Err("it answers another's question".into());
    }
    match half(8) {
        0 if half(6) == TRACKING_REPLY && packet.len() >= LENGTH => {}
        0 => return Err("its reply is no tracking report".into()),
        2 => return Err("it refuses to tell (not authorised)".into()),
        status => return Err(format!("it refuses with status {status}")),
    }
    let number = |nth: usize| float(word(REPORT + 40 + 4 * nth));
    let seconds = (i64::from(word(REPORT + 28) & 0x7fff_ffff) << 32) + i64::from(word(REPORT + 32));
    Ok(Tracking {
        reference: word(REPORT),
        has_address: half(REPORT + 20) != 0,
        stratum: half(REPORT + 24),
        leap: half(REPORT + 26),
        heard: seconds as f64 + f64::from(word(REPORT + 36)) * 1e-9,
        correction: number(0),
        root_delay: number(6),
        root_dispersion: number(7),
        interval: number(8),
    })
}

/// Seven bits of exponent and 25 of coefficient, both signed.
fn float(bits: u32) -> f64 {
    let exponent = (bits as i32) >> 25;
    let coefficient = ((bits << 7) as i32) >> 7;
    f64::from(coefficient) * 2f64.powi(exponent - 25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_coefficient_and_exponent() {
        assert_eq!(float(0), 0.0);
        // 0.5 is 2^23 * 2^(1 - 25) * 2^0 … in the form that has the coefficient's highest bit set.
        assert_eq!(float((1 << 25) | (1 << 23)), 0.5);
        assert_eq!(float((1 << 25) | (0x1ff_ffff & -(1i32 << 23) as u32)), -0.5);
        assert_eq!(float((0x7f << 25) | (1 << 24 >> 1)), 2f64.powi(23 - 26));
    }

    #[test]
    fn strangers_are_told_apart() {
        let mut packet = request(7);
        assert!(reply(&packet, 7).unwrap_err().contains("not in chronyd's protocol"));
        packet[1] = REPLY;
        packet[16..20].copy_from_slice(&7u32.to_be_bytes());
        assert!(reply(&packet, 8).unwrap_err().contains("another's"));
        assert!(reply(&packet, 7).unwrap_err().contains("no tracking report"));
        packet[9] = 2;
        assert!(reply(&packet, 7).unwrap_err().contains("not authorised"));
        packet[0] = 5;
        assert!(reply(&packet, 7).unwrap_err().contains("version 5"));
        assert!(reply(&[], 7).is_err());
    }
}
