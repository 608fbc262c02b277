//! What the kernel's tables really say about a connection, read row by row by system calls.
//!
//! The decisions are the functions that the programs run; only the tables' reader is another one.

mod connection;
mod kept;

use std::cell::RefCell;

use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Target};
use contiv_datapath_abi::opening::Fabric;
use contiv_datapath_abi::policy::{
    Decision, DecisionKey, OwnKey, Peer, PeerKey, PolicyTables, PrefixKey, Query, RuleSet, Sides,
    Subject, SubjectKey, Verdict, evaluate,
};
use contiv_datapath_abi::tenant::{self, Network, Tenant};
use contiv_datapath_abi::{Address, Plain, maps};
use contiv_policy::{Beginning, Course};

pub use connection::Connection;
use kept::Kept;

use crate::bpf::{Prefixed, Table};
use crate::pins::Pins;
use crate::program::Programs;
use crate::{Error, Plane, address};

/// What the kernel of this host holds about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The build of the tenant's policy that is in force; 0 for no policy.
    pub root: u32,
    /// Connections of another generation are judged again.
    pub generation: u32,
    /// Which way it would take if it began now, and what the tables say of both sides.
    pub course: Course,
    /// Who has the addresses of both sides, as far as this host knows.
    pub from: Option<Holder>,
    pub to: Option<Holder>,
    /// Such connections as there are in the table, of any source port; at most
    /// [`MOST`](Connection::MOST).
    pub connections: Vec<Connection>,
}

/// Who has an address, by the kernel's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Of an endpoint of this host that still exists.
    pub id: Option<String>,
    pub slot: u32,
    pub serial: u32,
    pub network: u32,
    pub group: u32,
    /// Packets reach it and leave it.
    pub open: bool,
}

impl Plane {
    /// Reads what the kernel holds about a connection that begins, and about any that exists.
    pub fn ask(&self, beginning: &Beginning) -> Result<Finding, Error> {
        let kernel = self.kernel()?;
        let course = Course::of(&kernel, beginning);
        let tenant = kernel.tenant(beginning.tenant).unwrap_or_default();
        let holder = |ip| {
            let key = AddressKey {
                tenant: beginning.tenant,
                address: address::bytes(ip),
            };
            let target = kernel.target(&key)?;
            Some(self.holder(&kernel, target))
        };
        let (from, to) = (holder(beginning.from), holder(beginning.to));
        kernel.result()?;
        Ok(Finding {
            root: tenant.root,
            generation: tenant.generation,
            course,
            from,
            to,
            connections: connection::find(self.pins(), beginning)?,
        })
    }

    /// The kernel's tables of this host.
    pub fn kernel(&self) -> Result<Kernel, Error> {
        Kernel::pinned(self.pins())
    }

    fn holder(&self, kernel: &Kernel, target: &Target) -> Holder {
        let endpoint = kernel.endpoint(target.slot);
        let local = endpoint.filter(|row| target.slot != 0 && row.serial == target.serial);
        Holder {
            id: local.and_then(|row| Some(self.endpoint_of_serial(row.serial)?.to_owned())),
            slot: target.slot,
            serial: target.serial,
            network: target.network,
            group: target.group,
            open: local.is_some_and(|row| row.state != Endpoint::CLOSED),
        }
    }
}

/// The kernel's tables, as decisions ask them. What was read stays as it was read: a value is good
/// for one question.
#[derive(Debug)]
pub struct Kernel {
    config: Table<u32, Config>,
    tenants: Table<u32, Tenant>,
    endpoints: Table<u32, Endpoint>,
    addresses: Table<AddressKey, Target>,
    networks: Table<Prefixed<tenant::PrefixKey>, Network>,
    host_addresses: Table<Address, u32>,
    subjects: Table<SubjectKey, Sides<Subject>>,
    own: Table<Prefixed<OwnKey>, Sides<RuleSet>>,
    groups: Table<PeerKey, Sides<Peer>>,
    older_groups: Table<PeerKey, Sides<u32>>,
    prefixes: Table<Prefixed<PrefixKey>, Sides<u32>>,
    decisions: Table<DecisionKey, Sides<Decision>>,
    rows: Rows,
    /// The first failure; decisions take a row that cannot be read for one that is not there.
    failure: RefCell<Option<Error>>,
}

/// Rows that were read, since decisions want references to them.
#[derive(Debug, Default)]
struct Rows {
    configs: Kept<Config>,
    endpoints: Kept<Endpoint>,
    targets: Kept<Target>,
    networks: Kept<Network>,
    subjects: Kept<Sides<Subject>>,
    rule_sets: Kept<Sides<RuleSet>>,
    peers: Kept<Sides<Peer>>,
    profiles: Kept<Sides<u32>>,
    decisions: Kept<Sides<Decision>>,
}

impl Kernel {
    fn pinned(pins: &Pins) -> Result<Kernel, Error> {
        Self::over(&Opener::Pinned(pins))
    }

    /// The tables of programs that are not pinned.
    pub fn of(programs: &Programs) -> Result<Kernel, Error> {
        Self::over(&Opener::Loaded(programs))
    }

    fn over(opener: &Opener<'_>) -> Result<Kernel, Error> {
        Ok(Kernel {
            config: opener.table(maps::CONFIG)?,
            tenants: opener.table(maps::TENANTS)?,
            endpoints: opener.table(maps::ENDPOINTS)?,
            addresses: opener.table(maps::ADDRESSES)?,
            networks: opener.table(maps::PREFIXES)?,
            host_addresses: opener.table(maps::HOST_ADDRESSES)?,
            subjects: opener.table(maps::POLICY_SUBJECTS)?,
            own: opener.table(maps::POLICY_OWN)?,
            groups: opener.table(maps::POLICY_PEERS)?,
            older_groups: opener.table(maps::POLICY_GROUPS)?,
            prefixes: opener.table(maps::POLICY_PREFIXES)?,
            decisions: opener.table(maps::POLICY_DECISIONS)?,
            rows: Rows::default(),
            failure: RefCell::default(),
        })
    }

    /// Whether everything could be read so far.
    pub fn result(&self) -> Result<(), Error> {
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn read<K: Plain, V: Plain>(&self, table: &Table<K, V>, key: &K) -> Option<V> {
        table.get(key).unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            None
        })
    }

    fn keep<'a, K: Plain, V: Plain>(
        &'a self,
        kept: &'a Kept<V>,
        table: &Table<K, V>,
        key: &K,
    ) -> Option<&'a V> {
        Some(kept.keep(self.read(table, key)?))
    }
}

/// Where tables are found.
enum Opener<'a> {
    Pinned(&'a Pins),
    Loaded(&'a Programs),
}

impl Opener<'_> {
    fn table<K: Plain, V: Plain>(&self, name: &'static str) -> Result<Table<K, V>, Error> {
        match self {
            Opener::Pinned(pins) => pins.table(name),
            Opener::Loaded(programs) => {
                let map = programs.map(name);
                map.map(|map| Table::new(name, map))
                    .map_err(Error::file(format!("open map {name}")))
            }
        }
    }
}

impl Fabric for Kernel {
    fn config(&self) -> Option<&Config> {
        self.keep(&self.rows.configs, &self.config, &0)
    }

    fn tenant(&self, number: u32) -> Option<Tenant> {
        if number >= tenant::TENANTS {
            return None;
        }
        self.read(&self.tenants, &number)
    }

    fn network(&self, key: &tenant::PrefixKey) -> Option<&Network> {
        let bits = tenant::PrefixKey::BITS;
        let key = Prefixed { bits, key: *key };
        self.keep(&self.rows.networks, &self.networks, &key)
    }

    fn target(&self, key: &AddressKey) -> Option<&Target> {
        self.keep(&self.rows.targets, &self.addresses, key)
    }

    fn endpoint(&self, slot: u32) -> Option<&Endpoint> {
        self.keep(&self.rows.endpoints, &self.endpoints, &slot)
    }

    fn is_host(&self, address: &Address) -> bool {
        self.read(&self.host_addresses, address).is_some()
    }

    fn verdict(&self, query: &Query) -> Verdict {
        evaluate(self, query)
    }
}

impl PolicyTables for Kernel {
    fn subject(&self, key: &SubjectKey) -> Option<&Sides<Subject>> {
        self.keep(&self.rows.subjects, &self.subjects, key)
    }

    fn own_address(&self, set: u32, scope: u32, address: &Address) -> Option<&Sides<RuleSet>> {
        let key = OwnKey {
            set,
            scope,
            address: *address,
        };
        let bits = OwnKey::BITS;
        self.keep(&self.rows.rule_sets, &self.own, &Prefixed { bits, key })
    }

    fn peer_group(&self, key: &PeerKey) -> Option<&Sides<Peer>> {
        self.keep(&self.rows.peers, &self.groups, key)
    }

    fn older_peer_group(&self, key: &PeerKey) -> Option<&Sides<u32>> {
        self.keep(&self.rows.profiles, &self.older_groups, key)
    }

    fn peer_prefix(&self, set: u32, scope: u32, address: &Address) -> Option<&Sides<u32>> {
        let key = PrefixKey {
            set,
            scope,
            address: *address,
        };
        let bits = PrefixKey::BITS;
        self.keep(&self.rows.profiles, &self.prefixes, &Prefixed { bits, key })
    }

    fn decision(&self, key: &DecisionKey) -> Option<&Sides<Decision>> {
        self.keep(&self.rows.decisions, &self.decisions, key)
    }
}
