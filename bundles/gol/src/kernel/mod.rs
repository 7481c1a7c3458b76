//! The kernels: one generation of a band of rows, on the widest vectors that this CPU has.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(all(target_arch = "x86_64", avx512))]
#[allow(clippy::incompatible_msrv, reason = "build.rs leaves this out where the compiler is older than 1.89")]
mod avx512;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use std::str::FromStr;

/// Words that a row's stride is a multiple of: those of the widest vector.
pub const BLOCK: usize = 8;

/// A kernel that this CPU can run; there is no other way to have one than [`Kernel::best`] and [`Kernel::available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(all(target_arch = "x86_64", avx512))]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// A name that is no kernel, or one that this CPU can't run.
#[derive(Debug, thiserror::Error)]
#[error("kernel={asked}: this CPU runs {}", names(.available))]
pub struct UnknownKernel {
    asked: String,
    available: Vec<Kernel>,
}

fn names(kernels: &[Kernel]) -> String {
    kernels.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", ")
}

impl Kernel {
    /// Every kernel that this CPU runs, the fastest first.
    pub fn available() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        #[cfg(all(target_arch = "x86_64", avx512))]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vbmi2") {
            kernels.push(Kernel(Set::Avx512));
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            kernels.push(Kernel(Set::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        kernels.push(Kernel(Set::Neon));
        kernels.push(Kernel(Set::Portable));
        kernels
    }

    /// The fastest kernel that this CPU runs.
    pub fn best() -> Kernel {
        Self::available()[0]
    }

    /// The kernel's name: `avx512`, `avx2`, `neon`, `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(all(target_arch = "x86_64", avx512))]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
        }
    }

    /// Cells a vector over the vector instructions that compute it (shifts and logic; loads and stores not counted).
    pub fn cells_an_operation(self) -> f64 {
        let (cells, operations) = match self.0 {
            // four words a vector are two registers of SSE2 or NEON
            Set::Portable => (128, 29),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => (256, 29),
            #[cfg(all(target_arch = "x86_64", avx512))]
            Set::Avx512 => (512, 12),
            #[cfg(target_arch = "aarch64")]
            Set::Neon => (128, 27),
        };
        f64::from(cells) / f64::from(operations)
    }

    /// Computes `rows` rows into `dst` from the `rows + 2` rows of `src`: row `i` from rows `i` to `i + 2`.
    ///
    /// `src` holds a word before its first row and one after its last, so that each row has a neighbour on both sides:
    /// `(rows + 2) * stride + 2` words. `dst` has no such words.
    pub(crate) fn band(self, src: &[u64], dst: &mut [u64], stride: usize, rows: usize) {
        assert!(stride % BLOCK == 0 && src.len() >= (rows + 2) * stride + 2 && dst.len() >= rows * stride);
        // SAFETY: the lengths are those that `lanes::band` asks for, the slices don't overlap, and a Kernel exists only
        // where the CPU has its instructions
        unsafe {
            let (src, dst) = (src.as_ptr().add(1), dst.as_mut_ptr());
            match self.0 {
                Set::Portable => lanes::band::<portable::Words>(src, dst, stride, rows),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => band_avx2(src, dst, stride, rows),
                #[cfg(all(target_arch = "x86_64", avx512))]
                Set::Avx512 => band_avx512(src, dst, stride, rows),
                #[cfg(target_arch = "aarch64")]
                Set::Neon => lanes::band::<neon::Neon>(src, dst, stride, rows),
            }
        }
    }
}

impl FromStr for Kernel {
    type Err = UnknownKernel;

    /// One of this CPU's kernels by its name.
    fn from_str(name: &str) -> Result<Self, UnknownKernel> {
        let available = Self::available();
        let found = available.iter().copied().find(|kernel| kernel.name() == name);
        found.ok_or_else(|| UnknownKernel { asked: name.into(), available })
    }
}

/// # Safety
/// As [`lanes::band`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn band_avx2(src: *const u64, dst: *mut u64, stride: usize, rows: usize) {
    // SAFETY: the caller's
    unsafe { lanes::band::<avx2::Avx2>(src, dst, stride, rows) }
}

/// # Safety
/// As [`lanes::band`].
#[cfg(all(target_arch = "x86_64", avx512))]
#[target_feature(enable = "avx512f,avx512vbmi2")]
#[allow(clippy::incompatible_msrv, reason = "build.rs leaves this out where the compiler is older than 1.89")]
unsafe fn band_avx512(src: *const u64, dst: *mut u64, stride: usize, rows: usize) {
    // SAFETY: the caller's
    unsafe { lanes::band::<avx512::Avx512>(src, dst, stride, rows) }
}
