//! Programs with maps that a test fills by hand.

mod events;
mod flows;
mod tables;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use aya::EbpfLoader;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, MapData, PerCpuHashMap};
use aya::programs::{TestRun, TestRunOptions};
use contiv_datapath::Kernel;
use contiv_datapath::program::{Programs, Row};
use contiv_datapath_abi::config::{Config, GATEWAY_MAC};
use contiv_datapath_abi::counter::{DropKey, Reason};
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Members, Target};
use contiv_datapath_abi::flow::FlowKey;
use contiv_datapath_abi::maps;
use contiv_datapath_abi::programs::{FROM_ENDPOINT, FROM_HOST};
use contiv_datapath_abi::tenant::{Network, PrefixKey, Tenant};
use contiv_datapath_abi::{Plain, Words, mapped};

/// What the kernel does with a packet.
pub(crate) const DROPPED: u32 = 2;
pub(crate) const REDIRECTED: u32 = 7;

/// The loopback interface, from which test packets seem to come.
const INTERFACE: u32 = 1;

pub(crate) const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(172, 19, 0, 1);
pub(crate) const WORLD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub(crate) const WORLD_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7);

/// Which slots the usual endpoints have: `A` and `B` in network 1, `C` in network 2 of tenant 1;
/// `D` in a network of tenant 2 that looks like network 1, with the address of `A`.
pub(crate) const A: u32 = 2;
pub(crate) const B: u32 = 3;
pub(crate) const C: u32 = 4;
pub(crate) const D: u32 = 5;

pub(crate) struct Rig {
    programs: Programs,
}

impl Rig {
    /// Rows of each of the larger tables: real ones would take long to make for each test.
    pub(crate) const ROOM: usize = 65_536;

    /// No endpoint, no network.
    pub(crate) fn empty() -> Rig {
        let mut loader = EbpfLoader::new();
        for (name, entries) in maps::ALL {
            if !matches!(name, maps::CONFIG | maps::ENDPOINTS | maps::TENANTS) {
                loader.map_max_entries(name, entries.min(Self::ROOM as u32));
            }
        }
        loader
            .map_max_entries(maps::FLOWS, Self::FLOWS)
            .map_max_entries(maps::CROWD, Self::CROWD)
            .map_max_entries(maps::FRAGMENTS, 256);
        let mut rig = Rig {
            programs: Programs::load_with(&mut loader).unwrap(),
        };
        let config = Config {
            private_base: [172, 19, 0, 0],
            private_mask: [255, 255, 0, 0],
            host_link: 99,
            host_mac: HOST_MAC,
            ..Config::default()
        };
        rig.array::<Config>(maps::CONFIG)
            .set(0, Row(config), 0)
            .unwrap();
        rig
    }

    /// The usual four endpoints, without policy.
    pub(crate) fn new() -> Rig {
        let mut rig = Rig::empty();
        for tenant in [1, 2] {
            rig.tenant(
                tenant,
                Tenant {
                    generation: 1,
                    ..Tenant::default()
                },
            );
            rig.network(
                tenant,
                1 + 10 * (tenant - 1),
                ([10, 1, 1, 0].into(), 24),
                1450,
            );
        }
        rig.network(1, 2, ([10, 1, 2, 0].into(), 24), 1400);
        rig.network_v6(1, 1, 0x11, 1450);
        rig.network_v6(1, 2, 0x12, 1400);
        rig.endpoint(A, (1, 1, 0), [10, 1, 1, 1], Some(v6(0x11, 1)));
        rig.endpoint(B, (1, 1, 0), [10, 1, 1, 2], Some(v6(0x11, 2)));
        rig.endpoint(C, (1, 2, 0), [10, 1, 2, 1], Some(v6(0x12, 1)));
        rig.endpoint(D, (2, 11, 0), [10, 1, 1, 1], None);
        for address in [HOST.octets(), [192, 0, 2, 1]] {
            let mut hosts = rig.hash::<[u8; 16], u32>(maps::HOST_ADDRESSES);
            hosts.insert(Row(mapped(address)), Row(1), 0).unwrap();
        }
        rig
    }

    /// The tables, as they are read for people who ask.
    pub(crate) fn kernel(&self) -> Kernel {
        Kernel::of(&self.programs).unwrap()
    }

    pub(crate) fn tenant(&mut self, number: u32, tenant: Tenant) {
        self.share(number, Self::FLOWS / 2);
        self.set_tenant(number, tenant);
    }

    pub(crate) fn set_tenant(&mut self, number: u32, tenant: Tenant) {
        self.array::<Tenant>(maps::TENANTS)
            .set(number, Row(tenant), 0)
            .unwrap();
    }

    pub(crate) fn network(&mut self, tenant: u32, number: u32, subnet: (Ipv4Addr, u32), mtu: u32) {
        let (base, bits) = subnet;
        let gateway = mapped((base.to_bits() + (1 << (32 - bits)) - 2).to_be_bytes());
        let network = Network {
            number,
            mtu,
            flags: 0,
            host_bits: 32 - bits,
            gateway,
        };
        self.prefix(tenant, mapped(base.octets()), 96 + bits, network);
    }

    pub(crate) fn network_v6(&mut self, tenant: u32, number: u32, subnet: u16, mtu: u32) {
        let gateway = v6(subnet, 0xfe).octets();
        let network = Network {
            number,
            mtu,
            flags: 0,
            host_bits: 0,
            gateway,
        };
        self.prefix(tenant, v6(subnet, 0).octets(), 64, network);
    }

    pub(crate) fn prefix(&mut self, tenant: u32, address: [u8; 16], bits: u32, network: Network) {
        let map = self.programs.ebpf.map_mut(maps::PREFIXES).unwrap();
        let mut trie = LpmTrie::<_, Row<PrefixKey>, Row<Network>>::try_from(map).unwrap();
        let key = Key::new(
            PrefixKey::FIXED_BITS + bits,
            Row(PrefixKey { tenant, address }),
        );
        trie.insert(&key, Row(network), 0).unwrap();
    }

    /// An endpoint whose serial, interface and link address follow from its slot.
    pub(crate) fn endpoint(
        &mut self,
        slot: u32,
        (tenant, network, group): (u32, u32, u32),
        ipv4: [u8; 4],
        ipv6: Option<Ipv6Addr>,
    ) {
        self.endpoint_of_serial(slot, (tenant, network, group), (ipv4, ipv6), slot + 100);
    }

    pub(crate) fn endpoint_of_serial(
        &mut self,
        slot: u32,
        (tenant, network, group): (u32, u32, u32),
        (ipv4, ipv6): ([u8; 4], Option<Ipv6Addr>),
        serial: u32,
    ) {
        let endpoint = Endpoint {
            serial,
            state: Endpoint::OPEN,
            interface: slot + 1000,
            tenant,
            network,
            group,
            ipv4,
            private: [172, 19, 0, slot as u8],
            ipv6: ipv6.map_or([0; 16], |address| address.octets()),
            mac: mac(slot),
            unused: [0; 2],
        };
        self.set_endpoint(slot, endpoint);
        let addresses = [Some(mapped(ipv4)), ipv6.map(|address| address.octets())];
        for address in addresses.into_iter().flatten() {
            let target = Target {
                slot,
                serial,
                network,
                group,
                mac: mac(slot),
                unused: [0; 2],
            };
            let mut map = self.hash::<AddressKey, Target>(maps::ADDRESSES);
            map.insert(Row(AddressKey { tenant, address }), Row(target), 0)
                .unwrap();
        }
    }

    pub(crate) fn set_endpoint(&mut self, slot: u32, endpoint: Endpoint) {
        self.array::<Endpoint>(maps::ENDPOINTS)
            .set(slot, Row(endpoint), 0)
            .unwrap();
    }

    pub(crate) fn get_endpoint(&mut self, slot: u32) -> Endpoint {
        self.array::<Endpoint>(maps::ENDPOINTS)
            .get(&slot, 0)
            .unwrap()
            .0
    }

    pub(crate) fn members(&mut self, network: u32, slots: &[u32]) {
        let mut members = Members {
            count: slots.len() as u32,
            slots: [0; Members::ROOM],
        };
        members.slots[..slots.len()].copy_from_slice(slots);
        self.hash::<u32, Members>(maps::MEMBERS)
            .insert(Row(network), Row(members), 0)
            .unwrap();
    }

    /// What becomes of a frame that an endpoint sends: the action, and the frame as it leaves.
    pub(crate) fn send(&mut self, slot: u32, frame: &[u8]) -> (u32, Vec<u8>) {
        self.hash::<u32, u32>(maps::INTERFACES)
            .insert(Row(INTERFACE), Row(slot), 0)
            .unwrap();
        self.run(FROM_ENDPOINT, frame)
    }

    /// What becomes of a frame that the host sends.
    pub(crate) fn send_from_host(&mut self, frame: &[u8]) -> (u32, Vec<u8>) {
        self.run(FROM_HOST, frame)
    }

    fn run(&mut self, program: &'static str, frame: &[u8]) -> (u32, Vec<u8>) {
        let mut out = vec![0; 4096];
        let result = self
            .programs
            .classifier(program)
            .unwrap()
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut out),
                ..TestRunOptions::default()
            });
        let result = result.unwrap();
        out.truncate(result.data_size_out as usize);
        (result.return_value, out)
    }

    /// How long one run takes, among many runs.
    pub(crate) fn repeat(&mut self, slot: u32, frame: &[u8], repeat: u32) -> Duration {
        self.send(slot, frame);
        let program = self.programs.classifier(FROM_ENDPOINT).unwrap();
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..TestRunOptions::default()
        });
        result.unwrap().duration
    }

    /// Instructions of a program, as the kernel has translated it.
    pub(crate) fn length(&mut self, program: &'static str) -> u32 {
        let info = self.programs.classifier(program).unwrap().info().unwrap();
        info.size_translated().unwrap() / 8
    }

    /// Packets of an endpoint that were dropped for a reason; slot 0 is nobody.
    pub(crate) fn drops(&mut self, slot: u32, reason: Reason) -> u64 {
        self.drops_of(if slot == 0 { 0 } else { slot + 100 }, reason)
    }

    pub(crate) fn drops_of(&mut self, serial: u32, reason: Reason) -> u64 {
        let map = self.programs.ebpf.map_mut(maps::DROPS).unwrap();
        let map = PerCpuHashMap::<_, Row<DropKey>, u64>::try_from(map).unwrap();
        let key = Row(DropKey {
            serial,
            reason: reason as u32,
        });
        map.get(&key, 0).map_or(0, |values| values.iter().sum())
    }

    /// The frame is dropped, for that reason and no other.
    #[track_caller]
    pub(crate) fn refuses(&mut self, slot: u32, frame: &[u8], reason: Reason) {
        let before = self.drops(slot, reason);
        assert_eq!(self.send(slot, frame).0, DROPPED);
        assert_eq!(
            self.drops(slot, reason),
            before + 1,
            "not {}",
            reason.name()
        );
    }

    /// The frame goes on its way; answers with what it is then.
    #[track_caller]
    pub(crate) fn passes(&mut self, slot: u32, frame: &[u8]) -> Vec<u8> {
        let (action, out) = self.send(slot, frame);
        assert_eq!(action, REDIRECTED, "{:?}", self.all_drops(slot));
        out
    }

    #[track_caller]
    pub(crate) fn passes_from_host(&mut self, slot: u32, frame: &[u8]) -> Vec<u8> {
        let (action, out) = self.send_from_host(frame);
        assert_eq!(action, REDIRECTED, "{:?}", self.all_drops(slot));
        out
    }

    pub(crate) fn all_drops(&mut self, slot: u32) -> Vec<(&'static str, u64)> {
        let counted = Reason::ALL
            .iter()
            .map(|r| (r.name(), self.drops(slot, *r) + self.drops(0, *r)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    fn array<V: Plain>(&mut self, name: &str) -> Array<&mut MapData, Row<V>> {
        self.programs
            .ebpf
            .map_mut(name)
            .unwrap()
            .try_into()
            .unwrap()
    }

    fn hash<K: Plain, V: Plain>(&mut self, name: &str) -> HashMap<&mut MapData, Row<K>, Row<V>> {
        self.programs
            .ebpf
            .map_mut(name)
            .unwrap()
            .try_into()
            .unwrap()
    }
}

/// The link address of a slot; 0 is the gateway.
pub(crate) fn mac(slot: u32) -> [u8; 6] {
    if slot == 0 {
        GATEWAY_MAC
    } else {
        [2, 0, 0, 0, 1, slot as u8]
    }
}

pub(crate) fn v6(subnet: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, subnet, 0, 0, 0, 0, 0, host)
}

/// A flow's key, in tenant 1.
pub(crate) fn key(
    protocol: u8,
    (source, source_port): (impl Into<IpAddr>, u16),
    (destination, destination_port): (impl Into<IpAddr>, u16),
) -> FlowKey {
    let words = |address: IpAddr| match address {
        IpAddr::V4(v4) => Words::new(mapped(v4.octets())),
        IpAddr::V6(v6) => Words::new(v6.octets()),
    };
    FlowKey {
        tenant: 1,
        source: words(source.into()),
        destination: words(destination.into()),
        source_port,
        destination_port,
        protocol: protocol.into(),
    }
}
