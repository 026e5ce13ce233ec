//! Whether a number has grown over many deployments.

/// What a number was after each deployment, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Course {
    samples: Vec<u64>,
}

/// How much a number may grow and still count as flat.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// By this share of what it was, in percent.
    pub percent: u64,
    /// And by so much, whatever it was.
    pub constant: u64,
}

impl Course {
    /// Adds the newest.
    pub fn push(&mut self, sample: u64) {
        self.samples.push(sample);
    }

    /// The first, the one in the middle, and the last; `None` of nothing.
    pub fn ends(&self) -> Option<[u64; 3]> {
        let middle = self.samples.get(self.samples.len() / 2)?;
        Some([*self.samples.first()?, *middle, *self.samples.last()?])
    }

    /// From what to what it has grown beyond what is allowed: the median of the second fifth against that of the last one.
    /// The first fifth is a process's youth, in which caches fill; a median passes over what is high for a moment.
    /// `None`: it is flat, or there are fewer than five samples.
    pub fn grown(&self, allowed: Growth) -> Option<(u64, u64)> {
        let fifth = self.samples.len() / 5;
        if fifth == 0 {
            return None;
        }
        let before = median(&self.samples[fifth..2 * fifth]);
        let after = median(&self.samples[self.samples.len() - fifth..]);
        (after > before + before * allowed.percent / 100 + allowed.constant).then_some((before, after))
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::{Course, Growth};

    const MIB: u64 = 1024 * 1024;
    const ALLOWED: Growth = Growth { percent: 3, constant: MIB };

    fn course(samples: impl Iterator<Item = u64>) -> Course {
        Course { samples: samples.collect() }
    }

    #[test]
    fn a_leak_of_ten_kibibytes_an_invocation_is_found_among_five_hundred() {
        let leaking = course((0..500).map(|number| 40 * MIB + number * 10 * 1024));
        assert!(leaking.grown(ALLOWED).is_some());
    }

    #[test]
    fn caches_that_fill_at_first_are_no_leak() {
        let warming =
            course((0..500).map(|number| if number < 90 { 30 * MIB + number * 100 * 1024 } else { 40 * MIB }));
        assert_eq!(warming.grown(ALLOWED), None);
    }

    #[test]
    fn what_is_high_for_a_moment_is_no_leak() {
        let jumping = course((0..500).map(|number| if number % 3 == 0 { 60 * MIB } else { 40 * MIB }));
        assert_eq!(jumping.grown(ALLOWED), None);
    }

    #[test]
    fn one_file_more_each_time_is_a_leak() {
        let leaking = course((0..50).map(|number| 9 + number));
        assert_eq!(leaking.grown(Growth { percent: 0, constant: 2 }), Some((24, 54)));
    }

    #[test]
    fn of_less_than_five_samples_nothing_is_said() {
        let short = course([1, 100, 10_000, 1_000_000].into_iter());
        assert_eq!(short.grown(ALLOWED), None);
        assert_eq!(short.ends(), Some([1, 10_000, 1_000_000]));
        assert_eq!(Course::default().ends(), None);
    }
}
