//! Ratios of medians, with an interval that says how far to trust them.

/// The middle value; of an even count, the mean of the middle two.
///
/// # Panics
/// When there is no value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The value below which `share` (0 to 1) of the values lie.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    sorted[((last as f64 * share).round() as usize).min(last)]
}

/// A ratio of medians and its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Ratio {
    /// Compares two contenders over the same rounds; a round is resampled as a
    /// pair, since both met the same state of the machine in it.
    pub fn of(ours: &[f64], theirs: &[f64]) -> Ratio {
        const DRAWS: usize = 4000;
        let rounds = ours.len().min(theirs.len());
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
        let mut ratios = Vec::with_capacity(DRAWS);
        let (mut a, mut b) = (vec![0.0; rounds], vec![0.0; rounds]);
        for _ in 0..DRAWS {
            for slot in 0..rounds {
                let round = random.below(rounds);
                a[slot] = ours[round];
                b[slot] = theirs[round];
            }
            ratios.push(median(&a) / median(&b));
        }
        Ratio {
            value: median(&ours[..rounds]) / median(&theirs[..rounds]),
            low: quantile(&ratios, 0.025),
            high: quantile(&ratios, 0.975),
        }
    }
}

/// A fixed seed, so that a report can be computed again from its readings.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn equal_contenders_have_a_ratio_of_one_within_the_interval() {
        let rounds: Vec<f64> = (1..=10).map(f64::from).collect();
        let ratio = Ratio::of(&rounds, &rounds);
        assert_eq!((ratio.value, ratio.low, ratio.high), (1.0, 1.0, 1.0));
    }

    #[test]
    fn a_contender_twice_as_fast_shows_it() {
        let slow: Vec<f64> = (10..=20).map(f64::from).collect();
        let fast: Vec<f64> = slow.iter().map(|v| v * 2.0).collect();
        let ratio = Ratio::of(&fast, &slow);
        assert!((ratio.value - 2.0).abs() < 1e-9 && ratio.low > 1.9 && ratio.high < 2.1);
    }
}
