//! What the table of connections should do, in the words of a reader: no generations of rows, no
//! tables, no crowd.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::policy::RULE_DEFAULT;

/// `A` or `B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Client,
    Server,
}

impl Who {
    pub(crate) fn other(self) -> Who {
        match self {
            Who::Client => Who::Server,
            Who::Server => Who::Client,
        }
    }
}

/// What a packet is, as far as connections care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP's first.
    Opens,
    /// TCP's second, or the answer to a ping.
    Accepts,
    /// TCP that ends the sender's half, or all.
    Ends,
    Error,
    Other,
}

/// Between which ends: the service by its number, and the client's port.
pub(crate) type Ends = (usize, u16);

/// What an end is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) serial: u32,
    pub(crate) group: u32,
}

#[derive(Clone, Debug)]
struct Connection {
    opener: Who,
    /// The opener's serial, and the accepter's.
    serials: (u32, u32),
    groups: (u32, u32),
    /// Of the opener's side and of the accepter's.
    rules: BTreeSet<u32>,
    denied: Option<Reason>,
    kept: bool,
    /// Whether packets of the accepter belong to it.
    has_reply: bool,
    answered: bool,
    opener_ended: bool,
    /// So long denied that the accepter may begin anew.
    forgotten: bool,
    /// Judged under policies and groups as they are.
    fresh: bool,
}

/// An answer of the accepter's policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) rule: u32,
    pub(crate) allows: bool,
    pub(crate) keeps: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) connections: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    connections: BTreeMap<Ends, Connection>,
    pub(crate) counts: BTreeMap<u32, Count>,
}

impl Model {
    /// Policies, groups or both have changed.
    pub(crate) fn change(&mut self) {
        self.connections.values_mut().for_each(|c| c.fresh = false);
    }

    /// Nobody has used the connection for long.
    pub(crate) fn expire(&mut self, ends: Ends) {
        self.connections.remove(&ends);
    }

    /// Half a minute passes.
    pub(crate) fn forget(&mut self) {
        let denied = self.connections.values_mut().filter(|c| c.denied.is_some());
        denied.for_each(|c| c.forgotten = true);
    }

    /// What becomes of a packet; `members` are who sends and who would receive, `ask` the policy of
    /// whoever accepts.
    pub(crate) fn send(
        &mut self,
        (ends, is_tcp): (Ends, bool),
        from: Who,
        (kind, bytes): (Kind, u64),
        members: impl Fn(Who) -> Member,
        ask: impl Fn(Who) -> Answer,
    ) -> Result<(), Reason> {
        let before = self.connections.get(&ends).cloned();
        let known = before.clone().filter(|c| {
            let is_part = if c.opener == from {
                c.serials.0 == members(from).serial
            } else {
                c.has_reply
                    && c.serials == (members(c.opener).serial, members(from).serial)
                    && (c.denied.is_none() || is_tcp || !c.forgotten)
            };
            kind != Kind::Opens && is_part
        });
        let valid = |c: &Connection| {
            let target = if c.opener == from {
                c.serials.1
            } else {
                c.serials.0
            };
            c.fresh && target == members(from.other()).serial
        };
        if !known.as_ref().is_some_and(valid) {
            match kind {
                Kind::Error if known.is_none() => return Err(Reason::UnrelatedError),
                Kind::Accepts if known.is_none() => return Err(Reason::NoConnection),
                _ => self.judge(ends, (from, bytes), (before, known), &members, &ask)?,
            }
        }
        let connection = self.connections.get_mut(&ends).unwrap();
        let rules = connection.rules.clone();
        if connection.denied.is_none() {
            if connection.opener != from {
                connection.answered = true;
            } else if kind == Kind::Ends {
                connection.opener_ended = true;
            }
        }
        let denied = connection.denied;
        self.count(
            &rules,
            Count {
                packets: 1,
                bytes,
                connections: 0,
            },
        );
        denied.map_or(Ok(()), Err)
    }

    fn judge(
        &mut self,
        ends: Ends,
        (from, bytes): (Who, u64),
        (before, known): (Option<Connection>, Option<Connection>),
        members: &impl Fn(Who) -> Member,
        ask: &impl Fn(Who) -> Answer,
    ) -> Result<(), Reason> {
        let opener = known.as_ref().map_or(from, |c| c.opener);
        let (one, other) = (members(opener), members(opener.other()));
        let (serials, groups) = ((one.serial, other.serial), (one.group, other.group));
        let promised = known
            .as_ref()
            .filter(|c| c.kept && c.denied.is_none() && (c.serials, c.groups) == (serials, groups));
        let asked = ask(opener.other());
        let (rules, allows, kept) = match promised {
            Some(c) => (c.rules.clone(), true, true),
            None => ([RULE_DEFAULT, asked.rule].into(), asked.allows, asked.keeps),
        };
        let denied = (!allows).then_some(Reason::PolicyIn);
        let same = before
            .as_ref()
            .filter(|c| c.opener == opener && c.serials.0 == one.serial);
        if let (Some(reason), Some(c), None, None) = (denied, &before, &known, same)
            && c.has_reply
            && c.serials.1 == one.serial
            && c.denied.is_none()
        {
            // Another's connection, which this one may not end.
            self.count(
                &rules,
                Count {
                    packets: 1,
                    bytes,
                    connections: 1,
                },
            );
            return Err(reason);
        }
        let has_reply = denied.is_none() || same.is_some_and(|c| c.has_reply);
        let repeats =
            |c: &&Connection| c.serials.1 == other.serial && !c.opener_ended && !c.answered;
        let again = known.as_ref().or(same.filter(repeats));
        let decided = again.map(|c| c.rules.clone()).unwrap_or_default();
        let new: BTreeSet<u32> = rules.difference(&decided).copied().collect();
        self.count(
            &new,
            Count {
                connections: 1,
                ..Count::default()
            },
        );
        let connection = Connection {
            opener,
            serials,
            groups,
            rules,
            denied,
            kept: kept && allows,
            has_reply,
            answered: denied.is_some() && has_reply || again.is_some_and(|c| c.answered),
            opener_ended: again.is_some_and(|c| c.opener_ended),
            forgotten: false,
            fresh: true,
        };
        self.connections.insert(ends, connection);
        Ok(())
    }

    fn count(&mut self, rules: &BTreeSet<u32>, more: Count) {
        for rule in rules {
            let count = self.counts.entry(*rule).or_default();
            count.packets += more.packets;
            count.bytes += more.bytes;
            count.connections += more.connections;
        }
    }
}
