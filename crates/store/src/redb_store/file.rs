//! The file: tables, versions, and what redb's errors mean.

mod life;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use crate::error::Error;
use crate::etcd_store::epoch_after;
use crate::follow::Revision;
use crate::memory::written_once;
use crate::schema::Schema;
use crate::tickets::Tickets;
use crate::transaction::{Entry, Outcome, Transaction, Write};
use crate::whole::Contents;

/// Key → number of the commit that wrote it last, and value.
const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");

/// Epoch, number and schema of the whole.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// What is said about the whole in words.
const NOTES: TableDefinition<'_, &str, &str> = TableDefinition::new("notes");

/// Where the contents went.
const MOVED: &str = "moved";

const EPOCH: &str = "epoch";
const NUMBER: &str = "number";
const SCHEMA: &str = "schema";

/// Contents are small and kept in memory by those who follow them.
const CACHE: usize = 8 << 20;

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    schema: Schema,
    database: Database,
    tickets: Mutex<Tickets>,
}

/// Makes the file, if need be, for its owner's eyes alone, whatever directory it is in.
fn own(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.open(path).map(drop)
}

/// What became of each transaction of a batch.
type Outcomes = Vec<Result<Outcome, Error>>;

impl File {
    /// Opens the file, makes it if need be, and brings it to today's schema.
    pub(super) fn open(path: &Path, schema: Schema) -> Result<File, Error> {
        let file = File::open_any(path, schema)?;
        match file.moved()? {
            Some(to) => Err(Error::Moved { to }),
            None => Ok(file),
        }
    }

    /// The same, even if the contents have moved.
    pub(super) fn open_any(path: &Path, schema: Schema) -> Result<File, Error> {
        own(path).map_err(|e| error(path, "opened", redb::Error::Io(e)))?;
        let opened = Database::builder().set_cache_size(CACHE).create(path);
        let database = opened.map_err(|e| error(path, "opened", e.into()))?;
        let file = File {
            path: path.to_owned(),
            schema,
            database,
            tickets: Mutex::default(),
        };
        file.prepare()?;
        Ok(file)
    }

    /// Where the contents went; none when they are here.
    pub(super) fn moved(&self) -> Result<Option<String>, Error> {
        self.note(MOVED).map_err(self.error("read"))
    }

    fn note(&self, key: &str) -> Result<Option<String>, redb::Error> {
        match self.database.begin_read()?.open_table(NOTES) {
            Ok(notes) => Ok(notes.get(key)?.map(|note| note.value().to_owned())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down where the contents went.
    pub(super) fn set_moved(&self, to: Option<&str>) -> Result<(), Error> {
        self.set_note(MOVED, to).map_err(self.error("written"))
    }

    fn set_note(&self, key: &str, note: Option<&str>) -> Result<(), redb::Error> {
        let writing = self.database.begin_write()?;
        {
            let mut notes = writing.open_table(NOTES)?;
            match note {
                Some(note) => drop(notes.insert(key, note)?),
                None => drop(notes.remove(key)?),
            }
        }
        writing.commit()?;
        Ok(())
    }

    /// Everything, and what is said about it.
    pub(super) fn contents(&self) -> Result<Contents, Error> {
        let (revision, entries) = self.read()?;
        Ok(Contents {
            revision,
            schema: self.schema.version(),
            entries: entries.into_iter().map(|e| (e.key, e.value)).collect(),
            moved: self.moved()?,
        })
    }

    /// Puts other contents in the place of these, in a later epoch.
    pub(super) fn replace(&self, contents: &Contents) -> Result<(), Error> {
        self.replace_all(contents).map_err(self.error("written"))
    }

    fn replace_all(&self, contents: &Contents) -> Result<(), redb::Error> {
        let writing = self.database.begin_write()?;
        {
            let mut meta = writing.open_table(META)?;
            let number = meta.get(NUMBER)?.map_or(0, |n| n.value()) + 1;
            let epoch = meta.get(EPOCH)?.map_or(0, |n| n.value());
            meta.insert(EPOCH, epoch_after(epoch.max(contents.revision.epoch)))?;
            meta.insert(NUMBER, number)?;
            let mut entries = writing.open_table(ENTRIES)?;
            entries.retain(|_, _| false)?;
            for (key, value) in &contents.entries {
                entries.insert(key.as_str(), (number, &value[..]))?;
            }
            writing.open_table(NOTES)?.remove(MOVED)?;
        }
        writing.commit()?;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn schema(&self) -> Schema {
        self.schema
    }

    fn error(&self, doing: &'static str) -> impl Fn(redb::Error) -> Error {
        let path = self.path.clone();
        move |source| error(&path, doing, source)
    }

    fn prepare(&self) -> Result<(), Error> {
        let known = u64::from(self.schema.version());
        let found = self.versions().map_err(self.error("read"))?;
        match found {
            Some(found) if found == known => return Ok(()),
            Some(found) if found > known => {
                return Err(Error::Newer {
                    path: self.path.clone(),
                    found: u32::try_from(found).unwrap_or(u32::MAX),
                    known: self.schema.version(),
                });
            }
            _ => {}
        }
        let prepared = match found {
            None => self.begin(),
            Some(found) => self.migrate(found),
        };
        prepared.map_err(self.error("written"))
    }

    /// The schema version of the contents; none in a new file.
    fn versions(&self) -> Result<Option<u64>, redb::Error> {
        let reading = self.database.begin_read()?;
        match reading.open_table(META) {
            Ok(meta) => Ok(meta.get(SCHEMA)?.map(|version| version.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn begin(&self) -> Result<(), redb::Error> {
        let epoch = epoch_after(0);
        let writing = self.database.begin_write()?;
        {
            let mut meta = writing.open_table(META)?;
            meta.insert(EPOCH, epoch)?;
            meta.insert(NUMBER, 0)?;
            meta.insert(SCHEMA, u64::from(self.schema.version()))?;
            writing.open_table(ENTRIES)?;
        }
        writing.commit()?;
        Ok(())
    }

    fn migrate(&self, found: u64) -> Result<(), redb::Error> {
        tracing::info!(
            from = found,
            to = self.schema.version(),
            "migrating the store"
        );
        let writing = self.database.begin_write()?;
        {
            let mut meta = writing.open_table(META)?;
            let mut entries = writing.open_table(ENTRIES)?;
            let before = contents(&entries)?;
            let mut after = before.clone();
            self.schema
                .migrate(u32::try_from(found).unwrap_or(u32::MAX), &mut after);
            let number = meta.get(NUMBER)?.map_or(0, |n| n.value()) + 1;
            for key in before.keys().filter(|key| !after.contains_key(*key)) {
                entries.remove(key.as_str())?;
            }
            for (key, value) in after
                .iter()
                .filter(|(key, value)| before.get(*key) != Some(value))
            {
                entries.insert(key.as_str(), (number, &value[..]))?;
            }
            meta.insert(NUMBER, number)?;
            meta.insert(SCHEMA, u64::from(self.schema.version()))?;
        }
        writing.commit()?;
        Ok(())
    }

    /// Everything, and the revision that it is of.
    pub(super) fn read(&self) -> Result<(Revision, Vec<Entry>), Error> {
        self.read_all().map_err(self.error("read"))
    }

    fn read_all(&self) -> Result<(Revision, Vec<Entry>), redb::Error> {
        let reading = self.database.begin_read()?;
        let meta = reading.open_table(META)?;
        let get = |key| Ok::<u64, redb::Error>(meta.get(key)?.map_or(0, |n| n.value()));
        let revision = Revision {
            epoch: get(EPOCH)?,
            number: get(NUMBER)?,
        };
        let mut entries = Vec::new();
        for item in reading.open_table(ENTRIES)?.iter()? {
            let (key, value) = item?;
            let (number, value) = value.value();
            entries.push(Entry {
                key: key.value().to_owned(),
                value: Bytes::copy_from_slice(value),
                number,
            });
        }
        Ok((revision, entries))
    }

    /// Does each transaction or nothing of it, and all of them with one flush.
    pub(super) fn write(&self, batch: &[Transaction]) -> Result<Outcomes, Error> {
        self.write_all(batch).map_err(self.error("written"))
    }

    fn write_all(&self, batch: &[Transaction]) -> Result<Outcomes, redb::Error> {
        let writing = self.database.begin_write()?;
        let mut outcomes = Vec::with_capacity(batch.len());
        let (before, mut number);
        {
            let mut meta = writing.open_table(META)?;
            let mut entries = writing.open_table(ENTRIES)?;
            before = meta.get(NUMBER)?.map_or(0, |n| n.value());
            number = before;
            let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
            for transaction in batch {
                let mut transaction = transaction.clone();
                if let Err(key) = tickets.settle(&mut transaction) {
                    outcomes.push(Ok(Outcome::Conflict { key }));
                    continue;
                }
                let outcome = one(&mut entries, &mut number, &transaction)?;
                if let Ok(Outcome::Committed(number)) = outcome {
                    tickets.take(transaction.ticket, number);
                }
                outcomes.push(outcome);
            }
            meta.insert(NUMBER, number)?;
        }
        if number == before {
            writing.abort()?;
        } else {
            writing.commit()?;
        }
        Ok(outcomes)
    }
}

type Entries<'a> = Table<'a, &'static str, (u64, &'static [u8])>;

fn one(
    entries: &mut Entries<'_>,
    number: &mut u64,
    transaction: &Transaction,
) -> Result<Result<Outcome, Error>, redb::Error> {
    if let Err(refusal) = written_once(&transaction.writes) {
        return Ok(Err(refusal));
    }
    for compare in &transaction.compares {
        let found = entries
            .get(compare.key.as_str())?
            .map_or(0, |e| e.value().0);
        if found != compare.number {
            let key = compare.key.clone();
            return Ok(Ok(Outcome::Conflict { key }));
        }
    }
    for range in &transaction.unchanged {
        for item in entries.range(range.first.as_str()..=range.last.as_str())? {
            if item?.1.value().0 > range.since {
                let key = range.first.clone();
                return Ok(Ok(Outcome::Conflict { key }));
            }
        }
    }
    if !transaction.writes.is_empty() {
        *number += 1;
    }
    for write in &transaction.writes {
        match write {
            Write::Put { key, value } => {
                entries.insert(key.as_str(), (*number, &value[..]))?;
            }
            Write::Delete { key } => {
                entries.remove(key.as_str())?;
            }
        }
    }
    Ok(Ok(Outcome::Committed(*number)))
}

fn contents(entries: &Entries<'_>) -> Result<BTreeMap<String, Bytes>, redb::Error> {
    let mut all = BTreeMap::new();
    for item in entries.iter()? {
        let (key, value) = item?;
        all.insert(
            key.value().to_owned(),
            Bytes::copy_from_slice(value.value().1),
        );
    }
    Ok(all)
}

/// What an error of redb means to an operator.
fn error(path: &Path, doing: &'static str, source: redb::Error) -> Error {
    let path = path.to_owned();
    match source {
        redb::Error::DatabaseAlreadyOpen => Error::Locked { path },
        redb::Error::Io(io) if is_full(&io) => Error::Full { path },
        redb::Error::Io(io)
            if matches!(io.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) =>
        {
            Error::Unreachable {
                path,
                source: Arc::new(io),
            }
        }
        source => Error::Broken {
            path,
            doing,
            source: Arc::new(source),
        },
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
