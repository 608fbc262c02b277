//! The policy's tables.

use aya::maps::LpmTrie;
use aya::maps::lpm_trie::Key;
use contiv_datapath::program::Row;
use contiv_datapath_abi::policy::{RuleSet, Sides};
use contiv_datapath_abi::{Plain, maps};
use contiv_policy::Rows;

use super::Rig;

impl Rig {
    /// Adds rows to the policy's tables.
    pub(crate) fn policy(&mut self, rows: &Rows) {
        fn fill<K: Plain, V: Plain>(rig: &mut Rig, map: &str, rows: impl Iterator<Item = (K, V)>) {
            let mut map = rig.hash::<K, V>(map);
            for (key, value) in rows {
                map.insert(Row(key), Row(value), 0).unwrap();
            }
        }
        fill(
            self,
            maps::POLICY_SUBJECTS,
            rows.subjects.iter().map(|(k, v)| (*k, *v)),
        );
        fill(
            self,
            maps::POLICY_PEERS,
            rows.peer_groups.iter().map(|(k, v)| (*k, *v)),
        );
        fill(
            self,
            maps::POLICY_DECISIONS,
            rows.decisions.iter().map(|(k, v)| (*k, *v)),
        );
        let map = self.programs.ebpf.map_mut(maps::POLICY_OWN).unwrap();
        let mut trie = LpmTrie::<_, Row<_>, Row<_>>::try_from(map).unwrap();
        for ((key, bits), value) in &rows.own_addresses {
            trie.insert(&Key::new(*bits, Row(*key)), Row(*value), 0)
                .unwrap();
        }
        let map = self.programs.ebpf.map_mut(maps::POLICY_PREFIXES).unwrap();
        let mut trie = LpmTrie::<_, Row<_>, Row<_>>::try_from(map).unwrap();
        for ((key, bits), value) in &rows.peer_prefixes {
            trie.insert(&Key::new(*bits, Row(*key)), Row(*value), 0)
                .unwrap();
        }
    }

    /// Deletes rows of the policy's tables.
    pub(crate) fn forget(&mut self, rows: &Rows) {
        fn delete<'a, K: Plain, V: Plain>(
            rig: &mut Rig,
            map: &str,
            keys: impl Iterator<Item = (&'a K, V)>,
        ) {
            let mut map = rig.hash::<K, V>(map);
            keys.for_each(|(key, _)| map.remove(&Row(*key)).unwrap());
        }
        delete(
            self,
            maps::POLICY_SUBJECTS,
            rows.subjects.iter().map(|(k, v)| (k, *v)),
        );
        delete(
            self,
            maps::POLICY_PEERS,
            rows.peer_groups.iter().map(|(k, v)| (k, *v)),
        );
        delete(
            self,
            maps::POLICY_DECISIONS,
            rows.decisions.iter().map(|(k, v)| (k, *v)),
        );
        let map = self.programs.ebpf.map_mut(maps::POLICY_OWN).unwrap();
        let mut trie = LpmTrie::<_, Row<_>, Row<Sides<RuleSet>>>::try_from(map).unwrap();
        for (key, bits) in rows.own_addresses.keys() {
            trie.remove(&Key::new(*bits, Row(*key))).unwrap();
        }
        let map = self.programs.ebpf.map_mut(maps::POLICY_PREFIXES).unwrap();
        let mut trie = LpmTrie::<_, Row<_>, Row<Sides<u32>>>::try_from(map).unwrap();
        for (key, bits) in rows.peer_prefixes.keys() {
            trie.remove(&Key::new(*bits, Row(*key))).unwrap();
        }
    }
}
