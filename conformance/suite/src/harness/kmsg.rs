//! The kernel's messages from a moment on: `/dev/kmsg` (`Documentation/ABI/testing/dev-kmsg`).

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// A place in the kernel's log.
pub struct Kmsg(File);

impl Kmsg {
    /// The log's end as it is now; none where it may not be read.
    pub fn from_now() -> Option<Kmsg> {
        let mut log = File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
        log.seek(SeekFrom::End(0)).ok()?;
        Some(Kmsg(log))
    }

    /// What was logged since, a message a line, seconds since boot before it as dmesg(1) has them.
    pub fn lines(&mut self) -> String {
        let mut text = String::new();
        // One read gives one message; none holds more.
        let mut message = [0u8; 8192];
        loop {
            match self.0.read(&mut message) {
                Ok(length) => text.extend(line(&String::from_utf8_lossy(&message[..length]))),
                // Overwritten before it was read: the next read goes on after the gap.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => text.push_str("… messages were lost\n"),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return text,
            }
        }
    }
}

/// `priority,sequence,microseconds,flags;text`, then lines of key=value that nobody needs.
fn line(message: &str) -> Option<String> {
    let (prefix, text) = message.split_once(';')?;
    let microseconds: u64 = prefix.split(',').nth(2)?.parse().ok()?;
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    Some(format!("[{seconds:5}.{rest:06}] {}\n", text.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_dmesg_has_it() {
        let got = line("6,339,5140900,-;NET: Registered protocol family 10\n SUBSYSTEM=net\n");
        assert_eq!(got.as_deref(), Some("[    5.140900] NET: Registered protocol family 10\n"));
        assert_eq!(line("no message"), None);
    }
}
