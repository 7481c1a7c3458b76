//! The options of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// The REST API and its page.
#[derive(Args, Clone, Debug)]
pub struct ServeOptions {
    /// Where: unix:PATH, or tcp:ADDRESS:PORT together with --token-file
    #[arg(long, value_name = "WHERE", default_value = "unix:/run/rtrun/api.sock")]
    pub listen: Listen,
    /// File with the token that every request must bear (Authorization: Bearer TOKEN)
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A socket's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// In the file system, for its owner alone.
    Unix(PathBuf),
    /// For whoever reaches it and has the token.
    Tcp(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Listen::Unix(path.into())),
            Some(("tcp", address)) => address
                .parse()
                .map(Listen::Tcp)
                .map_err(|_| format!("{address:?} is not ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:8080")),
            _ => Err("unix:/PATH or tcp:ADDRESS:PORT".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_their_kind() {
        assert_eq!("unix:/run/x.sock".parse(), Ok(Listen::Unix("/run/x.sock".into())));
        assert!(matches!("tcp:[::1]:80".parse(), Ok(Listen::Tcp(_))));
        for text in ["", "/run/x.sock", "unix:x.sock", "tcp:8080", "tcp:localhost:80", "udp:127.0.0.1:80"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
