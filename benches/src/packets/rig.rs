//! The programs, with tables that hold a tenant for each policy and two endpoints in each.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use aya::EbpfLoader;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, MapData};
use aya::programs::{TestRun, TestRunOptions};
use contiv_datapath::program::{Programs, Row};
use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Target};
use contiv_datapath_abi::flow::{Flow, FlowKey, Room, Taken};
use contiv_datapath_abi::programs::{self, FROM_ENDPOINT};
use contiv_datapath_abi::tenant::{Network, PrefixKey, Tenant};
use contiv_datapath_abi::{Plain, mapped, maps};
use contiv_policy::{HostTables, Rows};
use etherparse::PacketBuilder;

use super::{Cost, nanoseconds};
use crate::rules::{GROUP, Size};
use crate::stats::median;

/// Packets seem to come from here, the loopback interface.
const INTERFACE: u32 = 1;

/// What the program answers when the packet goes on its way.
const REDIRECTED: u32 = 7;

/// Where in a frame without options the ports of UDP and TCP are.
const SOURCE_PORT: usize = 34;

const FLOWS: u32 = 262_144;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Udp,
    Tcp,
}

pub(super) struct Rig {
    programs: Programs,
}

impl Rig {
    /// A tenant with two endpoints for each policy, numbered from 0 here and from 1 in the tables.
    pub(super) fn new(sizes: &[Size]) -> Result<Rig> {
        let mut loader = EbpfLoader::new();
        for name in [
            maps::RULE_COUNTS,
            maps::RULE_TOTALS,
            maps::MEMBERS,
            maps::ADDRESSES,
        ] {
            loader.map_max_entries(name, 4_096);
        }
        let programs = Programs::load_with(&mut loader)?;
        let mut rig = Rig { programs };
        let config = Config {
            private_base: [172, 19, 0, 0],
            private_mask: [255, 255, 0, 0],
            host_link: 99,
            host_mac: [2, 0, 0, 0, 0, 1],
            ..Config::default()
        };
        rig.array::<Config>(maps::CONFIG)?.set(0, Row(config), 0)?;
        let mut tables = HostTables::after(0);
        for (index, size) in sizes.iter().enumerate() {
            let number = index as u32 + 1;
            let build = tables.prepare(number, &size.policy())?;
            rig.fill(&build.write)?;
            rig.fill(&tables.settle(number).write)?;
            rig.tenant(number, build.root)?;
        }
        Ok(rig)
    }

    fn tenant(&mut self, number: u32, root: u32) -> Result<()> {
        let tenant = Tenant {
            root,
            generation: 1,
            ..Tenant::default()
        };
        self.array::<Tenant>(maps::TENANTS)?
            .set(number, Row(tenant), 0)?;
        let room = Room {
            share: FLOWS,
            ..Room::default()
        };
        self.array::<Room>(maps::FLOW_ROOM)?
            .set(number, Row(room), 0)?;
        let network = Network {
            number,
            mtu: 1450,
            flags: 0,
            host_bits: 8,
            gateway: mapped([10, 1, 1, 254]),
        };
        let key = PrefixKey {
            tenant: number,
            address: mapped([10, 1, 1, 0]),
        };
        let map = self
            .programs
            .ebpf
            .map_mut(maps::PREFIXES)
            .context("a map")?;
        let mut prefixes = LpmTrie::<_, Row<PrefixKey>, Row<Network>>::try_from(map)?;
        prefixes.insert(
            &Key::new(PrefixKey::FIXED_BITS + 120, Row(key)),
            Row(network),
            0,
        )?;
        for last in [1, 2] {
            self.endpoint(number, last)?;
        }
        Ok(())
    }

    fn endpoint(&mut self, tenant: u32, last: u8) -> Result<()> {
        let slot = slot(tenant, last);
        let (serial, ipv4) = (slot + 100, [10, 1, 1, last]);
        let endpoint = Endpoint {
            serial,
            state: Endpoint::OPEN,
            interface: slot + 1_000,
            tenant,
            network: tenant,
            group: GROUP,
            ipv4,
            private: [172, 19, 0, slot as u8],
            ipv6: [0; 16],
            mac: mac(slot),
            unused: [0; 2],
        };
        self.array::<Endpoint>(maps::ENDPOINTS)?
            .set(slot, Row(endpoint), 0)?;
        let target = Target {
            slot,
            serial,
            network: tenant,
            group: GROUP,
            mac: mac(slot),
            unused: [0; 2],
        };
        let key = AddressKey {
            tenant,
            address: mapped(ipv4),
        };
        self.hash::<AddressKey, Target>(maps::ADDRESSES)?
            .insert(Row(key), Row(target), 0)?;
        Ok(())
    }

    /// What a packet of a connection costs that is in the table.
    pub(super) fn established(&mut self, tenant: usize, kind: Kind, packets: u32) -> Result<Cost> {
        let frame = self.sender(tenant, kind)?;
        ensure!(
            self.send(&frame, 1)?.0 == REDIRECTED,
            "the packet is dropped"
        );
        let begin = Instant::now();
        let (action, kernel) = self.send(&frame, packets)?;
        let wall = nanoseconds(begin.elapsed()) / f64::from(packets);
        ensure!(action == REDIRECTED, "the packet is dropped");
        Ok(Cost { kernel, wall })
    }

    /// What the first packet of a connection costs, the median of many; they are forgotten after.
    pub(super) fn beginnings(&mut self, tenant: usize, connections: u16) -> Result<Cost> {
        let mut frame = self.sender(tenant, Kind::Udp)?;
        let (mut kernel, mut wall) = (Vec::new(), Vec::new());
        for port in 0..connections {
            frame[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&(10_000 + port).to_be_bytes());
            let begin = Instant::now();
            let (action, took) = self.send(&frame, 1)?;
            wall.push(nanoseconds(begin.elapsed()));
            kernel.push(took);
            ensure!(action == REDIRECTED, "the packet is dropped");
        }
        let mut flows = self.hash::<FlowKey, Flow>(maps::FLOWS)?;
        let keys: Vec<_> = flows.keys().filter_map(Result::ok).collect();
        ensure!(
            keys.len() >= usize::from(connections),
            "{} connections",
            keys.len()
        );
        for key in &keys {
            flows.remove(key)?;
        }
        let number = tenant as u32 + 1;
        self.array::<Taken>(maps::FLOWS_TAKEN)?
            .set(number, Row(Taken::default()), 0)?;
        Ok(Cost {
            kernel: median(&kernel),
            wall: median(&wall),
        })
    }

    /// Makes the tenant's first endpoint the one that sends, and answers with what it sends.
    fn sender(&mut self, tenant: usize, kind: Kind) -> Result<Vec<u8>> {
        let number = tenant as u32 + 1;
        let [from, to] = [1, 2].map(|last| slot(number, last));
        self.hash::<u32, u32>(maps::INTERFACES)?
            .insert(Row(INTERFACE), Row(from), 0)?;
        let builder =
            PacketBuilder::ethernet2(mac(from), mac(to)).ipv4([10, 1, 1, 1], [10, 1, 1, 2], 64);
        let (mut frame, payload) = (Vec::new(), [0; 64]);
        match kind {
            Kind::Udp => builder.udp(1_000, 53).write(&mut frame, &payload)?,
            Kind::Tcp => builder
                .tcp(1_000, 80, 1, 1_024)
                .ack(1)
                .write(&mut frame, &payload)?,
        }
        Ok(frame)
    }

    /// The program's answer, and nanoseconds of one run by the kernel's clock.
    fn send(&mut self, frame: &[u8], repeat: u32) -> Result<(u32, f64)> {
        let result = self
            .programs
            .classifier(FROM_ENDPOINT)?
            .test_run(TestRunOptions {
                data_in: Some(frame),
                repeat,
                ..TestRunOptions::default()
            })?;
        Ok((result.return_value, nanoseconds(result.duration)))
    }

    /// Translated instructions and bytes of machine code of each program, and the instructions that
    /// the verifier walked through to let it in.
    pub(super) fn lengths(&mut self) -> Result<Vec<(&'static str, [u32; 3])>> {
        let mut lengths = Vec::new();
        for name in programs::ALL {
            let info = self.programs.classifier(name)?.info()?;
            let translated = info.size_translated().unwrap_or(0) / 8;
            let walked = info.verified_instruction_count().unwrap_or(0);
            lengths.push((name, [translated, info.size_jitted(), walked]));
        }
        Ok(lengths)
    }

    fn fill(&mut self, rows: &Rows) -> Result<()> {
        self.fill_hash(maps::POLICY_SUBJECTS, &rows.subjects)?;
        self.fill_hash(maps::POLICY_PEERS, &rows.peer_groups)?;
        self.fill_hash(maps::POLICY_DECISIONS, &rows.decisions)?;
        let map = self
            .programs
            .ebpf
            .map_mut(maps::POLICY_PREFIXES)
            .context("a map")?;
        let mut trie = LpmTrie::<_, Row<_>, Row<_>>::try_from(map)?;
        for ((key, bits), value) in &rows.peer_prefixes {
            trie.insert(&Key::new(*bits, Row(*key)), Row(*value), 0)?;
        }
        Ok(())
    }

    fn fill_hash<K: Plain, V: Plain>(
        &mut self,
        name: &str,
        rows: &std::collections::BTreeMap<K, V>,
    ) -> Result<()> {
        let mut map = self.hash::<K, V>(name)?;
        for (key, value) in rows {
            map.insert(Row(*key), Row(*value), 0)?;
        }
        Ok(())
    }

    fn array<V: Plain>(&mut self, name: &str) -> Result<Array<&mut MapData, Row<V>>> {
        Ok(self
            .programs
            .ebpf
            .map_mut(name)
            .context("a map")?
            .try_into()?)
    }

    fn hash<K: Plain, V: Plain>(
        &mut self,
        name: &str,
    ) -> Result<HashMap<&mut MapData, Row<K>, Row<V>>> {
        Ok(self
            .programs
            .ebpf
            .map_mut(name)
            .context("a map")?
            .try_into()?)
    }
}

fn slot(tenant: u32, last: u8) -> u32 {
    2 * tenant + u32::from(last)
}

fn mac(slot: u32) -> [u8; 6] {
    [2, 0, 0, 0, 1, slot as u8]
}
