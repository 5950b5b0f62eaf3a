//! Chance that can be repeated: a small generator and the distributions that deliver data follows.
//!
//! The numbers depend on the seed alone, on every machine and in every version: seeds stand in tests and screenshots.

use std::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 can hold.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Normal with mean 0 and deviation 1, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Log-normal: half the values lie below the median, and `sigma` is the deviation of their logarithm.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// How often something happens that happens `mean` times on average, by Knuth: for small means.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        let floor = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// One of them; none if there is none.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }

    /// Uniform in `0..end`; 0 if that is empty.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() >> 16).unwrap_or(0).checked_rem(end).unwrap_or(0)
    }

    /// The name of a commit: 40 hex digits.
    pub(super) fn sha(&mut self) -> String {
        format!("{:016x}{:016x}{:08x}", self.bits(), self.bits(), self.bits() >> 32)
    }

    /// A text in the shape of a random UUID (version 4).
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        let (time, version) = (high >> 32, high & 0x0fff);
        let (variant, node) = ((low >> 48) & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        format!("{time:08x}-{:04x}-4{version:03x}-{variant:04x}-{node:012x}", (high >> 16) & 0xffff)
    }
}

/// The whole part of a number that is not negative; 0 for one that is.
pub(super) fn whole(number: f64) -> u64 {
    Duration::try_from_secs_f64(number).map_or(0, |d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        assert_eq!([random.bits(), random.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn distributions_have_the_shape_they_are_named_for() {
        let mut random = Random::new(7);
        let n = 20_000;
        let mut sizes: Vec<f64> = (0..n).map(|_| random.log_normal(45.0, 1.3)).collect();
        sizes.sort_by(f64::total_cmp);
        assert!((42.0..48.0).contains(&sizes[n / 2]), "median {}", sizes[n / 2]);
        assert!((145.0..185.0).contains(&sizes[n * 84 / 100]), "one deviation above {}", sizes[n * 84 / 100]);
        let happened: u64 = (0..n).map(|_| random.poisson(0.8)).sum();
        assert!((0.77..0.83).contains(&(happened as f64 / n as f64)));
    }

    #[test]
    fn a_uuid_has_the_shape_of_version_4() {
        let mut random = Random::new(3);
        for _ in 0..100 {
            let id = uuid::Uuid::parse_str(&random.uuid()).unwrap();
            assert_eq!(id.get_version_num(), 4, "{id}");
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        }
    }

    #[test]
    fn a_whole_number_is_never_negative() {
        assert_eq!([-1.0, 0.4, 2.9, f64::NAN].map(whole), [0, 0, 2, 0]);
    }
}
