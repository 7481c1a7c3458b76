use super::DeviceName;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

/// One item of `clock.source`: who is asked whether the clock is good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClockSource {
    /// The kernel's own account of its clock, `adjtimex(2)`.
    Adjtimex,
    /// chronyd: at its usual command socket, or at the one that is named (`chrony:/run/chrony/chronyd.sock`).
    Chrony(Option<PathBuf>),
    /// A PTP hardware clock: `ptp:/dev/ptp0`.
    Ptp(PathBuf),
    /// A timecode card: `bc635:0`.
    Card {
        /// Lower-case name of its family.
        family: String,
        /// From 0, in the order of PCI addresses.
        index: u32,
    },
}

impl ClockSource {
    /// Reads a source.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<ClockSource, String> {
        let path = |path: &str| match path.starts_with('/') {
            true => Ok(PathBuf::from(path)),
            false => Err(format!("{path:?} is no absolute path")),
        };
        match text.split_once(':') {
            None if text == "adjtimex" => Ok(ClockSource::Adjtimex),
            None if text == "chrony" => Ok(ClockSource::Chrony(None)),
            Some(("chrony", socket)) => Ok(ClockSource::Chrony(Some(path(socket)?))),
            Some(("ptp", device)) => Ok(ClockSource::Ptp(path(device)?)),
            Some(_) => match DeviceName::parse(text)? {
                DeviceName::Card { family, index } => Ok(ClockSource::Card { family, index }),
                _ => Err("is no clock; a card is named family:index".to_owned()),
            },
            None => Err("is no clock".to_owned()),
        }
    }
}

/// As an annotation has it.
impl fmt::Display for ClockSource {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            ClockSource::Adjtimex => f.write_str("adjtimex"),
            ClockSource::Chrony(None) => f.write_str("chrony"),
            ClockSource::Chrony(Some(socket)) => write!(f, "chrony:{}", socket.display()),
            ClockSource::Ptp(device) => write!(f, "ptp:{}", device.display()),
            ClockSource::Card { family, index } => write!(f, "{family}:{index}"),
        }
    }
}

impl Serialize for ClockSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
