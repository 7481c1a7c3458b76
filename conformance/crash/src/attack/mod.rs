//! What hostile containers have done to runtimes. Each case looks for the attack's effect.

pub mod binary;
pub mod confinement;
pub mod descriptors;
pub mod files;
pub mod state;
