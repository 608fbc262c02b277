//! Who has a turn when: in every lap everybody once, in an order drawn by lot.
//!
//! A lap is as short as a figure allows, so that whatever else the machine does meets everybody in
//! it alike. Lots, and not a rotation: there nobody would ever follow anybody else.

use anyhow::Result;

use crate::stats::Random;

/// Gives all contenders their turns of one round; answers with each contender's figures, a lap
/// each.
pub(crate) fn round<T>(
    round: usize,
    laps: usize,
    contenders: usize,
    mut act: impl FnMut(usize) -> Result<T>,
) -> Result<Vec<Vec<T>>> {
    let mut random = Random::new(round as u64);
    let mut figures: Vec<Vec<T>> = (0..contenders).map(|_| Vec::with_capacity(laps)).collect();
    let mut order: Vec<usize> = (0..contenders).collect();
    for _ in 0..laps {
        shuffle(&mut order, &mut random);
        for index in &order {
            figures[*index].push(act(*index)?);
        }
    }
    Ok(figures)
}

/// Every order is as likely as any other (Fisher and Yates).
fn shuffle(order: &mut [usize], random: &mut Random) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_one_turn_in_every_lap() {
        let mut turns = Vec::new();
        let figures = round(3, 20, 4, |index| {
            turns.push(index);
            Ok(turns.len() - 1)
        });
        let figures = figures.unwrap();
        for lap in turns.chunks(4) {
            let mut lap = lap.to_vec();
            lap.sort_unstable();
            assert_eq!(lap, [0, 1, 2, 3]);
        }
        for (index, laps) in figures.iter().enumerate() {
            for (lap, turn) in laps.iter().enumerate() {
                assert_eq!((turns[*turn], turn / 4), (index, lap));
            }
        }
    }

    #[test]
    fn everybody_is_first_and_follows_everybody_about_equally_often() {
        let (mut first, mut follows) = ([0; 3], [[0; 3]; 3]);
        for number in 0..10 {
            let mut turns = Vec::new();
            let done = round(number, 30, 3, |index| {
                turns.push(index);
                Ok(())
            });
            done.unwrap();
            for lap in turns.chunks(3) {
                first[lap[0]] += 1;
            }
            for pair in turns.windows(2) {
                follows[pair[0]][pair[1]] += 1;
            }
        }
        assert!(first.iter().all(|count| (70..130).contains(count)));
        for (a, row) in follows.iter().enumerate() {
            for (b, count) in row.iter().enumerate().filter(|(b, _)| *b != a) {
                assert!(*count > 60, "{b} follows {a} {count} times");
            }
        }
    }
}
