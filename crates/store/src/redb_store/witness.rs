//! How the file was left, in a small file beside it.
//!
//! A copy of the file that is put back is as good a store as any, but for what it has forgotten:
//! whoever was told of that would be told otherwise. So each opening of the file begins a *life*, by
//! a name that is in the file and beside it, and beside it is how far the file had come when it was
//! looked at last. A file of another life, or one that is behind, is not the one that was closed.
//!
//! Both places cannot be written at once: between two lives the witness names both. Without a
//! witness, in a directory that was copied as a whole, nothing can be said.

use std::fs::File as Plain;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::file::File;
use crate::error::Error;
use crate::follow::Revision;
use crate::schema::Schema;

/// The first word of a witness, and its form.
const FORM: &str = "contiv-store-1";

/// What is beside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// The file has come so far, or further.
    pub(super) revision: Revision,
    /// The file is in one of these lives.
    lives: Vec<u64>,
}

impl Witness {
    /// What is beside the file at `path`; none if nothing is, or nothing that can be read.
    pub(super) fn of(path: &Path) -> Option<Witness> {
        let text = std::fs::read_to_string(beside(path)).ok()?;
        let mut words = text.split_whitespace();
        let known = words.next() == Some(FORM);
        let numbers: Result<Vec<u64>, _> = words.map(str::parse).collect();
        let (true, Ok([epoch, number, lives @ ..])) = (known, numbers.as_deref()) else {
            tracing::warn!(file = %beside(path).display(), "not understood, and left out of account");
            return None;
        };
        Some(Witness {
            revision: Revision {
                epoch: *epoch,
                number: *number,
            },
            lives: lives.to_vec(),
        })
    }

    /// Whether a file that is so far, in this life, has come here otherwise than by being closed.
    fn denies(&self, revision: Revision, life: u64) -> bool {
        let same = revision.epoch == self.revision.epoch;
        revision < self.revision || same && !self.lives.contains(&life)
    }

    /// Writes it beside the file at `path`; `durable` for what must outlive a loss of power.
    fn write(&self, path: &Path, durable: bool) -> std::io::Result<()> {
        let Revision { epoch, number } = self.revision;
        let lives: Vec<String> = self.lives.iter().map(u64::to_string).collect();
        let text = format!("{FORM} {epoch} {number} {}\n", lives.join(" "));
        let (place, draft) = (beside(path), path.with_extension("witness-new"));
        let mut options = Plain::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&draft)?;
        file.write_all(text.as_bytes())?;
        if durable {
            file.sync_all()?;
        }
        std::fs::rename(&draft, &place)?;
        match place.parent() {
            Some(parent) if durable => Plain::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("witness")
}

/// Begins a life of the file, if it is the one that was closed; answers with its name.
///
/// Where nothing can be written, the file stays in the life that it is in.
pub(super) fn begin_life(file: File) -> Result<(File, u64), Error> {
    let path = file.path().to_owned();
    let (revision, life) = file.whereabouts()?;
    if let Some(witness) = Witness::of(&path)
        && witness.denies(revision, life)
    {
        return Err(Error::WentBack {
            path,
            found: revision,
            seen: witness.revision,
        });
    }
    let next = Uuid::new_v4().as_u64_pair().0;
    let both = Witness {
        revision,
        lives: vec![life, next],
    };
    if let Err(error) = both.write(&path, true) {
        let file_beside = beside(&path);
        tracing::warn!(%error, file = %file_beside.display(), "cannot be written: a copy of the store that is put back will not be noticed");
        return Ok((file, life));
    }
    if let Err(error) = file.set_life(next) {
        tracing::warn!(%error, "the store is opened all the same");
        // redb does not go on with the handle that met the error.
        let schema = file.schema();
        drop(file);
        return Ok((File::open(&path, schema)?, life));
    }
    note(&path, revision, next, true);
    Ok((file, next))
}

/// Writes down how far a file has come in its life.
pub(super) fn note(path: &Path, revision: Revision, life: u64, durable: bool) {
    let witness = Witness {
        revision,
        lives: vec![life],
    };
    if let Err(error) = witness.write(path, durable) {
        tracing::debug!(%error, "how far the store has come is not written down");
    }
}

/// Writes down that somebody was told more by this store than the file at `path` holds.
pub(super) fn tell(path: &Path, schema: Schema, seen: Revision) -> Result<(), Error> {
    let (_, life) = File::open_any(path, schema)?.whereabouts()?;
    note(path, seen, life, true);
    Ok(())
}
