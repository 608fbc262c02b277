//! Disjoint places to look for what is free.

/// Addresses of a block, so that those of one lane stay together.
const BLOCK: u128 = 8;

/// One of [`Lane::COUNT`] parts of all numbers, in blocks that take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane(u8);

impl Lane {
    /// How many lanes there are.
    pub const COUNT: u8 = 16;

    /// The lane of this number, of which there are [`Lane::COUNT`].
    pub fn new(number: u8) -> Lane {
        Lane(number % Lane::COUNT)
    }

    pub fn number(self) -> u8 {
        self.0
    }

    /// The lowest number from `from` on that is in the lane.
    pub fn lowest_from(self, from: u128) -> Option<u128> {
        let (count, own) = (u128::from(Lane::COUNT), u128::from(self.0));
        let block = from / BLOCK;
        let turn = block % count;
        if turn == own {
            return Some(from);
        }
        let ahead = (own + count - turn) % count;
        block.checked_add(ahead)?.checked_mul(BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_one_lane_and_found_there() {
        let lanes: Vec<Lane> = (0..Lane::COUNT).map(Lane::new).collect();
        for number in 0..1_000u128 {
            let inside = lanes
                .iter()
                .filter(|l| l.lowest_from(number) == Some(number));
            assert_eq!(inside.count(), 1, "{number}");
            for lane in &lanes {
                let next = (number..).find(|n| lane.lowest_from(*n) == Some(*n));
                assert_eq!(lane.lowest_from(number), next);
            }
        }
        assert!(lanes.iter().any(|l| l.lowest_from(u128::MAX).is_none()));
    }
}
