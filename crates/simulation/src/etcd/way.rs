//! What passes between a master and its store, and what becomes of it there.

use super::*;

impl Way {
    pub(super) fn away(&self) -> Error {
        self.etcd.0.tally.lose("answers of the store lost");
        Error::Away {
            place: "simulation".into(),
            reason: "no answer in time".into(),
        }
    }

    pub(super) async fn delay(&self) {
        let chance = &self.etcd.0.chance;
        let micros = match chance.happens(4) {
            true => chance.of(2_000..400_000),
            false => chance.of(100..3_000),
        };
        sleep(Duration::from_micros(micros)).await;
    }

    /// Waits until something can pass; false when it cannot any more.
    pub(super) async fn passable(&self) -> bool {
        let (mut state, mut health) = (self.state.subscribe(), self.etcd.0.health.subscribe());
        loop {
            let link = *state.borrow_and_update();
            if link.closed {
                return false;
            }
            if link.cut.is_none() && health.borrow_and_update().majority {
                return true;
            }
            tokio::select! {
                biased;
                _ = state.changed() => {}
                _ = health.changed() => {}
            }
        }
    }

    /// Commits what the master sends, in its order.
    pub(super) async fn write(self, mut inbox: mpsc::UnboundedReceiver<Request>) {
        while let Some((transaction, answer)) = inbox.recv().await {
            self.delay().await;
            self.fall_into_trap(&transaction);
            // What stands still for longer than its patience may still be done later.
            let result = match timeout(PATIENCE, self.passable()).await {
                Ok(true) => self.commit(transaction).await,
                Ok(false) => Err(Error::Closed),
                Err(_) if self.etcd.0.chance.happens(50) => Err(self.away()),
                Err(_) => match self.passable().await {
                    true => {
                        // The answer was given up, and the transaction arrives nevertheless.
                        drop(self.commit(transaction).await);
                        Err(self.away())
                    }
                    false => Err(Error::Closed),
                },
            };
            self.delay().await;
            if !self.state.borrow().closed {
                drop(answer.send(result));
            }
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, Error> {
        let (losses, chance) = (self.etcd.0.health.borrow().losses, &self.etcd.0.chance);
        if chance.happens(losses) {
            return Err(self.away());
        }
        // Others may have taken the store away meanwhile.
        if !Arc::ptr_eq(&self.store, &self.etcd.store()) {
            return Err(Error::Closed);
        }
        let outcome = self.commit_here(transaction).await?;
        if chance.happens(losses) {
            return Err(self.away());
        }
        Ok(outcome)
    }

    /// Commits, and tells of it.
    async fn commit_here(&self, mut transaction: Transaction) -> Result<Outcome, Error> {
        if self.swallows(&transaction) {
            return Ok(Outcome::Committed(self.store.newest().await?));
        }
        let lease = |key: &str| matches!(Key::parse(key), Some(Key::Lease(_)));
        if self.etcd.0.fault == Some(Fault::Fence)
            && !transaction.writes.iter().any(|write| lease(write.key()))
        {
            transaction.compares.retain(|compare| !lease(&compare.key));
        }
        let copy = transaction.clone();
        let outcome = self.store.commit(transaction).await?;
        match &outcome {
            Outcome::Committed(number) if !copy.writes.is_empty() => {
                let sweep = Key::Lease("sweep".into()).to_string();
                let mut told = self.etcd.told();
                if copy.writes.iter().any(|write| write.key() == sweep) {
                    told.sweeper = self.master.to_string();
                }
                told.done.push(Done::Commit {
                    life: self.life,
                    number: *number,
                    transaction: copy,
                    at: Instant::now(),
                });
            }
            Outcome::Conflict { key }
                if lease(key) && copy.writes.iter().all(|w| !lease(w.key())) =>
            {
                self.etcd
                    .0
                    .tally
                    .add("work fenced off from a master without its lease");
            }
            Outcome::Conflict { .. } => self.etcd.0.tally.add("races lost"),
            Outcome::Committed(_) => {}
        }
        Ok(outcome)
    }

    /// Whether a fault has it vanish.
    fn swallows(&self, transaction: &Transaction) -> bool {
        let object = |write: &Write| write.key().starts_with("/objects/");
        match self.etcd.0.fault {
            Some(Fault::Amnesia) => {
                transaction.writes.iter().any(object) && self.etcd.0.chance.happens(3)
            }
            Some(Fault::Unheard) => {
                let [Write::Put { key, value }] = &transaction.writes[..] else {
                    return false;
                };
                let of_host = matches!(Key::parse(key), Some(Key::Host(_)));
                let before = || self.store.contents().entries.get(key).cloned();
                of_host && before().is_some_and(|before| alike(&before, value))
            }
            _ => false,
        }
    }

    /// Stops the master in front of what must run once.
    fn fall_into_trap(&self, transaction: &Transaction) {
        if !self.etcd.told().trap {
            return;
        }
        let contents = self.store.contents().entries;
        let value = |key: &str| contents.get(key).map(|value| value.to_vec());
        if work(transaction, value).is_some() {
            let mut told = self.etcd.told();
            told.trap = false;
            told.trapped.push(self.master.to_string());
            self.state
                .send_modify(|link| link.cut = Some(Instant::now()));
        }
    }

    pub(super) async fn follow(self) -> Result<Following, Error> {
        self.delay().await;
        match timeout(PATIENCE, self.passable()).await {
            Ok(true) => {}
            Ok(false) => return Err(Error::Closed),
            Err(_) => return Err(self.away()),
        }
        let Following {
            revision,
            entries,
            changes,
        } = self.store.follow().await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (revision, entries) = match self.etcd.0.fault {
            Some(Fault::Rewind) => self.long_ago(revision, entries),
            _ => (revision, entries),
        };
        tokio::spawn(self.carry(changes, sender));
        Ok(Following {
            revision,
            entries,
            changes: Changes::new(receiver),
        })
    }

    /// What this life of the master was told first.
    fn long_ago(&self, revision: Revision, entries: Vec<Entry>) -> (Revision, Vec<Entry>) {
        let mut told = self.etcd.told();
        let first = told.first.entry(self.life);
        first.or_insert((revision, entries)).clone()
    }

    async fn carry(self, mut from: Changes, to: mpsc::UnboundedSender<Arc<contiv_store::Commit>>) {
        let mut health = self.etcd.0.health.subscribe();
        let begin = health.borrow().breaks;
        let broken = async move {
            let _ = health.wait_for(|health| health.breaks != begin).await;
        };
        let carry = async {
            while let Some(commit) = from.next().await {
                let lag = self.state.borrow().lag;
                if lag > Duration::ZERO {
                    sleep(lag).await;
                }
                self.delay().await;
                if !self.passable().await || to.send(commit).is_err() {
                    return;
                }
            }
        };
        let closed = async {
            let mut state = self.state.subscribe();
            let _ = state.wait_for(|link| link.closed).await;
        };
        tokio::select! {
            biased;
            () = broken => {}
            () = closed => {}
            () = carry => {}
        }
    }
}

/// Whether two records of a host differ in nothing but in when it was heard.
fn alike(one: &[u8], other: &[u8]) -> bool {
    let read = |record: &[u8]| {
        let mut record = serde_json::from_slice::<serde_json::Value>(record).unwrap_or_default();
        record["heard"].take();
        record
    };
    read(one) == read(other)
}
