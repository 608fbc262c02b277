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

/// Rounds of laps, each figure as `of` says for the count of laps before it.
fn figures(rounds: usize, laps: usize, mut of: impl FnMut(usize) -> f64) -> Figures {
    let mut figures = Figures::default();
    for round in 0..rounds {
        figures.push_laps((0..laps).map(|lap| of(round * laps + lap)).collect());
    }
    figures
}

#[test]
fn equal_contenders_have_a_ratio_of_one_and_nothing_around_it() {
    let all = figures(10, 5, |n| 1.0 + n as f64);
    let ratio = Ratio::of(&all, &all);
    assert_eq!((ratio.value, ratio.low, ratio.high), (1.0, 1.0, 1.0));
    assert_eq!(ratio.of_medians, 1.0);
}

#[test]
fn noise_that_both_met_cancels_whether_it_lasts_a_lap_or_a_round() {
    for lasts in [1, 5] {
        // The machine is at anything from full speed to a tenth of it; ours takes twice as long.
        let mut random = Random::new(3);
        let speeds: Vec<f64> = (0..50).map(|_| 1.0 + random.below(10) as f64).collect();
        let theirs = figures(10, 5, |n| speeds[n / lasts]);
        let ours = figures(10, 5, |n| 2.0 * speeds[n / lasts]);
        let ratio = Ratio::of(&ours, &theirs);
        assert_eq!((ratio.value, ratio.low, ratio.high), (2.0, 2.0, 2.0));
    }
}

#[test]
fn a_lap_that_one_of_them_lost_does_not_count() {
    let theirs = figures(10, 9, |_| 10.0);
    let ours = figures(10, 9, |n| if n % 9 == 4 { 500.0 } else { 11.0 });
    let ratio = Ratio::of(&ours, &theirs);
    assert_eq!((ratio.low, ratio.high), (1.1, 1.1));
}

#[test]
fn a_difference_between_rounds_widens_the_interval_however_many_laps_agree() {
    // Laps of a round say the same; that they are many must not make them more certain.
    let theirs = figures(10, 50, |_| 10.0);
    let ours = figures(10, 50, |n| if n / 50 % 2 == 0 { 9.0 } else { 11.0 });
    let ratio = Ratio::of(&ours, &theirs);
    assert_eq!((ratio.low, ratio.high), (0.9, 1.1));
    assert_eq!(ratio.value, 1.0);
}

#[test]
fn noise_of_one_contender_stays_and_the_interval_covers_the_truth() {
    let steady = Figures::from([10.0; 10]);
    let noisy = Figures::from([8.0, 12.0, 9.0, 11.0, 10.0, 10.0, 7.0, 13.0, 9.5, 10.5]);
    let ratio = Ratio::of(&noisy, &steady);
    assert!(ratio.low < 0.97 && ratio.high > 1.03, "{ratio:?}");
    assert!(ratio.low < 1.0 && 1.0 < ratio.high);
}

/// Contenders that are alike but for what is said, on a machine that is up to half as fast from one
/// lap to the next, and never twice the same.
fn machine(run: u64, slower: f64) -> [Figures; 2] {
    let mut random = Random::new(run);
    let mut all = [Figures::default(), Figures::default()];
    for _ in 0..10 {
        let mut pair = [Vec::new(), Vec::new()];
        for _ in 0..9 {
            let state = 100.0 + random.below(1_000) as f64 / 10.0;
            for (laps, factor) in pair.iter_mut().zip([1.0, slower]) {
                let jitter = 1.0 + random.below(1_000) as f64 / 10_000.0;
                laps.push(state * jitter * factor);
            }
        }
        for (figures, laps) in all.iter_mut().zip(pair) {
            figures.push_laps(laps);
        }
    }
    all
}

#[test]
fn intervals_cover_the_truth_about_as_often_as_they_say() {
    for slower in [1.0, 1.04] {
        let covered = (0..200).filter(|run| {
            let [theirs, ours] = machine(*run, slower);
            let ratio = Ratio::of(&ours, &theirs);
            ratio.low <= slower && slower <= ratio.high
        });
        let covered = covered.count();
        // 190 of 200; medians of ten are coarse.
        assert!(covered >= 180, "{covered} of 200 at {slower}");
    }
}

#[test]
fn ratios_within_laps_stray_less_than_those_of_medians() {
    let ratios = (0..100).map(|run| {
        let [theirs, ours] = machine(run, 1.0);
        Ratio::of(&ours, &theirs)
    });
    let ratios: Vec<Ratio> = ratios.collect();
    let strays = |of: fn(&Ratio) -> f64| {
        let all: Vec<f64> = ratios.iter().map(|r| (of(r) - 1.0).abs()).collect();
        quantile(&all, 0.9)
    };
    let (paired, unpaired) = (strays(|r| r.value), strays(|r| r.of_medians));
    assert!(2.0 * paired < unpaired, "{paired} and {unpaired}");
}

#[test]
fn four_percent_are_told_from_none_on_a_machine_that_varies_by_far_more() {
    let [theirs, ours] = machine(1, 1.04);
    let ratio = Ratio::of(&ours, &theirs);
    assert!(ratio.low > 1.0 && ratio.high < 1.08, "{ratio:?}");
}

#[test]
fn a_rounds_figure_is_the_median_of_its_laps() {
    let mut figures = Figures::default();
    figures.push_laps(vec![1.0, 9.0, 2.0]);
    figures.push(5.0);
    assert_eq!(figures.rounds(), [2.0, 5.0]);
}

#[test]
fn everything_can_be_drawn_and_seeds_differ() {
    let mut random = Random::new(1);
    let mut seen = [false; 7];
    for _ in 0..1000 {
        seen[random.below(7)] = true;
    }
    assert_eq!(seen, [true; 7]);
    let first = |seed| Random::new(seed).below(1 << 30);
    assert_ne!(first(0), first(1));
}
