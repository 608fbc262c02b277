//! One member at a time, the next one when it fails.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, KvClient};

use super::place::EtcdPlace;
use crate::error::Error;

/// An answer that takes longer than this comes from a member that is cut off.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

/// The members of a cluster, of which one is in use.
///
/// A channel that balances over all of them would send every third request to a dead
/// one; so there is one channel, and who sees it fail goes on to the next member.
pub(super) struct Members {
    place: EtcdPlace,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// Counts the members that were tried.
    turn: usize,
    client: Option<Client>,
}

/// A client, and the turn that it belongs to.
pub(super) struct Member {
    pub(super) client: Client,
    pub(super) name: String,
    turn: usize,
}

impl Members {
    pub(super) fn new(place: EtcdPlace) -> Members {
        // Masters that start together begin at different members.
        let turn = usize::from(uuid::Uuid::new_v4().as_bytes()[0]);
        Members {
            place,
            current: Mutex::new(Current { turn, client: None }),
        }
    }

    pub(super) fn place(&self) -> &EtcdPlace {
        &self.place
    }

    /// The member in use.
    pub(super) async fn member(&self) -> Result<Member, Error> {
        let mut last = None;
        for _ in 0..self.place.endpoints.len() {
            let (turn, client) = {
                let current = self.current();
                (current.turn, current.client.clone())
            };
            let name = self.place.endpoints[turn % self.place.endpoints.len()].clone();
            if let Some(client) = client {
                return Ok(Member { client, name, turn });
            }
            match self.place.connect(&name).await {
                Ok(client) => {
                    let mut current = self.current();
                    if current.turn == turn {
                        current.client = Some(client.clone());
                    }
                    return Ok(Member { client, name, turn });
                }
                Err(error) => {
                    self.next(turn);
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or(Error::Closed))
    }

    /// Does something with the member in use; the next request goes to another one after an error.
    pub(super) async fn call<T>(
        &self,
        request: impl AsyncFnOnce(KvClient) -> Result<T, etcd_client::Error>,
    ) -> Result<T, Error> {
        let member = self.member().await?;
        let kv = member.client.kv_client();
        let kv = kv.max_decoding_message_size(usize::MAX);
        match tokio::time::timeout(PATIENCE, request(kv)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.failed(&member);
                Err(Error::etcd(&member.name, &error))
            }
            Err(_) => {
                self.failed(&member);
                Err(Error::silent(&member.name, PATIENCE))
            }
        }
    }

    /// Goes on to the next member, unless that was done since.
    pub(super) fn failed(&self, member: &Member) {
        self.next(member.turn);
    }

    fn next(&self, turn: usize) {
        let mut current = self.current();
        if current.turn == turn {
            current.turn = turn.wrapping_add(1);
            current.client = None;
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
