use super::Error;
use crate::host::{self, Host};
use serde::{Deserialize, Serialize};

/// Whose an entry is: a container, known by its init process. pid and start time together are one process of one boot; the
/// ledger as a whole belongs to one boot.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Deserialize, Serialize)]
pub struct Owner {
    /// The container's name, for people.
    pub id: String,
    /// pid of its init, as the host sees it.
    pub pid: i32,
    /// Clock ticks after boot at which that process began (`proc_pid_stat(5)`, field 22).
    pub start_time: u64,
}

impl Owner {
    /// The owner that a live process stands for.
    ///
    /// # Errors
    /// [`Error::Owner`] when there is no such process.
    pub fn of(host: &Host, id: &str, pid: i32) -> Result<Owner, Error> {
        let stat = host::process_stat(host, pid).map_err(|errno| Error::Owner { id: id.to_owned(), pid, errno })?;
        Ok(Owner { id: id.to_owned(), pid, start_time: stat.start_time })
    }

    /// Whether that process is still there and no zombie.
    pub fn lives(&self, host: &Host) -> bool {
        host::process_stat(host, self.pid)
            .is_ok_and(|stat| stat.start_time == self.start_time && !matches!(stat.state, 'Z' | 'X'))
    }
}
