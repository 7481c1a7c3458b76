//! Names and numbers of the system calls, read from `syscalls.tbl` when rtrun is compiled.

use super::abi::Abi;

/// Highest number that the kernel hands out in order; ARM's private calls lie above it.
pub(super) const LAST_ORDINARY: u32 = 0xefff;

const TEXT: &[u8] = include_bytes!("syscalls.tbl");
const ABSENT: u32 = u32::MAX;
const COUNT: usize = count();
static TABLE: [Syscall; COUNT] = parse();

/// One line of the table.
#[derive(Clone, Copy)]
pub(super) struct Syscall {
    name: &'static str,
    numbers: [u32; 5],
}

impl Syscall {
    /// The call of this name, on any architecture.
    pub(super) fn find(name: &str) -> Option<&'static Syscall> {
        TABLE.binary_search_by(|syscall| syscall.name.cmp(name)).ok().map(|index| &TABLE[index])
    }

    /// Its number for programs of this ABI, which may not have it.
    pub(super) fn number(&self, abi: Abi) -> Option<u32> {
        let number = self.numbers[abi as usize];
        (number != ABSENT).then_some(number | abi.bit())
    }
}

/// Lines but for the heading.
const fn count() -> usize {
    let (mut at, mut lines) = (0, 0);
    while at < TEXT.len() {
        if TEXT[at] == b'\n' {
            lines += 1;
        }
        at += 1;
    }
    lines - 1
}

const fn parse() -> [Syscall; COUNT] {
    let mut table = [Syscall { name: "", numbers: [ABSENT; 5] }; COUNT];
    let (mut at, mut line) = (after(0, b'\n'), 0);
    while line < COUNT {
        let end = after(at, b' ');
        let (_, rest) = TEXT.split_at(at);
        let (name, _) = rest.split_at(end - 1 - at);
        if let Ok(name) = std::str::from_utf8(name) {
            table[line].name = name;
        }
        at = end;
        let mut column = 0;
        while column < 5 {
            let end = after(at, if column == 4 { b'\n' } else { b' ' });
            if TEXT[at] != b'-' {
                table[line].numbers[column] = number(at, end - 1);
            }
            at = end;
            column += 1;
        }
        line += 1;
    }
    table
}

/// Where what follows the next `separator` begins.
const fn after(mut at: usize, separator: u8) -> usize {
    while TEXT[at] != separator {
        at += 1;
    }
    at + 1
}

const fn number(mut at: usize, end: usize) -> u32 {
    let mut value = 0;
    while at < end {
        value = value * 10 + (TEXT[at] - b'0') as u32;
        at += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_searching_finds() {
        assert!(TABLE.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(TABLE.iter().all(|syscall| std::ptr::eq(Syscall::find(syscall.name).unwrap(), syscall)));
    }

    #[test]
    fn numbers_are_the_kernels() {
        let number = |name, abi| Syscall::find(name).and_then(|syscall| syscall.number(abi));
        assert_eq!(number("openat", Abi::X86_64), Some(257));
        assert_eq!(number("openat", Abi::I386), Some(295));
        assert_eq!(number("openat", Abi::Aarch64), Some(56));
        assert_eq!(number("openat", Abi::Arm), Some(322));
        assert_eq!(number("readv", Abi::X32), Some(0x4000_0203));
        assert_eq!(number("set_tls", Abi::Arm), Some(0xf0005));
        assert_eq!(number("open", Abi::Aarch64), None);
        assert_eq!(number("clone4", Abi::X86_64), None);
        assert_eq!(number("write", Abi::native()), Some(libc::SYS_write as u32));
        assert_eq!(number("futex_waitv", Abi::native()), Some(libc::SYS_futex_waitv as u32));
    }
}
