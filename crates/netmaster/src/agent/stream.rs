//! The stream of one host: a snapshot, or what it missed, and then every change.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use contiv_model::agent::Revision;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::fanout::Word;
use crate::api::{Problem, Shared};
use crate::back::hear;
use crate::hosts::OpenStream;
use crate::ledger::Progress;

/// Hosts expect a word every ten seconds.
const BOOKMARK: Duration = Duration::from_secs(5);

/// A host that changes are of no concern to hears how far they have come after this time.
const QUIET: Duration = Duration::from_millis(200);

/// What comes closer together than this is told as one change.
const PACE: Duration = Duration::from_millis(10);

/// A master that hears the store is not behind another one for longer.
const BEHIND: Duration = Duration::from_secs(3);

/// What has been said to one host.
struct HostStream {
    shared: Shared,
    host: String,
    progress: watch::Receiver<Progress>,
    /// The revision that was last looked at; none before the first word to a host that
    /// knows nothing.
    seen: Option<Revision>,
    /// Pieces of a line that are still to be said.
    pieces: VecDeque<Bytes>,
    /// When the host is to hear how far things have come, if nothing else is to be said.
    bookmark: Instant,
    looked: Option<Instant>,
    open: OpenStream,
}

pub(super) async fn stream(
    State(shared): State<Shared>,
    Path(host): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    super::check_name(&host)?;
    let after = query.get("after").map(|text| text.parse()).transpose();
    let said = after.map_err(|error: String| Problem::bad_request("after", error))?;
    if let Some(said) = said {
        hear(&shared, &host, said)?;
        catch_up(&shared, said).await?;
    }
    let open = shared.hosts.open_stream(&host);
    tracing::info!(host, after = ?said.map(|r: Revision| r.to_string()), "stream begins");
    let state = HostStream {
        progress: shared.ledger.progress(),
        shared,
        host,
        seen: said,
        pieces: VecDeque::new(),
        // A host that is up to date is told so at once.
        bookmark: Instant::now(),
        looked: None,
        open,
    };
    let lines = stream::unfold(state, |mut state| async {
        let piece = state.next().await?;
        Some((Ok::<_, Infallible>(piece), state))
    });
    let kind = [(CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Another master may have told the host more than this one knows yet: a host never goes back.
async fn catch_up(shared: &Shared, said: Revision) -> Result<(), Problem> {
    let now = shared.ledger.read().revision();
    let ahead = said.epoch == now.epoch && said.number > now.number;
    if !ahead || !shared.ledger.store().is_shared() {
        return Ok(());
    }
    if shared.ledger.catch_up(said, BEHIND).await {
        return Ok(());
    }
    let message = format!(
        "this master knows the store up to {now}, and the host has {said} already; ask another \
         one, or, if etcd was put back by hand, use netmaster snapshot restore"
    );
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "", message))
}

impl HostStream {
    /// The next line, or piece of one; none when the master ends or the host is removed.
    ///
    /// A host that reads slowly gets what it missed as one change: nothing piles up.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            self.progress.borrow_and_update();
            self.look();
            if !self.pieces.is_empty() {
                continue;
            }
            let pace = self.looked.map(|looked| looked + PACE);
            let stop = self.shared.stop.clone();
            let woken = async {
                let woken = tokio::select! {
                    changed = self.progress.changed() => changed.is_ok(),
                    () = sleep_until(self.bookmark) => true,
                };
                if let Some(pace) = pace {
                    sleep_until(pace).await;
                }
                woken
            };
            tokio::select! {
                () = stop.cancelled() => return None,
                () = self.open.removed() => return None,
                woken = woken => if !woken { return None },
            }
        }
    }

    /// Takes what the host has not been told.
    fn look(&mut self) {
        let committed = self.shared.ledger.read();
        let revision = committed.revision();
        let word = self.shared.fanout.word(&committed, self.seen, &self.host);
        drop(committed);
        let now = Instant::now();
        match word {
            Word::Nothing => {}
            Word::Elsewhere => self.bookmark = self.bookmark.min(now + QUIET),
            Word::Change(line) => self.pieces.push_back(line),
            Word::Snapshot(pieces) => self.pieces.extend(pieces),
        }
        if self.pieces.is_empty() && now >= self.bookmark {
            self.pieces.push_back(self.shared.fanout.bookmark(revision));
        }
        if !self.pieces.is_empty() {
            self.bookmark = now + BOOKMARK;
        }
        if self.seen != Some(revision) {
            self.looked = Some(now);
        }
        self.seen = Some(revision);
    }
}
