//! Inside a container: what busybox cannot observe. Each probe prints one line.

use std::process::ExitCode;

use nix::errno::Errno;

/// Runs the probe called `what`.
pub fn probe(what: &str, args: &[String]) -> Result<ExitCode, String> {
    let numbers = args.iter().map(|arg| number(arg)).collect::<Result<Vec<i64>, _>>();
    match what {
        "syscall" => println!("{}", syscall(&numbers?)),
        "int80" => println!("{}", int80(&numbers?)?),
        "mempolicy" => println!("{}", memory_policy()?),
        _ => return Err(format!("no probe is named {what}")),
    }
    Ok(ExitCode::SUCCESS)
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// Makes the system call of this number with up to six arguments: `ok` or the errno's name.
fn syscall(numbers: &[i64]) -> String {
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    // SAFETY: the caller of the probe chooses calls that take no pointers, or bad ones that the kernel refuses.
    let done = unsafe { libc::syscall(at(0), at(1), at(2), at(3), at(4), at(5), at(6)) };
    match Errno::result(done) {
        Ok(_) => "ok".into(),
        Err(errno) => format!("{errno:?}"),
    }
}

/// Makes a 32-bit system call: `ok` or the errno's name.
#[cfg(target_arch = "x86_64")]
fn int80(numbers: &[i64]) -> Result<String, String> {
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    let mut done = at(0);
    // SAFETY: int 0x80 reads the registers named, clobbers r8 to r11 and gives the result in rax; rbx, which the
    // compiler keeps for itself, is put back.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx",
            "int 0x80",
            "xchg {first}, rbx",
            first = inout(reg) at(1) => _,
            inout("rax") done,
            in("rcx") at(2),
            in("rdx") at(3),
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    let done = done as i32;
    Ok(if done < 0 { format!("{:?}", Errno::from_raw(-done)) } else { "ok".into() })
}

/// Other architectures have no such instruction.
#[cfg(not(target_arch = "x86_64"))]
fn int80(_numbers: &[i64]) -> Result<String, String> {
    Err("int 0x80 exists on x86 only".into())
}

/// `mode flags nodes` of get_mempolicy(2), for the thread's own policy.
fn memory_policy() -> Result<String, String> {
    let (mut mode, mut nodes) = (0i32, [0u64; 16]);
    let bits = nodes.len() * 64;
    // SAFETY: both pointers are to memory of the sizes told.
    let done = unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, nodes.as_mut_ptr(), bits, 0, 0) };
    Errno::result(done).map_err(|errno| format!("get_mempolicy: {errno}"))?;
    const MODE_FLAGS: i32 = 0xe000;
    Ok(format!("{} {:#x} {:#x}", mode & !MODE_FLAGS, mode & MODE_FLAGS, nodes[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_call_tells_its_errno() {
        assert_eq!(syscall(&[libc::SYS_getppid]), "ok");
        assert_eq!(syscall(&[libc::SYS_close, -1]), "EBADF");
    }

    #[test]
    fn an_unknown_probe_is_an_error() {
        assert!(probe("nonsense", &[]).is_err());
        assert!(probe("syscall", &["x".into()]).is_err());
    }
}
