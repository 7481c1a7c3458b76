// What is checked of each input; for libFuzzer, and for the bounded runs of runtime/tests/fuzz.rs.
#![allow(dead_code, reason = "each fuzz target uses one of the functions")]

use rtrun::profile::Profile;
use rtrun::sched::{MemPolicy, Persona, Rlimits, SchedAttr};
use rtrun::security::CapabilitySets;
use rtrun::security::lsm::ExecLabel;
use rtrun::security::seccomp::Filter;
use rtrun::spec::{Seccomp, Spec};
use std::collections::BTreeMap;

/// A config.json is refused in words, or means the same after being written and read again; planning never panics.
/// Returns whether it was accepted.
pub fn config(data: &[u8]) -> bool {
    let spec = match rtrun::spec::parse(data, "config.json") {
        Ok(spec) => spec,
        Err(error) => {
            assert!(error.to_string().starts_with("config.json: "), "{error}");
            return false;
        }
    };
    let text = serde_json::to_vec(&spec).expect("a parsed configuration can be written");
    let again = rtrun::spec::parse(&text, "config.json").expect("a written configuration can be read");
    assert_eq!(text, serde_json::to_vec(&again).expect("as before"));
    plan(&spec);
    true
}

fn plan(spec: &Spec) {
    if let Some(process) = &spec.process {
        process.capabilities.as_ref().map(CapabilitySets::plan);
        let _ = process.scheduler.as_ref().map(SchedAttr::plan);
        let _ = Rlimits::plan(&process.rlimits);
        let _ = ExecLabel::plan(process);
    }
    let _ = spec.linux.memory_policy.as_ref().map(MemPolicy::plan);
    let _ = spec.linux.personality.as_ref().map(Persona::plan);
    spec.linux.seccomp.as_ref().map(accepted);
}

/// Annotations (a JSON object of texts) are refused with the name of one of their keys, or give a profile: the same one
/// each time, whatever else the container's annotations hold.
pub fn annotations(data: &[u8]) -> bool {
    let Ok(mut annotations) = serde_json::from_slice::<BTreeMap<String, String>>(data) else { return false };
    let of = |annotations: &BTreeMap<String, String>| {
        Profile::of(&Spec { annotations: annotations.clone(), ..Spec::default() })
    };
    match of(&annotations) {
        Ok(profile) => {
            annotations.insert("com.example.unrelated".to_owned(), "1us".to_owned());
            let again = of(&annotations).map(|profile| format!("{profile:?}")).map_err(|error| error.to_string());
            assert_eq!(again, Ok(format!("{profile:?}")));
            true
        }
        Err(error) => {
            let text = error.to_string();
            let named = |key: &String| text.contains(&key.escape_debug().to_string());
            assert!(annotations.keys().any(named), "{text:?} names none of the keys");
            false
        }
    }
}

/// A state file is refused in words or read; what is read means the same after being written and read again.
pub fn state(data: &[u8]) -> bool {
    let state = match rtrun::state::parse(data) {
        Ok(state) => state,
        Err(error) => {
            assert!(!error.is_empty());
            return false;
        }
    };
    let text = serde_json::to_vec(&state).expect("a parsed state can be written");
    let again = rtrun::state::parse(&text).expect("a written state can be read");
    assert_eq!(text, serde_json::to_vec(&again).expect("as before"));
    true
}

/// A profile is refused with the field's name, or gives a filter that the kernel's verifier takes.
pub fn seccomp(data: &[u8]) -> bool {
    let Ok(profile) = serde_json::from_slice::<Seccomp>(data) else { return false };
    accepted(&profile)
}

fn accepted(profile: &Seccomp) -> bool {
    match Filter::compile(profile) {
        Ok(filter) => {
            assert!(loads(&filter), "the kernel refuses {filter:?}");
            true
        }
        Err(error) => {
            assert!(error.to_string().starts_with("linux.seccomp"), "{error}");
            false
        }
    }
}

/// Whether a child gets the filter loaded; it may well be killed by it right then.
fn loads(filter: &Filter) -> bool {
    const REFUSED: i32 = 99;
    let mut status = 0;
    // SAFETY: the child makes system calls only; status is live.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "fork");
        if child == 0 {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &no_core);
            // Nobody answers a notify descriptor here: the call that would wait for it is ended.
            libc::alarm(1);
            let refused = filter.load().is_err();
            if refused {
                libc::_exit(REFUSED);
            }
            // Where the filter lets nothing through, an illegal instruction is what still ends it.
            libc::syscall(libc::SYS_exit_group, 0);
            std::process::abort()
        }
        libc::waitpid(child, &mut status, 0);
    }
    !(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == REFUSED)
}
