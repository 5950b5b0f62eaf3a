//! Bodies that can be made again from a seed and a number, and that nobody else sends.

use sha2::{Digest, Sha256};

/// A random sequence that is the same for the same seed: `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of one delivery.
    #[must_use]
    pub const fn of(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0xd605_1a02_6c1d_a2b5))
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below a limit; 0 if the limit is 0.
    pub const fn below(&mut self, limit: u64) -> u64 {
        match self.draw().checked_rem(limit) {
            Some(number) => number,
            None => 0,
        }
    }
}

/// The body of a delivery: JSON of about so many bytes, between half and one and a half times as many. The text in it
/// is random, so that it is as large on the disk.
#[must_use]
pub fn body(seed: u64, number: u64, about_bytes: u64) -> Vec<u8> {
    let mut random = Random::of(seed, number);
    let bytes = about_bytes / 2 + random.below(about_bytes + 1);
    let mut text = String::new();
    while (text.len() as u64) < bytes {
        text.push_str(&format!("{:016x}", random.draw()));
    }
    format!(r#"{{"zen":"{text}","hook_id":{number},"repository":{{"full_name":"acme/shop"}}}}"#).into_bytes()
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
