use super::{Command, Error, Globals};

/// Send a signal to a container's first process
#[derive(clap::Parser)]
pub(super) struct Kill {
    /// Send it to all of its processes
    #[arg(short, long)]
    all: bool,
    /// Name of the container
    id: String,
    /// Number or name, with or without SIG
    #[arg(default_value = "TERM", value_parser = signal)]
    signal: i32,
}

impl Command for Kill {
    fn run(self, globals: &Globals) -> Result<u8, Error> {
        crate::launch::kill(&globals.store(), &self.id, self.signal, self.all)?;
        Ok(0)
    }
}

/// `signal(7)`: a number from 0 to 64, a name with or without SIG, or RTMIN+n and RTMAX-n.
fn signal(text: &str) -> Result<i32, String> {
    let unknown = || format!("{text:?} is no signal; numbers from 0 to 64 and names as TERM, SIGTERM or RTMIN+3 are");
    if let Ok(number) = text.parse::<i32>() {
        return if (0..=64).contains(&number) { Ok(number) } else { Err(unknown()) };
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let real_time = |rest: &str, base: i32, sign: char| {
        let offset = if rest.is_empty() { 0 } else { rest.strip_prefix(sign)?.parse::<i32>().ok()? };
        let number = if sign == '+' { base + offset } else { base - offset };
        (34..=64).contains(&number).then_some(number)
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return real_time(rest, 34, '+').ok_or_else(unknown);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return real_time(rest, 64, '-').ok_or_else(unknown);
    }
    format!("SIG{name}").parse::<nix::sys::signal::Signal>().map(|signal| signal as i32).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn signals_as_callers_write_them() {
        let numbers = [
            ("9", 9),
            ("KILL", 9),
            ("SIGTERM", 15),
            ("sigusr1", 10),
            ("0", 0),
            ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("64", 64),
        ];
        for (text, number) in numbers {
            assert_eq!(signal(text), Ok(number), "{text}");
        }
        for text in ["65", "-1", "TERMINATE", "RTMIN-1", "RTMAX+1", ""] {
            assert!(signal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_may_stand_anywhere() {
        for line in ["kill --all c 9", "kill c 9 --all", "kill c --all 9", "kill -a c 9"] {
            let kill = Kill::try_parse_from(line.split(' ')).unwrap();
            assert!(kill.all && kill.id == "c" && kill.signal == 9, "{line}");
        }
        assert_eq!(Kill::try_parse_from(["kill", "c"]).unwrap().signal, 15);
    }
}
