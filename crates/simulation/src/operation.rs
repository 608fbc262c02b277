//! What happens to a cluster, at random.

use std::fmt;

use contiv_model::object::Rule;

use crate::engine::Attachment;
use crate::operator::Wish;

/// One thing that happens. What lasts, lasts for some seconds; hosts and masters are numbers.
#[derive(Clone, Debug)]
pub enum Operation {
    /// An operator writes.
    Write(Intent),
    /// A container starts.
    Start {
        host: usize,
        to: Place,
        wish: Option<u8>,
    },
    /// A container of a host ends.
    Stop {
        host: usize,
        which: u64,
    },
    /// A container ends, and another begins on its address at once.
    Restart {
        host: usize,
        which: u64,
    },
    /// An engine says that an address is free, whoever has it.
    Release {
        host: usize,
        network: u8,
        last: u8,
    },
    KillAgent {
        host: usize,
        seconds: u64,
    },
    Reboot {
        host: usize,
        seconds: u64,
    },
    /// Nothing passes between a host and a master.
    CutHost {
        host: usize,
        master: usize,
        seconds: u64,
    },
    /// A host is cut off from every master, perhaps for so long that it is lost.
    CutOff {
        host: usize,
        seconds: u64,
    },
    /// A host is cut off until it is lost; others ask for the addresses of its containers before it
    /// comes back.
    Displace {
        host: usize,
        seconds: u64,
    },
    /// A host is cut off, and starts a container anew.
    RestartAlone {
        host: usize,
        which: u64,
        seconds: u64,
    },
    CrashMaster {
        master: usize,
        seconds: u64,
    },
    /// A master stands still, and goes on as if nothing had been.
    Pause {
        master: usize,
        seconds: u64,
    },
    /// A master cannot reach the store.
    CutStore {
        master: usize,
        seconds: u64,
    },
    /// A master hears late of what is committed.
    Lag {
        master: usize,
        milliseconds: u64,
        seconds: u64,
    },
    /// A master's clock jumps.
    Jump {
        master: usize,
        seconds: i64,
    },
    /// The store has no majority.
    Minority {
        seconds: u64,
    },
    /// Answers of the store are lost, in so many of a hundred cases.
    Lose {
        percent: u64,
        seconds: u64,
    },
    /// All followers of the store lose the thread.
    BreakFollowers,
    /// One in so many pieces breaks its connection.
    Fragile {
        one_in: u64,
        seconds: u64,
    },
    /// A copy of the store is made.
    Save,
    /// The last copy takes the store's place.
    Restore,
    /// The same while a host is away, whose addresses others ask for.
    RestoreWithout {
        host: usize,
        seconds: u64,
    },
    /// A master that is to do what must run once stands still in the middle of it, past its lease;
    /// a container ends, so that there is something to do.
    Trap {
        host: usize,
        which: u64,
        seconds: u64,
    },
    /// A master, or its hosts, are upgraded or downgraded: 0 is today's version of both.
    Upgrade {
        master: usize,
        version: u8,
    },
    /// Nothing, for a while.
    Rest {
        seconds: u64,
    },
}

/// A write, and its outcome in words.
#[derive(Clone)]
pub struct Intent(pub(crate) Wish);

/// What a container is attached to.
#[derive(Clone)]
pub struct Place(pub(crate) Attachment);

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Wish::PutTenant(o) => write!(f, "tenant {}", o.tenant_name),
            Wish::PutNetwork(o) => write!(f, "network {}:{}", o.tenant_name, o.network_name),
            Wish::PutGroup(o) => write!(
                f,
                "group {}:{} {:?}",
                o.tenant_name, o.group_name, o.policies
            ),
            Wish::PutPolicy(o) => write!(f, "policy {}:{}", o.tenant_name, o.policy_name),
            Wish::PutRule(o) => {
                let Rule {
                    tenant_name,
                    policy_name,
                    rule_id,
                    action,
                    port,
                    priority,
                    ..
                } = &**o;
                write!(
                    f,
                    "rule {tenant_name}:{policy_name}:{rule_id} {action} {port} {priority}"
                )
            }
            Wish::Delete(noun, key) => write!(f, "delete {noun:?} {key}"),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attachment {
            tenant,
            network,
            group,
            ..
        } = &self.0;
        write!(f, "{tenant}:{network}")?;
        match group {
            Some(group) => write!(f, " in {group}"),
            None => Ok(()),
        }
    }
}

impl Operation {
    /// What kind of operation it is, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Operation::Write(_) => "operation: write",
            Operation::Start { .. } => "operation: start",
            Operation::Stop { .. } => "operation: stop",
            Operation::Restart { .. } => "operation: restart",
            Operation::Release { .. } => "operation: release",
            Operation::KillAgent { .. } => "operation: kill agent",
            Operation::Reboot { .. } => "operation: reboot",
            Operation::CutHost { .. } => "operation: cut host from a master",
            Operation::CutOff { .. } => "operation: cut host off",
            Operation::Displace { .. } => "operation: displace",
            Operation::RestartAlone { .. } => "operation: restart while cut off",
            Operation::CrashMaster { .. } => "operation: crash master",
            Operation::Pause { .. } => "operation: pause master",
            Operation::CutStore { .. } => "operation: cut master from the store",
            Operation::Lag { .. } => "operation: lag",
            Operation::Jump { .. } => "operation: jump of a clock",
            Operation::Minority { .. } => "operation: minority",
            Operation::Lose { .. } => "operation: lose answers",
            Operation::BreakFollowers => "operation: break followers",
            Operation::Fragile { .. } => "operation: break connections",
            Operation::Save => "operation: save",
            Operation::Restore => "operation: restore",
            Operation::RestoreWithout { .. } => "operation: restore while a host is away",
            Operation::Trap { .. } => "operation: trap",
            Operation::Upgrade { .. } => "operation: upgrade or downgrade",
            Operation::Rest { .. } => "operation: rest",
        }
    }
}
