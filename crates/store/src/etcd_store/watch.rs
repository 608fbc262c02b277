//! Everything there is, and then every commit in order.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{Event, EventType, GetOptions, WatchOptions};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::batch::unsigned;
use super::keys::Place;
use super::meta::Meta;
use super::{Shared, connect, pulse, staging};
use crate::error::Error;
use crate::follow::{Changes, Commit, Following, Revision};
use crate::transaction::{Entry, Write};

/// Before another member is asked.
const AGAIN: Duration = Duration::from_millis(100);

/// Reads all of the store, and watches from there on.
pub(super) async fn follow(shared: Arc<Shared>) -> Result<Following, Error> {
    loop {
        let name = shared.name();
        let (keys, all) = (&shared.keys, shared.keys.all());
        let begin = std::time::Instant::now();
        let options = GetOptions::new().with_prefix();
        let get = async |mut kv: etcd_client::KvClient| kv.get(all, Some(options)).await;
        let mut answer = shared.members.call(get).await?;
        let (mut entries, mut number, mut meta) = (Vec::new(), 0, None);
        for kv in answer.take_kvs() {
            match keys.parse(kv.key()) {
                Place::Data(key) => entries.push(Entry {
                    key: key.to_owned(),
                    value: Bytes::copy_from_slice(kv.value()),
                    number: unsigned(kv.mod_revision()),
                }),
                Place::Last => number = unsigned(kv.mod_revision()),
                Place::Meta => meta = Some((Meta::decode(kv.value(), &name)?, kv.mod_revision())),
                Place::Pulse(_) | Place::Other => {}
            }
        }
        let Some((meta, at)) = meta else {
            return Err(connect::gone(name));
        };
        if meta.applying.is_some() {
            staging::resolve(&shared.members, keys, (meta, at)).await?;
            continue;
        }
        let epoch = meta.epoch;
        shared.set_meta(meta, at);
        shared.state().heard = begin;
        let (sender, receiver) = mpsc::unbounded_channel();
        let revision = answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision);
        let listener = Listener {
            shared: Arc::clone(&shared),
            sender,
            next: revision + 1,
            epoch,
            held: None,
        };
        tokio::spawn(listener.run());
        return Ok(Following {
            revision: Revision { epoch, number },
            entries,
            changes: Changes::new(receiver),
        });
    }
}

/// The number of the last commit, read from a majority of members.
pub(super) async fn newest(shared: &Shared) -> Result<u64, Error> {
    let last = shared.keys.last();
    let get = async |mut kv: etcd_client::KvClient| kv.get(last, None).await;
    let answer = shared.members.call(get).await?;
    let number = answer
        .kvs()
        .first()
        .map(etcd_client::KeyValue::mod_revision);
    Ok(number.map_or(0, unsigned))
}

/// One follower's ear.
struct Listener {
    shared: Arc<Shared>,
    sender: mpsc::UnboundedSender<Arc<Commit>>,
    /// The revision that it has not heard of yet.
    next: i64,
    epoch: u64,
    /// What was written so far of a change that takes several revisions.
    held: Option<BTreeMap<String, Write>>,
}

/// Why a watch ended.
enum Ended {
    /// The connection, or the member, is lost: another one goes on from there.
    Lost,
    /// The follower has to read everything anew, or is gone.
    Over,
}

impl Listener {
    /// Listens to one member after the other while what happened is still known there.
    async fn run(mut self) {
        while !self.sender.is_closed() {
            match self.listen().await {
                Ended::Over => return,
                Ended::Lost => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn listen(&mut self) -> Ended {
        let Ok(member) = self.shared.members.member().await else {
            return Ended::Lost;
        };
        let watch = member.client.watch_client();
        let mut watch = watch.max_decoding_message_size(usize::MAX);
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(self.next);
        let opened = watch.watch(self.shared.keys.all(), Some(options));
        let Ok(Ok(mut stream)) = timeout(pulse::SILENCE, opened).await else {
            self.shared.members.failed(&member);
            return Ended::Lost;
        };
        loop {
            let said = tokio::select! {
                said = timeout(pulse::SILENCE, stream.message()) => said,
                () = self.sender.closed() => return Ended::Over,
            };
            let answer = match said {
                Ok(Ok(Some(answer))) => answer,
                Ok(Err(error)) => {
                    tracing::debug!(%error, member = member.name, "the watch ended");
                    self.shared.members.failed(&member);
                    return Ended::Lost;
                }
                Ok(Ok(None)) | Err(_) => {
                    tracing::warn!(member = member.name, "the watch is silent");
                    self.shared.members.failed(&member);
                    return Ended::Lost;
                }
            };
            let at = answer
                .header()
                .map_or(i64::MAX, etcd_client::ResponseHeader::revision);
            if answer.compact_revision() > 0 || at < self.next - 1 {
                tracing::warn!(next = self.next, at, "the past is not known any more");
                return Ended::Over;
            }
            if answer.canceled() {
                self.shared.members.failed(&member);
                return Ended::Lost;
            }
            for commit in answer.events().chunk_by(|a, b| revision(a) == revision(b)) {
                if self.take(commit).is_none() {
                    return Ended::Over;
                }
            }
        }
    }

    /// Takes all events of one revision; none when following cannot go on.
    fn take(&mut self, events: &[Event]) -> Option<()> {
        let at = revision(events.first()?);
        let (mut writes, mut counts, mut ends) = (Vec::new(), false, false);
        for event in events {
            let kv = event.kv()?;
            match self.shared.keys.parse(kv.key()) {
                Place::Data(key) => {
                    let key = key.to_owned();
                    writes.push(match event.event_type() {
                        EventType::Delete => Write::Delete { key },
                        EventType::Put => Write::Put {
                            key,
                            value: Bytes::copy_from_slice(kv.value()),
                        },
                    });
                }
                Place::Last => counts = true,
                Place::Meta => {
                    let meta = Meta::decode(kv.value(), "").ok()?;
                    let (epoch, applying) = (meta.epoch, meta.applying.is_some());
                    self.shared.set_meta(meta, at);
                    if epoch != self.epoch {
                        return None;
                    }
                    match applying {
                        true => drop(self.held.get_or_insert_default()),
                        false => ends = true,
                    }
                }
                Place::Pulse(id) if id == self.shared.id => {
                    if let Some(sent) = pulse::sent(kv.value()) {
                        self.shared.state().heard = sent;
                    }
                }
                Place::Pulse(_) | Place::Other => {}
            }
        }
        self.next = at + 1;
        if let Some(held) = &mut self.held {
            for write in writes.drain(..) {
                held.insert(write.key().to_owned(), write);
            }
            if !ends {
                return Some(());
            }
            writes = std::mem::take(held).into_values().collect();
            self.held = None;
            let staged = self.shared.staged.lock();
            let mut staged = staged.unwrap_or_else(PoisonError::into_inner);
            staged.insert(unsigned(at));
        }
        if counts || !writes.is_empty() {
            let revision = Revision {
                epoch: self.epoch,
                number: unsigned(at),
            };
            let commit = Arc::new(Commit { revision, writes });
            self.sender.send(commit).ok()?;
        }
        Some(())
    }
}

fn revision(event: &Event) -> i64 {
    event.kv().map_or(0, etcd_client::KeyValue::mod_revision)
}
