//! What the table of connections should do, in the words of a reader: no generations of rows, no
//! tables, no crowd.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::counter::{Reason, RuleKey};
use contiv_datapath_abi::policy::{Action, Direction, Verdict};

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

/// Between which ends: whether by IPv6, the service by its number, and the client's port.
pub(crate) type Ends = (bool, usize, u16);

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
    /// What the opener's policy says, and the accepter's unless the opener's denies.
    sides: (Side, Option<Side>),
    denied: Option<Reason>,
    /// Whether packets of the accepter belong to it.
    has_reply: bool,
    answered: bool,
    opener_ended: bool,
    /// So long denied that the accepter may begin anew.
    forgotten: bool,
    /// Judged under policies and groups as they are.
    fresh: bool,
}

/// What the policy of one end says.
#[derive(Clone, Copy, Debug)]
struct Side {
    rule: u32,
    allows: bool,
    /// The rule promised to leave the connection alone.
    keeps: bool,
    /// The rule by which staged policies would say the opposite.
    staged: Option<u32>,
}

impl Side {
    fn of(verdict: Verdict) -> Side {
        let allows = |action| action != Action::Deny;
        let opposite = verdict
            .staged
            .filter(|staged| allows(staged.action) != allows(verdict.action));
        Side {
            rule: verdict.rule,
            allows: allows(verdict.action),
            keeps: verdict.keep,
            staged: opposite.map(|staged| staged.rule),
        }
    }
}

impl Connection {
    /// For which rules it counts.
    fn rules(&self) -> BTreeSet<RuleKey> {
        let sides = [Some(self.sides.0), self.sides.1];
        let enforced = sides.iter().flatten().map(|side| RuleKey {
            rule: side.rule,
            staged: RuleKey::ENFORCED,
        });
        let staged = sides.iter().flatten().filter_map(|side| side.staged);
        let staged = staged.map(|rule| RuleKey {
            rule,
            staged: RuleKey::STAGED,
        });
        enforced.chain(staged).collect()
    }

    /// What its ends have been promised, as long as they are who they were.
    fn promised(&self, serials: (u32, u32), groups: (u32, u32)) -> [Option<Side>; 2] {
        if self.denied.is_some() || (self.serials, self.groups) != (serials, groups) {
            return [None; 2];
        }
        // It is not asked again, and so are staged policies.
        [Some(self.sides.0), self.sides.1].map(|side| {
            let kept = side.filter(|side| side.keeps);
            kept.map(|side| Side {
                staged: None,
                ..side
            })
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) connections: u64,
}

/// What a run should have met, or it proves little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Met {
    DeniedBySender,
    DeniedByReceiver,
    KeptBySender,
    KeptByReceiver,
    StagedOfSender,
    StagedOfReceiver,
}

impl Met {
    pub(crate) const ALL: [Met; 6] = [
        Met::DeniedBySender,
        Met::DeniedByReceiver,
        Met::KeptBySender,
        Met::KeptByReceiver,
        Met::StagedOfSender,
        Met::StagedOfReceiver,
    ];
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    connections: BTreeMap<Ends, Connection>,
    pub(crate) counts: BTreeMap<RuleKey, Count>,
    /// By IPv6 or not.
    pub(crate) met: BTreeSet<(Met, bool)>,
}

impl Model {
    /// Nothing was ever sent.
    pub(crate) fn clear(&mut self) {
        self.connections.clear();
        self.counts.clear();
    }

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

    /// What becomes of a packet; `members` are who sends and who would receive, `ask` the policies
    /// of both about what the one opens.
    pub(crate) fn send(
        &mut self,
        (ends, is_tcp): (Ends, bool),
        from: Who,
        (kind, bytes): (Kind, u64),
        members: impl Fn(Who) -> Member,
        ask: impl Fn(Who, Direction) -> Verdict,
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
        let rules = connection.rules();
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
        ask: &impl Fn(Who, Direction) -> Verdict,
    ) -> Result<(), Reason> {
        let opener = known.as_ref().map_or(from, |c| c.opener);
        let (one, other) = (members(opener), members(opener.other()));
        let (serials, groups) = ((one.serial, other.serial), (one.group, other.group));
        let known_to = known.as_ref();
        let promised = known_to.map_or([None; 2], |c| c.promised(serials, groups));
        let asked = |direction| Side::of(ask(opener, direction));
        let sending = promised[0].unwrap_or_else(|| asked(Direction::Out));
        let receiving = || promised[1].unwrap_or_else(|| asked(Direction::In));
        let receiving = sending.allows.then(receiving);
        let denied = match receiving {
            None => Some(Reason::PolicyOut),
            Some(side) => (!side.allows).then_some(Reason::PolicyIn),
        };
        let same = before
            .as_ref()
            .filter(|c| c.opener == opener && c.serials.0 == one.serial);
        let has_reply = denied.is_none() || same.is_some_and(|c| c.has_reply);
        let repeats =
            |c: &&Connection| c.serials.1 == other.serial && !c.opener_ended && !c.answered;
        let again = known.as_ref().or(same.filter(repeats));
        let connection = Connection {
            opener,
            serials,
            groups,
            sides: (sending, receiving),
            denied,
            has_reply,
            answered: denied.is_some() && has_reply || again.is_some_and(|c| c.answered),
            opener_ended: again.is_some_and(|c| c.opener_ended),
            forgotten: false,
            fresh: true,
        };
        self.meet(ends.0, &connection, promised);
        let rules = connection.rules();
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
        let decided = again.map(Connection::rules).unwrap_or_default();
        let new: BTreeSet<RuleKey> = rules.difference(&decided).copied().collect();
        self.count(
            &new,
            Count {
                connections: 1,
                ..Count::default()
            },
        );
        self.connections.insert(ends, connection);
        Ok(())
    }

    fn meet(&mut self, is_v6: bool, judged: &Connection, promised: [Option<Side>; 2]) {
        let staged = |side: Option<Side>| side.is_some_and(|side| side.staged.is_some());
        let met = [
            judged.denied == Some(Reason::PolicyOut),
            judged.denied == Some(Reason::PolicyIn),
            promised[0].is_some(),
            promised[1].is_some(),
            staged(Some(judged.sides.0)),
            staged(judged.sides.1),
        ];
        let met = Met::ALL.into_iter().zip(met).filter(|(_, is_so)| *is_so);
        self.met.extend(met.map(|(what, _)| (what, is_v6)));
    }

    fn count(&mut self, rules: &BTreeSet<RuleKey>, more: Count) {
        for rule in rules {
            let count = self.counts.entry(*rule).or_default();
            count.packets += more.packets;
            count.bytes += more.bytes;
            count.connections += more.connections;
        }
    }
}
