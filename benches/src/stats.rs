//! Ratios of medians, with an interval that says how far to trust them.

/// How often the rounds are drawn anew for an interval.
const DRAWS: usize = 4000;

/// A ratio of medians and its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The middle value; of an even count, the mean of the middle two. Needs a value.
pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The smallest value that at least `share` (0 to 1) of the values do not exceed. Needs a value.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

impl Ratio {
    /// Compares two contenders over the same rounds, of which there is at least one.
    ///
    /// A round is drawn as a pair, since both met the same state of the machine in it.
    pub(crate) fn of(ours: &[f64], theirs: &[f64]) -> Ratio {
        let rounds = ours.len().min(theirs.len());
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
        let (mut a, mut b) = (vec![0.0; rounds], vec![0.0; rounds]);
        let ratios: Vec<f64> = (0..DRAWS)
            .map(|_| {
                for slot in 0..rounds {
                    let round = random.below(rounds);
                    (a[slot], b[slot]) = (ours[round], theirs[round]);
                }
                median(&a) / median(&b)
            })
            .collect();
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
        // The high bits: the low ones of this generator are its weakest.
        ((self.0 >> 32) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.99), 198.0);
        assert_eq!(quantile(&values, 0.5), 100.0);
        assert_eq!(
            (quantile(&values, 0.0), quantile(&values, 1.0)),
            (1.0, 200.0)
        );
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), 2.0);
    }

    #[test]
    fn equal_contenders_have_a_ratio_of_one_and_nothing_around_it() {
        let rounds: Vec<f64> = (1..=10).map(f64::from).collect();
        let ratio = Ratio::of(&rounds, &rounds);
        assert_eq!((ratio.value, ratio.low, ratio.high), (1.0, 1.0, 1.0));
    }

    #[test]
    fn noise_that_both_met_does_not_widen_the_interval() {
        // The machine slows down to a tenth; ours stays at twice the other's.
        let slow: Vec<f64> = (1..=10).map(f64::from).collect();
        let fast: Vec<f64> = slow.iter().map(|value| value * 2.0).collect();
        let ratio = Ratio::of(&fast, &slow);
        assert!((ratio.value - 2.0).abs() < 1e-9);
        assert!(ratio.low > 1.99 && ratio.high < 2.01, "{ratio:?}");
    }

    #[test]
    fn noise_of_one_contender_does_and_the_interval_covers_the_truth() {
        let steady = [10.0; 10];
        let noisy = [8.0, 12.0, 9.0, 11.0, 10.0, 10.0, 7.0, 13.0, 9.5, 10.5];
        let ratio = Ratio::of(&noisy, &steady);
        assert!(ratio.low < 0.97 && ratio.high > 1.03, "{ratio:?}");
        assert!(ratio.low < 1.0 && 1.0 < ratio.high);
    }

    #[test]
    fn every_round_can_be_drawn() {
        let mut random = Xorshift(1);
        let mut seen = [false; 7];
        for _ in 0..1000 {
            seen[random.below(7)] = true;
        }
        assert_eq!(seen, [true; 7]);
    }
}
