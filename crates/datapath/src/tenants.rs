//! Tenants and their networks in the kernel.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::tenant::{Network, PrefixKey, TENANTS, Tenant};
use contiv_datapath_abi::{Address, maps};
use ipnet::IpNet;

use crate::bpf::{Prefixed, Table};
use crate::error::Failures;
use crate::pins::Pins;
use crate::spec::NetworkSpec;
use crate::{Error, address};

/// The tables of tenants and of prefixes, with a copy of what they hold.
#[derive(Debug)]
pub(crate) struct Tenants {
    table: Table<u32, Tenant>,
    rows: BTreeMap<u32, Tenant>,
    prefix_table: Table<Prefixed<PrefixKey>, Network>,
    prefixes: BTreeMap<Prefixed<PrefixKey>, Network>,
    /// Tenants whose flows must be judged again.
    stale: BTreeSet<u32>,
}

impl Tenants {
    pub(crate) fn open(pins: &Pins) -> Result<Tenants, Error> {
        let table = pins.table::<u32, Tenant>(maps::TENANTS)?;
        let used = table.rows()?.into_iter();
        let rows = used.filter(|(_, tenant)| *tenant != Tenant::default());
        let prefix_table = pins.table::<Prefixed<PrefixKey>, Network>(maps::PREFIXES)?;
        let mut prefixes = BTreeMap::new();
        for key in prefix_table.keys()? {
            if let Some(network) = prefix_table.get(&key)? {
                prefixes.insert(key, network);
            }
        }
        Ok(Tenants {
            rows: rows.collect(),
            table,
            prefix_table,
            prefixes,
            stale: BTreeSet::new(),
        })
    }

    /// Puts a root and the mode in force; flows are judged again after [`renew`](Self::renew).
    pub(crate) fn set(&mut self, tenant: u32, root: u32, routing: bool) -> Result<(), Error> {
        if tenant >= TENANTS {
            return Err(Error::Full { what: "tenants" });
        }
        let old = self.rows.get(&tenant).copied().unwrap_or_default();
        let flags = if routing { Tenant::ROUTING } else { 0 };
        let new = Tenant { root, flags, ..old };
        if new == old && old.generation != 0 {
            return Ok(());
        }
        self.table.put(&tenant, &new)?;
        self.rows.insert(tenant, new);
        self.stale.insert(tenant);
        Ok(())
    }

    /// Takes the policies of tenants that are not among these out of force.
    pub(crate) fn keep(&mut self, tenants: &BTreeSet<u32>) -> Result<(), Error> {
        let mut failures = Failures::default();
        let gone = self.rows.iter().filter(|(number, tenant)| {
            !tenants.contains(number) && (tenant.root != 0 || tenant.flags != 0)
        });
        let gone: Vec<u32> = gone.map(|(number, _)| *number).collect();
        for tenant in gone {
            failures.note(self.set(tenant, 0, false));
        }
        failures.result()
    }

    /// What is known of the tenant's flows no longer holds.
    pub(crate) fn touch(&mut self, tenant: u32) {
        self.stale.insert(tenant);
    }

    /// Gives tenants that were changed a new generation: their flows are judged again.
    pub(crate) fn renew(&mut self) -> Result<(), Error> {
        let mut failures = Failures::default();
        for tenant in std::mem::take(&mut self.stale) {
            let Some(row) = self.rows.get_mut(&tenant) else {
                continue; // Never set up, so no flow was ever judged.
            };
            // Never 0, which is nobody's.
            row.generation = row.generation.checked_add(1).unwrap_or(1);
            let row = *row;
            if failures.note(self.table.put(&tenant, &row)).is_none() {
                self.stale.insert(tenant);
            }
        }
        failures.result()
    }

    /// The mode of a tenant whose policy stays as it is; nothing if it has none in force.
    pub(crate) fn set_mode(&mut self, tenant: u32, routing: bool) -> Result<(), Error> {
        match self.rows.get(&tenant) {
            Some(row) if row.generation != 0 => self.set(tenant, row.root, routing),
            _ => Ok(()),
        }
    }

    /// Makes the prefixes of one network those of this one.
    pub(crate) fn set_network(&mut self, number: u32, spec: &NetworkSpec) -> Result<(), Error> {
        for (key, network) in rows_of(number, spec) {
            if self.prefixes.get(&key) != Some(&network) {
                self.prefix_table.put(&key, &network)?;
                self.prefixes.insert(key, network);
                self.stale.insert(key.key.tenant);
            }
        }
        Ok(())
    }

    /// Removes the prefixes of networks that are not among these.
    pub(crate) fn keep_networks(
        &mut self,
        networks: &BTreeMap<u32, NetworkSpec>,
    ) -> Result<(), Error> {
        let wanted = networks.iter();
        let wanted = wanted.flat_map(|(number, spec)| rows_of(*number, spec));
        let wanted: BTreeSet<_> = wanted.map(|(key, _)| key).collect();
        let mut failures = Failures::default();
        let gone = self.prefixes.keys().filter(|key| !wanted.contains(key));
        for key in gone.copied().collect::<Vec<_>>() {
            if failures.note(self.prefix_table.remove(&key)).is_some() {
                self.prefixes.remove(&key);
                self.stale.insert(key.key.tenant);
            }
        }
        failures.result()
    }
}

/// One row per subnet.
fn rows_of(number: u32, spec: &NetworkSpec) -> Vec<(Prefixed<PrefixKey>, Network)> {
    let flags = if spec.unreachable_from_host {
        Network::NOT_FROM_HOST
    } else {
        0
    };
    let flags = match spec.of_hosts {
        true => flags | Network::OF_HOSTS,
        false => flags,
    };
    let refuses = if spec.refuses { Network::REFUSES } else { 0 };
    let row = |net: IpNet, gateway: Option<Address>| {
        let (bits, host_bits) = match net {
            IpNet::V4(net) => (96 + net.prefix_len(), 32 - net.prefix_len()),
            IpNet::V6(net) => (net.prefix_len(), 0),
        };
        let key = PrefixKey {
            tenant: spec.tenant,
            address: address::bytes(net.network()),
        };
        let network = Network {
            number,
            mtu: spec.mtu,
            flags: match net {
                IpNet::V4(_) => flags | refuses,
                IpNet::V6(_) => flags,
            },
            host_bits: u32::from(host_bits),
            gateway: gateway.unwrap_or_default(),
        };
        let bits = PrefixKey::FIXED_BITS + u32::from(bits);
        (Prefixed { bits, key }, network)
    };
    let v4 = row(
        spec.subnet.into(),
        spec.gateway.map(|ip| address::bytes(ip.into())),
    );
    let v6 = spec.ipv6_subnet.map(|subnet| {
        row(
            subnet.into(),
            spec.ipv6_gateway.map(|ip| address::bytes(ip.into())),
        )
    });
    std::iter::once(v4).chain(v6).collect()
}
