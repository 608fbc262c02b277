//! The image that requests are decided on: the committed one, and what is on its way.

use std::collections::VecDeque;

use contiv_fabric::Image;
use contiv_store::{Commit, Write};

use crate::error::Error;

/// An image that is ahead of the store by the transactions that were sent to it.
///
/// It assumes that they will be committed one after the other, with nobody else's
/// between them. Where that does not hold it is forgotten: the next decision begins
/// with what is committed, and what was sent meanwhile fails its comparisons.
#[derive(Debug, Default)]
pub(crate) struct Head {
    image: Option<Image>,
    sent: VecDeque<(u64, Vec<Write>)>,
    generation: u64,
}

impl Head {
    /// The image, which begins with what is committed.
    pub(crate) fn image(&mut self, committed: impl FnOnce() -> Image) -> &Image {
        self.image.get_or_insert_with(committed)
    }

    /// Counts how often the head was forgotten.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Number of the last commit that the image assumes.
    pub(crate) fn number(&self) -> u64 {
        self.image.as_ref().map_or(0, Image::number)
    }

    /// Assumes that these writes are the next commit.
    pub(crate) fn push(&mut self, writes: Vec<Write>) -> Result<(), Error> {
        let number = self.number() + 1;
        if let Some(image) = &mut self.image {
            image.apply(number, &writes)?;
            self.sent.push_back((number, writes));
        }
        Ok(())
    }

    /// Compares a commit with what was assumed.
    pub(crate) fn confirm(&mut self, commit: &Commit) {
        let Some(image) = &self.image else {
            return;
        };
        if commit.revision.number <= image.number() && self.sent.is_empty() {
            return; // The image was made of it.
        }
        match self.sent.front() {
            Some((number, _)) if commit.revision.number < *number => {}
            Some((number, writes))
                if *number == commit.revision.number && *writes == commit.writes =>
            {
                self.sent.pop_front();
            }
            _ => self.reset(),
        }
    }

    /// Forgets the head, unless that was done since.
    pub(crate) fn forget(&mut self, generation: u64) {
        if self.generation == generation {
            self.reset();
        }
    }

    pub(crate) fn reset(&mut self) {
        self.image = None;
        self.sent.clear();
        self.generation += 1;
    }
}
