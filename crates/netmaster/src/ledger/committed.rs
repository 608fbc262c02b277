//! What is committed: the image, and the last commits for those who follow it.

use std::collections::VecDeque;
use std::sync::Arc;

use contiv_fabric::{Applied, Image};
use contiv_model::agent::Revision;
use contiv_store::{Commit, Following};

use crate::error::Error;

/// Who is further behind gets everything anew.
const HISTORY: usize = 4096;

/// The committed image and the way to it.
#[derive(Debug)]
pub struct Committed {
    image: Image,
    /// The commit before the first one of the history.
    floor: u64,
    history: VecDeque<Past>,
}

#[derive(Debug)]
struct Past {
    commit: Arc<Commit>,
    applied: Applied,
}

/// What happened after a revision.
#[derive(Debug)]
pub enum Since<T> {
    Nothing,
    Changes(T),
    /// It is of another epoch, or too long ago.
    Unknown,
}

impl Committed {
    /// The contents of a store, without a past.
    pub(crate) fn load(following: &Following) -> Result<Committed, Error> {
        let contiv_store::Revision { epoch, number } = following.revision;
        let mut image = Image::load(number, following.entries.iter().cloned())?;
        image.set_epoch(epoch);
        Ok(Committed {
            image,
            floor: number,
            history: VecDeque::new(),
        })
    }

    pub(crate) fn take(&mut self, commit: &Arc<Commit>) -> Result<(), Error> {
        let applied = self.image.apply(commit.revision.number, &commit.writes)?;
        if commit.writes.is_empty() {
            return Ok(()); // The number is all that there is to it.
        }
        if self.history.len() == HISTORY
            && let Some(oldest) = self.history.pop_front()
        {
            self.floor = oldest.commit.revision.number;
        }
        self.history.push_back(Past {
            commit: Arc::clone(commit),
            applied,
        });
        Ok(())
    }

    pub fn image(&self) -> &Image {
        &self.image
    }

    pub fn revision(&self) -> Revision {
        self.image.revision(self.image.number())
    }

    /// What the commits after `revision` changed, as one change.
    pub fn applied_since(&self, revision: Revision) -> Since<Applied> {
        match self.past(revision) {
            Since::Changes(past) => {
                let mut merged = Applied::default();
                for past in past {
                    merged.merge(past.applied.clone());
                }
                Since::Changes(merged)
            }
            Since::Nothing => Since::Nothing,
            Since::Unknown => Since::Unknown,
        }
    }

    /// The commits after `revision`, one by one.
    pub fn commits_since(&self, revision: Revision) -> Since<Vec<Arc<Commit>>> {
        match self.past(revision) {
            Since::Changes(past) => Since::Changes(past.map(|p| Arc::clone(&p.commit)).collect()),
            Since::Nothing => Since::Nothing,
            Since::Unknown => Since::Unknown,
        }
    }

    fn past(&self, after: Revision) -> Since<impl Iterator<Item = &Past>> {
        let now = self.revision();
        if after == now {
            return Since::Nothing;
        }
        let number_of = |past: &Past| past.commit.revision.number;
        if after.epoch != now.epoch || after.number > now.number || after.number < self.floor {
            return Since::Unknown;
        }
        Since::Changes(
            self.history
                .iter()
                .filter(move |past| number_of(past) > after.number),
        )
    }
}
