use seccompiler::sock_filter;

/// Runs the program as the kernel would; panics on what its verifier refuses.
pub(super) fn run(program: &[sock_filter], number: u32, arch: u32, arguments: [u64; 6]) -> u32 {
    let mut data = [0u8; 64];
    data[0..4].copy_from_slice(&number.to_le_bytes());
    data[4..8].copy_from_slice(&arch.to_le_bytes());
    for (index, argument) in arguments.iter().enumerate() {
        data[16 + 8 * index..24 + 8 * index].copy_from_slice(&argument.to_le_bytes());
    }
    let (mut at, mut accumulator) = (0, 0u32);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        match code {
            0x20 => {
                assert!(k % 4 == 0 && k <= 60, "load of offset {k}");
                accumulator = u32::from_le_bytes(data[k as usize..k as usize + 4].try_into().unwrap());
            }
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += if accumulator == k { jt } else { jf } as usize,
            0x25 => at += if accumulator > k { jt } else { jf } as usize,
            0x35 => at += if accumulator >= k { jt } else { jf } as usize,
            0x06 => return k,
            _ => panic!("unexpected instruction {code:#x}"),
        }
    }
}
