//! Ratios of contenders, with an interval that says how far to trust them.
//!
//! 1. In a *lap* everybody has one short turn, in an order drawn by lot ([`crate::turns`]); a
//!    round is many laps. Two contenders' figures of one lap met the same state of the machine.
//! 2. So their ratio is taken within each lap, and a round's ratio is the median of its laps'.
//!    What slows the machine for longer than a lap slows both, and cancels.
//! 3. The ratio of a run is the median of its rounds' ratios. Rounds are what its interval is drawn
//!    from, not laps: laps of a round resemble each other, and would claim more than they know.

/// How often the rounds are drawn anew for an interval.
const DRAWS: usize = 4000;

/// One contender's figures: of every round those of its laps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(Vec<Vec<f64>>);

/// A ratio and its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// Median of the rounds' ratios.
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The ratio of the two medians over all rounds, which noise of the machine does not leave.
    pub(crate) of_medians: f64,
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

impl Figures {
    /// Adds a round of a single lap.
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(vec![figure]);
    }

    /// Adds a round, which has a lap at least.
    pub(crate) fn push_laps(&mut self, laps: Vec<f64>) {
        self.0.push(laps);
    }

    /// One figure for each round, the median of its laps.
    pub(crate) fn rounds(&self) -> Vec<f64> {
        self.0.iter().map(|laps| median(laps)).collect()
    }

    /// Of every round all laps, as they were read.
    pub(crate) fn laps(&self) -> &[Vec<f64>] {
        &self.0
    }
}

impl<const N: usize> From<[f64; N]> for Figures {
    fn from(rounds: [f64; N]) -> Figures {
        Figures(rounds.map(|figure| vec![figure]).into())
    }
}

impl Ratio {
    /// Compares two contenders over the same rounds and laps, of which there is at least one.
    pub(crate) fn of(ours: &Figures, theirs: &Figures) -> Ratio {
        let rounds: Vec<f64> = ours.0.iter().zip(&theirs.0).map(of_round).collect();
        let mut random = Random::new(0);
        let mut drawn = vec![0.0; rounds.len()];
        let medians: Vec<f64> = (0..DRAWS)
            .map(|_| {
                drawn.fill_with(|| rounds[random.below(rounds.len())]);
                median(&drawn)
            })
            .collect();
        Ratio {
            value: median(&rounds),
            low: quantile(&medians, 0.025),
            high: quantile(&medians, 0.975),
            of_medians: median(&ours.rounds()) / median(&theirs.rounds()),
        }
    }
}

fn of_round((ours, theirs): (&Vec<f64>, &Vec<f64>)) -> f64 {
    let laps: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    median(&laps)
}

/// Lots that are the same in every run, so that a report can be computed again from its readings.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        // Seeds that are neighbours begin far from each other, and none is zero.
        Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The high bits: the low ones of this generator are its weakest.
        ((self.0 >> 32) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests;
