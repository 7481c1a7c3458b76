use std::path::PathBuf;

/// Why a device can't be given to a container. Nothing has been done then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// devices.toml can't be used.
    #[error("{path}: {problem}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A family that nobody has described.
    #[error(
        "device {asked}: no family of cards is called {family:?}; did you mean {nearest:?}? \
         /etc/rtrun/devices.toml adds families"
    )]
    Family {
        /// The whole name.
        asked: String,
        /// What was taken for a family.
        family: String,
        /// What there is.
        nearest: String,
    },
    /// A device that this host doesn't have.
    #[error("device {asked}: {problem}")]
    Absent {
        /// Its name.
        asked: String,
        /// Where it was looked for, and what there is instead.
        problem: String,
    },
    /// A device that is there and can't be used as it is.
    #[error("device {asked}: {problem}")]
    Unusable {
        /// Its name.
        asked: String,
        /// Why not, and what mends it.
        problem: String,
    },
    /// `+shared` where sharing breaks it.
    #[error("device {asked}: +shared is refused: {reason}")]
    NotShareable {
        /// Its name.
        asked: String,
        /// Why.
        reason: String,
    },
    /// The container's user could not open it.
    #[error(
        "device {asked}: {path} is {owner}'s with mode {mode:03o}, and the container's user ({user}) could not open it: \
         {remedy}"
    )]
    Ownership {
        /// Its name.
        asked: String,
        /// Which file.
        path: PathBuf,
        /// uid:gid of the file on the host.
        owner: String,
        /// Its permission bits.
        mode: u32,
        /// The user as the host sees him.
        user: String,
        /// What to do.
        remedy: String,
    },
    /// A CDI specification can't be used.
    #[error("device {asked}: {problem}")]
    Cdi {
        /// Its name.
        asked: String,
        /// What is wrong with which file.
        problem: String,
    },
    /// A file of the host can't be read.
    #[error(transparent)]
    Host(#[from] crate::host::Error),
}
