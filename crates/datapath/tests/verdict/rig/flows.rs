//! The table of connections, and what is counted of them.

use std::collections::BTreeMap;

use aya::Pod;
use aya::maps::PerCpuHashMap;
use contiv_datapath::program::Row;
use contiv_datapath_abi::counter::{DropKey, RuleCount, RuleKey};
use contiv_datapath_abi::flow::{Flow, FlowKey, Room, Taken};
use contiv_datapath_abi::{Plain, maps};

use super::Rig;

impl Rig {
    /// Rows of the table of connections.
    pub(crate) const FLOWS: u32 = 8_192;
    /// Rows of the crowd's.
    pub(crate) const CROWD: u32 = 1_024;

    /// The connection that a direction belongs to, wherever it lies.
    pub(crate) fn flow(&mut self, key: &FlowKey) -> Option<Flow> {
        let row = Row(key.row());
        let mut found = [maps::FLOWS, maps::CROWD].into_iter().filter_map(|name| {
            let table = self.hash::<FlowKey, Flow>(name);
            table.get(&row, 0).ok()
        });
        found.next().map(|found| found.0)
    }

    /// Writes a connection where it lies.
    pub(crate) fn set_flow(&mut self, key: &FlowKey, flow: Flow) {
        let name = match flow.flags & Flow::CROWDED {
            0 => maps::FLOWS,
            _ => maps::CROWD,
        };
        self.hash::<FlowKey, Flow>(name)
            .insert(Row(key.row()), Row(flow), 0)
            .unwrap();
    }

    /// All rows of a table of connections.
    pub(crate) fn flows(&mut self, name: &str) -> Vec<(FlowKey, Flow)> {
        let table = self.hash::<FlowKey, Flow>(name);
        let rows = table.iter().map(|row| row.unwrap());
        rows.map(|(key, flow)| (key.0, flow.0)).collect()
    }

    /// What the tenant may have of the table.
    pub(crate) fn share(&mut self, tenant: u32, share: u32) {
        let mut rooms = self.array::<Room>(maps::FLOW_ROOM);
        let room = Room {
            share,
            ..rooms.get(&tenant, 0).unwrap().0
        };
        rooms.set(tenant, Row(room), 0).unwrap();
    }

    pub(crate) fn taken(&mut self, tenant: u32) -> Taken {
        let taken = self.array::<Taken>(maps::FLOWS_TAKEN);
        taken.get(&tenant, 0).unwrap().0
    }

    /// What all rules have decided, in rows that are there and before.
    pub(crate) fn all_counted(&mut self) -> BTreeMap<RuleKey, RuleCount> {
        let map = self.programs.ebpf.map_mut(maps::RULE_COUNTS).unwrap();
        let map = PerCpuHashMap::<_, Row<RuleKey>, Row<RuleCount>>::try_from(map).unwrap();
        let mut all = BTreeMap::new();
        for row in map.iter() {
            let (key, counts) = row.unwrap();
            let counts = counts.iter().map(|count| count.0);
            all.insert(
                key.0,
                counts.fold(RuleCount::default(), |sum, c| sum.plus(&c)),
            );
        }
        for (_, flow) in self.flows(maps::FLOWS) {
            for key in flow.rule_keys() {
                let count = all.entry(key).or_default();
                *count = count.plus(&flow.counted());
            }
        }
        all
    }

    /// Removes a connection, and answers with what it was if it lay in its tenant's share.
    pub(crate) fn remove_flow(&mut self, key: &FlowKey) -> Option<Flow> {
        let row = Row(key.row());
        self.hash::<FlowKey, Flow>(maps::CROWD).remove(&row).ok();
        let mut table = self.hash::<FlowKey, Flow>(maps::FLOWS);
        let flow = table.get(&row, 0).ok()?.0;
        table.remove(&row).unwrap();
        Some(flow)
    }

    /// Lets all connections be older by so many ticks.
    pub(crate) fn age_flows(&mut self, ticks: u32) {
        for name in [maps::FLOWS, maps::CROWD] {
            for (key, mut flow) in self.flows(name) {
                for way in [&mut flow.forward, &mut flow.reply] {
                    way.seen = if way.seen == 0 {
                        0
                    } else {
                        way.seen.wrapping_sub(ticks)
                    };
                }
                self.set_flow(&key, flow);
            }
        }
    }

    fn clear<K: Plain, V: Pod>(&mut self, name: &str) {
        let map = self.programs.ebpf.map_mut(name).unwrap();
        let mut map = PerCpuHashMap::<_, Row<K>, V>::try_from(map).unwrap();
        let keys: Vec<_> = map.keys().map(|key| key.unwrap()).collect();
        for key in keys {
            map.remove(&key).unwrap();
        }
    }

    /// Removes all connections and all counts.
    pub(crate) fn clear_flows(&mut self) {
        for name in [maps::FLOWS, maps::CROWD] {
            for (key, _) in self.flows(name) {
                self.hash::<FlowKey, Flow>(name).remove(&Row(key)).unwrap();
            }
        }
        self.clear::<RuleKey, Row<RuleCount>>(maps::RULE_COUNTS);
        self.clear::<DropKey, u64>(maps::DROPS);
        for tenant in [1, 2] {
            self.array::<Taken>(maps::FLOWS_TAKEN)
                .set(tenant, Row(Taken::default()), 0)
                .unwrap();
        }
    }
}
