use super::{CpuSet, Error};
use crate::spec::{MemoryPolicy, MemoryPolicyMode};
use nix::errno::Errno;

const STATIC_NODES: libc::c_int = 1 << 15;
const RELATIVE_NODES: libc::c_int = 1 << 14;
const NUMA_BALANCING: libc::c_int = 1 << 13;

/// What `set_mempolicy(2)` is called with.
#[derive(Clone, Debug)]
pub struct MemPolicy {
    /// Mode with its flags.
    mode: libc::c_int,
    nodes: CpuSet,
    asked: String,
}

impl MemPolicy {
    /// Checks mode, nodes and flags against each other, as the manual page has them.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::List`].
    pub fn plan(policy: &MemoryPolicy) -> Result<MemPolicy, Error> {
        let nodes = CpuSet::parse(&policy.nodes)?;
        let (name, number) = mode(policy.mode);
        let flags = policy.flags.iter().try_fold(0, |flags, name| Ok::<_, Error>(flags | flag(name)?))?;
        check_nodes(policy.mode, name, &nodes)?;
        check_flags(policy.mode, name, flags)?;
        let asked = format!("{name} nodes {:?} flags {:?}", policy.nodes, policy.flags);
        Ok(MemPolicy { mode: number | flags, nodes, asked })
    }

    /// Sets the policy of the calling thread; children and execve keep it.
    ///
    /// # Errors
    /// [`Error::MemPolicy`].
    pub fn apply(&self) -> Result<(), Error> {
        let mask = self.nodes.words();
        // The kernel looks at one bit less than it is told (set_mempolicy(2), maxnode).
        let (pointer, bits) =
            if mask.is_empty() { (std::ptr::null(), 0) } else { (mask.as_ptr(), mask.len() * 64 + 1) };
        // SAFETY: the mask is null or live, and as long as said.
        let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, self.mode, pointer, bits) };
        Errno::result(result).map(drop).map_err(|errno| Error::MemPolicy {
            asked: self.asked.clone(),
            errno,
            why: match errno {
                Errno::EINVAL => {
                    "a node is not there or not allowed by the cpuset, or this kernel lacks the mode or a flag"
                }
                Errno::ENOSYS => "this kernel is built without NUMA",
                Errno::EPERM => "a seccomp filter around rtrun forbids it",
                _ => "see set_mempolicy(2)",
            },
        })
    }
}

/// Name and number in `linux/mempolicy.h`.
fn mode(mode: MemoryPolicyMode) -> (&'static str, libc::c_int) {
    match mode {
        MemoryPolicyMode::MpolDefault => ("MPOL_DEFAULT", 0),
        MemoryPolicyMode::MpolPreferred => ("MPOL_PREFERRED", 1),
        MemoryPolicyMode::MpolBind => ("MPOL_BIND", 2),
        MemoryPolicyMode::MpolInterleave => ("MPOL_INTERLEAVE", 3),
        MemoryPolicyMode::MpolLocal => ("MPOL_LOCAL", 4),
        MemoryPolicyMode::MpolPreferredMany => ("MPOL_PREFERRED_MANY", 5),
        MemoryPolicyMode::MpolWeightedInterleave => ("MPOL_WEIGHTED_INTERLEAVE", 6),
    }
}

fn flag(name: &str) -> Result<libc::c_int, Error> {
    match name {
        "MPOL_F_STATIC_NODES" => Ok(STATIC_NODES),
        "MPOL_F_RELATIVE_NODES" => Ok(RELATIVE_NODES),
        "MPOL_F_NUMA_BALANCING" => Ok(NUMA_BALANCING),
        _ => Err(problem(
            "linux.memoryPolicy.flags",
            format!(
                "unknown flag {name:?}; known are MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING"
            ),
        )),
    }
}

fn check_nodes(mode: MemoryPolicyMode, name: &str, nodes: &CpuSet) -> Result<(), Error> {
    use MemoryPolicyMode::{MpolDefault, MpolLocal, MpolPreferred};
    let field = "linux.memoryPolicy.nodes";
    match mode {
        MpolDefault | MpolLocal if !nodes.is_empty() => {
            Err(problem(field, format!("{name} takes no nodes, and {nodes} are given")))
        }
        // Without nodes, preferred means the local one.
        MpolDefault | MpolLocal | MpolPreferred => Ok(()),
        _ if nodes.is_empty() => Err(problem(field, format!("{name} needs at least one node"))),
        _ => Ok(()),
    }
}

fn check_flags(mode: MemoryPolicyMode, name: &str, flags: libc::c_int) -> Result<(), Error> {
    use MemoryPolicyMode::{MpolBind, MpolDefault, MpolLocal, MpolPreferredMany};
    let field = "linux.memoryPolicy.flags";
    let nodes = STATIC_NODES | RELATIVE_NODES;
    if flags & nodes == nodes {
        return Err(problem(field, "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other".into()));
    }
    if flags != 0 && matches!(mode, MpolDefault | MpolLocal) {
        return Err(problem(field, format!("{name} takes no flags")));
    }
    if flags & NUMA_BALANCING != 0 && !matches!(mode, MpolBind | MpolPreferredMany) {
        return Err(problem(
            field,
            format!("MPOL_F_NUMA_BALANCING goes with MPOL_BIND or MPOL_PREFERRED_MANY, not {name}"),
        ));
    }
    Ok(())
}

fn problem(field: &'static str, problem: String) -> Error {
    Error::Field { field, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: MemoryPolicyMode, nodes: &str, flags: &[&str]) -> MemoryPolicy {
        MemoryPolicy { mode, nodes: nodes.into(), flags: flags.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn contradictions_are_named() {
        use MemoryPolicyMode::*;
        for (policy, part) in [
            (policy(MpolLocal, "0", &[]), "MPOL_LOCAL takes no nodes, and 0 are given"),
            (policy(MpolBind, "", &[]), "MPOL_BIND needs at least one node"),
            (policy(MpolBind, "0", &["MPOL_F_X"]), "unknown flag \"MPOL_F_X\""),
            (policy(MpolBind, "0", &["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]), "exclude each other"),
            (policy(MpolInterleave, "0", &["MPOL_F_NUMA_BALANCING"]), "not MPOL_INTERLEAVE"),
            (policy(MpolDefault, "", &["MPOL_F_STATIC_NODES"]), "MPOL_DEFAULT takes no flags"),
            (policy(MpolBind, "zero", &[]), "\"zero\" is not a number"),
        ] {
            let error = MemPolicy::plan(&policy).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn binding_to_node_0_is_what_the_kernel_reports() {
        let planned = MemPolicy::plan(&policy(MemoryPolicyMode::MpolBind, "0", &["MPOL_F_STATIC_NODES"])).unwrap();
        std::thread::spawn(move || {
            match planned.apply() {
                Err(Error::MemPolicy { errno: Errno::ENOSYS, .. }) => {
                    eprintln!("skip: this kernel is built without NUMA");
                    return;
                }
                result => result.unwrap(),
            }
            let (mut mode, mut mask) = (0, [0u64; 64]);
            // SAFETY: both are live, the mask 4096 bits long.
            let result =
                unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, mask.as_mut_ptr(), 4096, 0, 0) };
            assert_eq!(result, 0);
            assert_eq!((mode, mask[0]), (2 | STATIC_NODES, 1));
        })
        .join()
        .unwrap();
    }
}
