//! Killed pods: says to the owners of a service that one of its pods was killed, and why.

pub mod cause;
pub mod quantity;
