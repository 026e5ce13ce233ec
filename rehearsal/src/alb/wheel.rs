//! Whose turn it is among weighted target groups.

use std::sync::Mutex;

/// Smooth weighted round robin: every run of requests as long as the weights' smallest common sum is shared exactly,
/// so that 10 % of 50 requests are five requests.
///
/// AWS documents that weights are relative, not how the next target group is found; a real load balancer has many nodes
/// and shares short runs only roughly. The exact share is a choice of the rehearsal: it makes every run alike.
pub(super) struct Wheel {
    weights: Vec<u32>,
    total: i64,
    standing: Mutex<Vec<i64>>,
}

impl Wheel {
    pub(super) fn new(weights: Vec<u32>) -> Self {
        let total = weights.iter().map(|weight| i64::from(*weight)).sum();
        let standing = Mutex::new(vec![0; weights.len()]);
        Self { weights, total, standing }
    }

    /// The next one's index; `None` when every weight is 0.
    pub(super) fn turn(&self) -> Option<usize> {
        if self.total == 0 {
            return None;
        }
        if let Some(only) = self.weights.iter().position(|weight| i64::from(*weight) == self.total) {
            return Some(only);
        }
        let mut standing = self.standing.lock().expect("nothing panics while it holds the wheel");
        let mut best: Option<usize> = None;
        for (index, weight) in self.weights.iter().enumerate() {
            standing[index] += i64::from(*weight);
            if *weight > 0 && best.is_none_or(|best| standing[index] > standing[best]) {
                best = Some(index);
            }
        }
        let best = best?;
        standing[best] -= self.total;
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(weights: &[u32], turns: usize) -> Vec<usize> {
        let wheel = Wheel::new(weights.to_vec());
        let mut shares = vec![0; weights.len()];
        for _ in 0..turns {
            shares[wheel.turn().expect("some weight is not 0")] += 1;
        }
        shares
    }

    #[test]
    fn ten_percent_of_fifty_requests_are_five() {
        assert_eq!(shares(&[90, 10], 50), [45, 5]);
        assert_eq!(shares(&[30, 70], 50), [15, 35]);
        assert_eq!(shares(&[1, 1, 2], 400), [100, 100, 200]);
    }

    #[test]
    fn every_ten_requests_in_a_row_hold_one_of_a_ten_percent_share() {
        let wheel = Wheel::new(vec![90, 10]);
        let turns: Vec<_> = (0..100).map(|_| wheel.turn()).collect();
        assert!(turns.windows(10).all(|run| run.iter().filter(|turn| **turn == Some(1)).count() == 1), "{turns:?}");
    }

    #[test]
    fn a_weight_of_zero_has_no_turn() {
        assert_eq!(shares(&[0, 7], 20), [0, 20]);
        assert_eq!(Wheel::new(vec![0, 0]).turn(), None);
    }
}
