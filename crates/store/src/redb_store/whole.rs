//! The file as a whole, while no netmaster has it open.

use std::path::Path;

use super::RedbStore;
use super::file::File;
use crate::error::Error;
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
    /// epoch after theirs and after the file's own.
    pub fn replace(path: &Path, schema: Schema, contents: &Contents) -> Result<(), Error> {
        File::open_any(path, schema)?.replace(contents)
    }
}
