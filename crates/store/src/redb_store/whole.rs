//! The file as a whole, while no netmaster has it open.

use std::path::Path;

use super::RedbStore;
use super::file::File;
use super::witness::{Witness, tell};
use crate::error::Error;
use crate::follow::Revision;
use crate::schema::Schema;
use crate::whole::Contents;

impl RedbStore {
    /// All that the file at `path` holds, whether it has moved or not.
    pub fn contents(path: &Path, schema: Schema) -> Result<Contents, Error> {
        File::open_any(path, schema)?.contents()
    }

    /// Closes the file to every netmaster, and says where it has moved; none opens it again.
    pub fn set_moved(path: &Path, schema: Schema, to: Option<&str>) -> Result<(), Error> {
        File::open_any(path, schema)?.set_moved(to)
    }

    /// Puts `contents`, of today's schema, in the place of what the file holds, and begins an
    /// epoch after theirs, after the file's own, and after that of any file that was here.
    pub fn replace(path: &Path, schema: Schema, contents: &Contents) -> Result<(), Error> {
        let seen = Witness::of(path).map_or(0, |witness| witness.revision.epoch);
        let mut contents = contents.clone();
        contents.revision.epoch = contents.revision.epoch.max(seen);
        File::open_any(path, schema)?.replace(&contents)
    }

    /// Takes note that somebody was told of `seen` by a store that was here, of which the file knows
    /// nothing: it is not opened any more as it is ([`Error::WentBack`]).
    pub fn set_seen(path: &Path, schema: Schema, seen: Revision) -> Result<(), Error> {
        tell(path, schema, seen)
    }
}
