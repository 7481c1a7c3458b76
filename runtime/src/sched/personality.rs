use super::Error;
use crate::spec::{Personality, PersonalityDomain};
use nix::errno::Errno;

/// `PER_LINUX` and `PER_LINUX32` of `linux/personality.h`.
const LINUX: libc::c_ulong = 0;
const LINUX32: libc::c_ulong = 8;

/// What `personality(2)` is called with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Persona(libc::c_ulong);

impl Persona {
    /// The domain's value.
    ///
    /// # Errors
    /// [`Error::Field`] for any flag: the specification defines none.
    pub fn plan(p: &Personality) -> Result<Persona, Error> {
        if let Some(flag) = p.flags.first() {
            let problem = format!("{flag:?}: runtime-spec 1.3 defines no flags; leave them out");
            return Err(Error::Field { field: "linux.personality.flags", problem });
        }
        Ok(Persona(match p.domain {
            PersonalityDomain::Linux => LINUX,
            PersonalityDomain::Linux32 => LINUX32,
        }))
    }

    /// Takes the personality on; it survives execve.
    ///
    /// # Errors
    /// [`Error::Personality`].
    pub fn apply(&self) -> Result<(), Error> {
        // SAFETY: takes a number only.
        let result = unsafe { libc::personality(self.0) };
        Errno::result(result).map(drop).map_err(|errno| Error::Personality { persona: self.0, errno })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_refused_by_name() {
        let p = Personality { domain: PersonalityDomain::Linux, flags: vec!["ADDR_NO_RANDOMIZE".into()] };
        assert!(Persona::plan(&p).unwrap_err().to_string().contains("linux.personality.flags: \"ADDR_NO_RANDOMIZE\""));
    }

    #[test]
    fn the_domain_is_taken_on() {
        let p = Personality { domain: PersonalityDomain::Linux32, flags: Vec::new() };
        std::thread::spawn(move || {
            Persona::plan(&p).unwrap().apply().unwrap();
            // SAFETY: all ones only asks.
            let current = unsafe { libc::personality(0xffff_ffff) };
            assert_eq!(current & 0xff, LINUX32 as libc::c_int);
        })
        .join()
        .unwrap();
    }
}
