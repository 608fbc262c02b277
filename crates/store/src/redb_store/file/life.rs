//! Where in its history a file is.

use redb::ReadableDatabase;

use super::{EPOCH, File, META, NUMBER};
use crate::error::Error;
use crate::follow::Revision;

/// The name of the life that the file is in.
const LIFE: &str = "life";

impl File {
    /// How far the file has come, and the name of its life; 0 before the first one.
    pub(in crate::redb_store) fn whereabouts(&self) -> Result<(Revision, u64), Error> {
        self.read_whereabouts().map_err(self.error("read"))
    }

    fn read_whereabouts(&self) -> Result<(Revision, u64), redb::Error> {
        let meta = self.database.begin_read()?.open_table(META)?;
        let get = |key| Ok::<u64, redb::Error>(meta.get(key)?.map_or(0, |n| n.value()));
        let revision = Revision {
            epoch: get(EPOCH)?,
            number: get(NUMBER)?,
        };
        Ok((revision, get(LIFE)?))
    }

    /// Names the life that begins.
    pub(in crate::redb_store) fn set_life(&self, life: u64) -> Result<(), Error> {
        let set = || {
            let writing = self.database.begin_write()?;
            writing.open_table(META)?.insert(LIFE, life)?;
            writing.commit()?;
            Ok::<(), redb::Error>(())
        };
        set().map_err(self.error("written"))
    }
}
