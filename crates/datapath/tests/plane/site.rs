//! A host with a data plane, and containers on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use contiv_datapath::spec::{Desired, EndpointSpec, NetworkSpec, TenantSpec, link_names};
use contiv_datapath::{Attach, EndpointFacts, Options, Plane, Shortfall};
use contiv_policy::{Action, Direction, PolicyRule, TenantPolicy};
use contiv_testbed::{Host, Netns, Reach, World};

/// How long a connection that should fail is tried.
pub(crate) const SHORT: Duration = Duration::from_millis(400);
/// How long one that should succeed may take.
pub(crate) const LONG: Duration = Duration::from_secs(5);

pub(crate) const DEFAULT: u32 = 1;
pub(crate) const BLUE: u32 = 7;

/// Whether this kernel attaches by tcx; says so when it does not.
pub(crate) fn has_tcx() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < (6, 6) {
        eprintln!("skipped: kernel {} has no tcx", release.trim());
    }
    version >= (6, 6)
}

pub(crate) struct Site {
    _alive: Host,
    pub(crate) netns: Netns,
    pub(crate) world: Arc<World>,
    /// On the underlay.
    pub(crate) address: Ipv4Addr,
    pub(crate) options: Options,
    pub(crate) desired: Desired,
    plane: Option<Plane>,
    count: u32,
}

/// One end of a fabric.
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) netns: Netns,
    pub(crate) spec: EndpointSpec,
}

impl Site {
    /// A host in the world, with tenants `default` (1) and `blue` (7) that have no networks.
    pub(crate) fn new(attach: Attach) -> Site {
        Site::beside(&Arc::new(World::new().unwrap()), attach)
    }

    /// As [`new`](Self::new), in a world that may have other hosts.
    pub(crate) fn beside(world: &Arc<World>, attach: Attach) -> Site {
        let host = Host::new("plane").unwrap();
        let address = world.attach(&host).unwrap();
        let options = Options {
            pin_dir: host.path("/sys/fs/bpf/contiv"),
            attach,
        };
        let mut desired = Desired::default();
        for (number, is_default) in [(DEFAULT, true), (BLUE, false)] {
            let tenant = TenantSpec {
                is_default,
                policy: TenantPolicy::default(),
            };
            desired.tenants.insert(number, tenant);
        }
        let mut site = Site {
            netns: host.netns().unwrap(),
            _alive: host,
            world: Arc::clone(world),
            address,
            options,
            desired,
            plane: None,
            // Ids are unique among hosts, too.
            count: u32::from(address.octets()[3]) << 16,
        };
        site.start();
        site
    }

    /// An agent begins.
    pub(crate) fn start(&mut self) {
        assert!(self.plane.is_none());
        let options = self.options.clone();
        let opened = self.netns.enter(|| Plane::open(&options)).unwrap();
        self.plane = Some(opened.unwrap());
    }

    /// The agent ends, the kernel stays.
    pub(crate) fn stop(&mut self) {
        self.plane = None;
    }

    /// Acts with the data plane, inside the host's namespace.
    pub(crate) fn with<T: Send>(&mut self, act: impl FnOnce(&mut Plane) -> T + Send) -> T {
        let plane = self.plane.as_mut().expect("an agent runs");
        self.netns.enter(|| act(plane)).unwrap()
    }

    /// Applies; answers with what some object lacks.
    pub(crate) fn try_apply(&mut self) -> Vec<Shortfall> {
        let desired = self.desired.clone();
        self.with(|plane| plane.apply(&desired)).unwrap()
    }

    pub(crate) fn apply(&mut self) {
        assert_eq!(self.try_apply(), []);
    }

    pub(crate) fn facts(&mut self, container: &Container) -> EndpointFacts {
        let facts = self.with(Plane::endpoints).unwrap();
        facts[&container.id].clone()
    }

    /// A network, `10.1.N.0/24` and `fd00:N::/64`, with its gateway at 254.
    pub(crate) fn network(&mut self, number: u32, tenant: u32, third: u8) {
        let spec = NetworkSpec {
            tenant,
            subnet: format!("10.1.{third}.0/24").parse().unwrap(),
            gateway: Some(Ipv4Addr::new(10, 1, third, 254)),
            ipv6_subnet: Some(format!("fd00:{third}::/64").parse().unwrap()),
            ipv6_gateway: Some(format!("fd00:{third}::fe").parse().unwrap()),
            mtu: 1500,
            vni: 0,
            refuses: false,
            of_hosts: false,
            unreachable_from_host: false,
        };
        self.desired.networks.insert(number, spec);
    }

    /// What an endpoint of a network with this last byte of its address is.
    pub(crate) fn spec(&self, network: u32, last: u8, group: u32) -> EndpointSpec {
        let net = &self.desired.networks[&network];
        let [a, b, c, _] = net.subnet.network().octets();
        let v6 = net.ipv6_subnet.map(|subnet| {
            let bits = u128::from(subnet.network()) | u128::from(last);
            Ipv6Addr::from(bits)
        });
        EndpointSpec {
            tenant: net.tenant,
            network,
            group,
            ipv4: Ipv4Addr::new(a, b, c, last),
            ipv6: v6,
            mac: [0x02, 0x02, a, b, c, last],
        }
    }

    pub(crate) fn fresh_id(&mut self) -> String {
        self.count += 1;
        format!("{:08x}{:056x}", self.count, 0xabc)
    }

    /// Makes an endpoint and a container that uses it, as an engine would.
    pub(crate) fn container(&mut self, network: u32, last: u8, group: u32) -> Container {
        let (id, spec) = (self.fresh_id(), self.spec(network, last, group));
        self.with(|plane| plane.add_endpoint(&id, &spec)).unwrap();
        self.desired.local.insert(id.clone(), spec.clone());
        self.try_apply();
        let netns = Netns::new().unwrap();
        self.move_in(&id, &netns, &spec);
        Container { id, netns, spec }
    }

    /// An interface of the host's own in a network, from the next time that it applies.
    pub(crate) fn foothold(&mut self, name: &str, network: u32, last: u8) {
        let spec = self.spec(network, last, 0);
        let id = format!("{}:{name}@{}", spec.tenant, self.address);
        self.desired.footholds.insert(id.clone(), name.to_owned());
        self.desired.local.insert(id, spec);
    }

    /// The endpoint's id of an interface of the host's own.
    pub(crate) fn id_of(&self, name: &str) -> String {
        let mut all = self.desired.footholds.iter();
        all.find(|(_, of)| *of == name).unwrap().0.clone()
    }

    fn move_in(&self, id: &str, netns: &Netns, spec: &EndpointSpec) {
        let (_, link) = link_names(id);
        let fd = netns.as_fd().as_raw_fd();
        let there = format!("/proc/{}/fd/{fd}", std::process::id());
        self.netns
            .ip(&format!("link set {link} netns {there}"))
            .unwrap();
        let network = &self.desired.networks[&spec.network];
        let mut lines = vec![
            format!("link set {link} name eth0"),
            format!(
                "addr add {}/{} dev eth0",
                spec.ipv4,
                network.subnet.prefix_len()
            ),
            "link set eth0 up".to_owned(),
        ];
        if let Some(gateway) = network.gateway {
            lines.push(format!("route add default via {gateway}"));
        }
        if let (Some(ip), Some(subnet)) = (spec.ipv6, network.ipv6_subnet) {
            lines.push(format!(
                "addr add {ip}/{} dev eth0 nodad",
                subnet.prefix_len()
            ));
            if let Some(gateway) = network.ipv6_gateway {
                lines.push(format!("-6 route add default via {gateway}"));
            }
        }
        for line in lines {
            netns.ip(&line).unwrap();
        }
    }

    /// Sets a tenant's groups, each with the policy of its own name, and rules.
    pub(crate) fn policy(&mut self, tenant: u32, groups: &[u32], rules: Vec<PolicyRule>) {
        let policies = |group: &u32| (*group, BTreeSet::from([group.to_string()]));
        let policy = TenantPolicy {
            groups: groups.iter().map(policies).collect::<BTreeMap<_, _>>(),
            rules: rules.into_iter().map(Arc::new).collect(),
            ..TenantPolicy::default()
        };
        self.desired.tenants.get_mut(&tenant).unwrap().policy = policy;
    }
}

impl Container {
    pub(crate) fn ip(&self) -> IpAddr {
        self.spec.ipv4.into()
    }

    pub(crate) fn ipv6(&self) -> IpAddr {
        self.spec.ipv6.unwrap().into()
    }

    /// Both addresses.
    pub(crate) fn ips(&self) -> [IpAddr; 2] {
        [self.ip(), self.ipv6()]
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        (self.ip(), port).into()
    }

    /// Whether this one's pings to an address are all answered.
    pub(crate) fn pings(&self, target: IpAddr) -> bool {
        self.netns.ping(target, 2).unwrap().all()
    }

    pub(crate) fn reaches(&self, target: SocketAddr) -> Reach {
        self.netns.tcp_connect(target, SHORT).unwrap()
    }
}

/// A rule of the policy of `group`: what members receive.
pub(crate) fn incoming(number: u32, group: u32, priority: u32, action: Action) -> PolicyRule {
    PolicyRule {
        priority,
        ..PolicyRule::new(number, &group.to_string(), Direction::In, action)
    }
}
