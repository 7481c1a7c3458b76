//! Device control of cgroup v2: a small eBPF program that the kernel asks at each open and mknod
//! (`BPF_PROG_TYPE_CGROUP_DEVICE`, `bpf(2)`).

use super::Error;
use super::devices::{Kind, Policy};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// By this name an update finds the program that it replaces among systemd's and others'.
const NAME: &[u8; 16] = b"rtrun_devices\0\0\0";
/// The program calls no helper; the licence matters for those only.
const LICENSE: &CStr = c"MIT";

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const PROG_QUERY: libc::c_int = 16;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;

/// `struct bpf_insn`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
struct Instruction {
    code: u8,
    /// Destination in the low four bits, source in the high ones.
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    const fn new(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Self {
        // The bit-field order of C follows the byte order.
        let registers = match cfg!(target_endian = "little") {
            true => destination | source << 4,
            false => source | destination << 4,
        };
        Self { code, registers, offset, immediate }
    }
}

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER_32: u8 = 0xbc;
const AND_32: u8 = 0x54;
const SHIFT_RIGHT_32: u8 = 0x74;
const JUMP_EQUAL_32: u8 = 0x16;
const JUMP_NOT_EQUAL_32: u8 = 0x56;
const EXIT: u8 = 0x95;

/// Registers: 2 kind of device, 3 access wanted, 4 major, 5 minor; 1 is the context, then scratch.
fn program(policy: &Policy) -> Vec<Instruction> {
    let mut code = vec![
        Instruction::new(LOAD_WORD, 2, 1, 0, 0),
        Instruction::new(MOVE_REGISTER_32, 3, 2, 0, 0),
        Instruction::new(AND_32, 2, 0, 0, 0xffff),
        Instruction::new(SHIFT_RIGHT_32, 3, 0, 0, 16),
        Instruction::new(LOAD_WORD, 4, 1, 4, 0),
        Instruction::new(LOAD_WORD, 5, 1, 8, 0),
    ];
    for exception in &policy.exceptions {
        // BPF_DEVCG_DEV_BLOCK is 1, BPF_DEVCG_DEV_CHAR 2.
        let kind = if exception.kind == Kind::Block { 1 } else { 2 };
        let mut tests = vec![(2, kind)];
        tests.extend(exception.major.map(|major| (4, major as i32)));
        tests.extend(exception.minor.map(|minor| (5, minor as i32)));
        // To allow, no wanted access may lie outside the exception; to refuse, one inside is enough.
        let (mask, jump) = match policy.allow {
            false => (!exception.access & 7, JUMP_NOT_EQUAL_32),
            true => (exception.access, JUMP_EQUAL_32),
        };
        let mut left = i16::try_from(tests.len()).unwrap_or(0) + 4;
        for (register, value) in tests {
            code.push(Instruction::new(JUMP_NOT_EQUAL_32, register, 0, left, value));
            left -= 1;
        }
        code.push(Instruction::new(MOVE_REGISTER_32, 1, 3, 0, 0));
        code.push(Instruction::new(AND_32, 1, 0, 0, i32::from(mask)));
        code.push(Instruction::new(jump, 1, 0, 2, 0));
        code.push(Instruction::new(MOVE, 0, 0, 0, i32::from(!policy.allow)));
        code.push(Instruction::new(EXIT, 0, 0, 0, 0));
    }
    code.push(Instruction::new(MOVE, 0, 0, 0, i32::from(policy.allow)));
    code.push(Instruction::new(EXIT, 0, 0, 0, 0));
    code
}

/// Puts the policy on the cgroup, in place of the one that an earlier call has put there.
pub(super) fn restrict(dir: &Path, policy: &Policy) -> Result<(), Error> {
    let cgroup = open(dir, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| Error::Io { step: "opening cgroup", path: dir.into(), errno })?;
    let program = load(&program(policy))?;
    let io = |step| move |errno| Error::Io { step, path: dir.into(), errno };
    let earlier = attached(&cgroup).map_err(io("asking for the device programs of"))?;
    attach(&cgroup, &program, earlier.as_ref()).map_err(io("attaching the device program to"))
}

#[derive(Default)]
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

fn load(code: &[Instruction]) -> Result<OwnedFd, Error> {
    let mut attributes = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: u32::try_from(code.len()).unwrap_or(u32::MAX),
        instructions: code.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        name: *NAME,
        ..Load::default()
    };
    // The verifier's log costs time: it is asked for when the program was refused.
    bpf_fd(PROG_LOAD, &mut attributes).or_else(|errno| {
        let mut log = vec![0u8; 1 << 16];
        attributes.log_level = 1;
        attributes.log_size = 1 << 16;
        attributes.log = log.as_mut_ptr() as u64;
        bpf_fd(PROG_LOAD, &mut attributes).map_err(|_| {
            let text = CStr::from_bytes_until_nul(&log).map(|text| text.to_string_lossy().trim().to_owned());
            Error::Program { errno, log: text.unwrap_or_default() }
        })
    })
}

#[derive(Default)]
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

fn attach(cgroup: &OwnedFd, program: &OwnedFd, replaced: Option<&OwnedFd>) -> Result<(), Errno> {
    let mut attributes = Attach {
        target: number(cgroup),
        program: number(program),
        kind: ATTACH_CGROUP_DEVICE,
        flags: ALLOW_MULTI | if replaced.is_some() { REPLACE } else { 0 },
        replaced: replaced.map_or(0, number),
    };
    bpf(PROG_ATTACH, &mut attributes).map(drop)
}

#[derive(Default)]
#[repr(C)]
struct Query {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

#[derive(Default)]
#[repr(C)]
struct Id {
    id: u32,
    next: u32,
    flags: u32,
}

#[derive(Default)]
#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// The program of an earlier [`restrict`].
fn attached(cgroup: &OwnedFd) -> Result<Option<OwnedFd>, Errno> {
    let mut ids = [0u32; 64];
    let mut query = Query {
        target: number(cgroup),
        kind: ATTACH_CGROUP_DEVICE,
        ids: ids.as_mut_ptr() as u64,
        count: 64,
        ..Query::default()
    };
    bpf(PROG_QUERY, &mut query)?;
    for &id in ids.iter().take(query.count as usize) {
        let program = match bpf_fd(PROG_GET_FD_BY_ID, &mut Id { id, ..Id::default() }) {
            // Detached meanwhile.
            Err(Errno::ENOENT) => continue,
            result => result?,
        };
        // `struct bpf_prog_info` up to its `name`, at byte 64.
        let mut info = [0u8; 80];
        let mut request = Info { fd: number(&program), length: 80, info: info.as_mut_ptr() as u64 };
        bpf(OBJ_GET_INFO_BY_FD, &mut request)?;
        if info[64..] == NAME[..] {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

fn bpf_fd<T>(command: libc::c_int, attributes: &mut T) -> Result<OwnedFd, Errno> {
    let fd = bpf(command, attributes)?;
    // SAFETY: these commands return a new descriptor, close-on-exec, that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> Result<RawFd, Errno> {
    let attributes: *mut T = attributes;
    // SAFETY: the structures above are prefixes of `union bpf_attr` of the size given, and the buffers they point to
    // outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    Errno::result(result).map(|fd| RawFd::try_from(fd).unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::super::devices::{MKNOD, READ, WRITE};
    use super::*;
    use crate::spec::parse_resources;

    fn policy(rules: &str) -> Policy {
        Policy::of(Some(&parse_resources(format!(r#"{{"devices":{rules}}}"#).as_bytes(), "test").unwrap())).unwrap()
    }

    /// Runs the few instructions that [`program`] uses.
    fn run(code: &[Instruction], context: [u32; 3]) -> u64 {
        let (mut r, mut at) = ([0u64; 11], 0usize);
        loop {
            let i = code[at];
            let (d, s) = (usize::from(i.registers & 15), usize::from(i.registers >> 4));
            at += 1;
            let jump = usize::try_from(i.offset).unwrap();
            match i.code {
                LOAD_WORD => r[d] = u64::from(context[usize::try_from(i.offset).unwrap() / 4]),
                MOVE => r[d] = u64::try_from(i.immediate).unwrap(),
                MOVE_REGISTER_32 => r[d] = r[s] & 0xffff_ffff,
                AND_32 => r[d] &= u64::from(i.immediate as u32),
                SHIFT_RIGHT_32 => r[d] >>= i.immediate,
                JUMP_EQUAL_32 if r[d] == u64::from(i.immediate as u32) => at += jump,
                JUMP_NOT_EQUAL_32 if r[d] != u64::from(i.immediate as u32) => at += jump,
                JUMP_EQUAL_32 | JUMP_NOT_EQUAL_32 => {}
                EXIT => return r[0],
                other => panic!("{other:#x}"),
            }
        }
    }

    const RULES: [&str; 4] = [
        "[]",
        r#"[{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},{"allow":true,"type":"b","major":8,"access":"r"}]"#,
        r#"[{"allow":true}]"#,
        r#"[{"allow":true},{"allow":false,"type":"b","major":8,"access":"w"},{"allow":false,"type":"c","minor":9}]"#,
    ];

    #[test]
    fn the_program_means_what_the_policy_means() {
        for rules in RULES {
            let policy = policy(rules);
            let code = program(&policy);
            for (kind, letter) in [(Kind::Block, 1), (Kind::Char, 2)] {
                for (major, minor) in [(1, 3), (1, 9), (8, 0), (8, 9), (10, 229), (136, 4), (5, 1), (240, 0)] {
                    for access in 1..8 {
                        let answer = run(&code, [u32::from(access) << 16 | letter, major, minor]);
                        let expected = u64::from(policy.allows(kind, major, minor, access));
                        assert_eq!(answer, expected, "{rules} {kind:?} {major}:{minor} {access}");
                    }
                }
            }
        }
    }

    /// On a v2 tree, which a hybrid host has too, the kernel takes the program, obeys it, and an update replaces it.
    #[test]
    fn the_kernel_obeys_the_program() {
        let tree = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let tree = tree.into_iter().find(|tree| tree.join("cgroup.procs").exists());
        let Some(tree) = tree.filter(|_| nix::unistd::geteuid().is_root()) else {
            println!("skipped: needs root and a cgroup v2 tree");
            return;
        };
        let dir = tree.join(format!("rtrun-bpf-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        // In a process of its own, which may be moved: can it open these?
        let opens = |path: &str| {
            let script = format!("echo 0 > {}/cgroup.procs; exec 3<{path}", dir.display());
            std::process::Command::new("sh").args(["-c", &script]).output().unwrap().status.success()
        };
        let kmsg = r#"[{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]"#;
        let mut seen = Vec::new();
        for rules in [RULES[0], kmsg, RULES[2], RULES[0]] {
            restrict(&dir, &policy(rules)).unwrap();
            seen.push((opens("/dev/null"), opens("/dev/kmsg")));
        }
        std::fs::remove_dir(&dir).unwrap();
        assert_eq!(seen, [(true, false), (true, true), (true, true), (true, false)]);
        assert_eq!(MKNOD | READ | WRITE, 7);
    }
}
