use super::Exposition;
use super::family::{
    BUILD_INFO, CLOCK_ESTIMATED_ERROR, CLOCK_MAX_ERROR, CLOCK_OFFSET, CLOCK_SYNCHRONISED, CLOCK_TAI_OFFSET,
};
use crate::host::clock::discipline;

/// Adds what is the node's: this build, and the system clock as the kernel sees it.
///
/// # Errors
/// [`crate::host::Error::Call`].
pub fn node(to: &mut Exposition) -> Result<(), crate::host::Error> {
    let clock = discipline()?;
    to.add(BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    to.add(CLOCK_SYNCHRONISED, &[], f64::from(u8::from(clock.synchronised)));
    to.add(CLOCK_OFFSET, &[], clock.offset_ns as f64 / 1e9);
    to.add(CLOCK_MAX_ERROR, &[], clock.max_error.as_secs_f64());
    to.add(CLOCK_ESTIMATED_ERROR, &[], clock.estimated_error.as_secs_f64());
    to.add(CLOCK_TAI_OFFSET, &[], f64::from(clock.tai_offset));
    Ok(())
}
