//! How the largest packet that passes is found: by what is heard of each size.

/// Sizes are told apart down to this many bytes.
const GRAIN: u32 = 8;
/// Silences that mean that a size does not pass.
const TRIES: u32 = 2;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was answered.
    Passed,
    /// Somebody says what would pass.
    Narrow(u32),
    /// Nobody says anything.
    Silence,
}

/// What the search ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The largest packet that passes.
    Path(u32),
    /// Nothing is ever answered.
    Unknown,
}

/// A search between a size that surely passes and the largest that may.
#[derive(Debug)]
pub(super) struct Search {
    least: u32,
    /// The largest that was answered.
    low: Option<u32>,
    /// The smallest that was not, or one more than may be.
    high: u32,
    size: u32,
    silences: u32,
}

impl Search {
    /// Begins with the largest.
    pub(super) fn new(most: u32, least: u32) -> Search {
        Search {
            least,
            low: None,
            high: most + 1,
            size: most,
            silences: 0,
        }
    }

    /// The size to ask for.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// Learns what became of a packet of this size; ends, or has another size to ask for.
    pub(super) fn hear(&mut self, said: Said) -> Option<Outcome> {
        match said {
            Said::Narrow(mtu) if mtu < self.size => {
                return Some(Outcome::Path(mtu.max(self.least)));
            }
            Said::Passed => self.low = Some(self.size),
            Said::Narrow(_) | Said::Silence => {
                self.silences += 1;
                if self.silences < TRIES {
                    return None;
                }
                self.high = self.size;
            }
        }
        self.silences = 0;
        let Some(low) = self.low else {
            if self.size == self.least {
                return Some(Outcome::Unknown);
            }
            self.size = self.least;
            return None;
        };
        if self.high - low <= GRAIN {
            return Some(Outcome::Path(low));
        }
        self.size = low + (self.high - low) / 2;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches on a path that says nothing and takes packets up to this size.
    fn found(takes: u32) -> (Outcome, u32) {
        let mut search = Search::new(1500, 1280);
        for asked in 1..100 {
            let said = if search.size() <= takes {
                Said::Passed
            } else {
                Said::Silence
            };
            if let Some(outcome) = search.hear(said) {
                return (outcome, asked);
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_path_that_takes_all_is_asked_once() {
        assert_eq!(found(1500), (Outcome::Path(1500), 1));
    }

    #[test]
    fn what_vanishes_without_a_word_is_searched_for() {
        for takes in 1280..1500 {
            let (Outcome::Path(path), asked) = found(takes) else {
                panic!("{takes}: answers came");
            };
            assert!(path <= takes && takes - path <= GRAIN, "{takes}: {path}");
            assert!(asked < 20, "{takes}: {asked}");
        }
        assert_eq!(found(1000).0, Outcome::Unknown);
    }

    #[test]
    fn who_says_what_passes_is_believed_within_reason() {
        let heard = |mtu| Search::new(1500, 1280).hear(Said::Narrow(mtu));
        assert_eq!(heard(1400), Some(Outcome::Path(1400)));
        assert_eq!(heard(68), Some(Outcome::Path(1280)));
        assert_eq!(heard(9000), None, "no more than was asked for");
    }
}
