//! A host with a data plane and nothing above it, and tenants of two containers each.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, Map, MapData};
use contiv_datapath::program::Row;
use contiv_datapath::spec::{Desired, EndpointSpec, NetworkSpec, TenantSpec, link_names};
use contiv_datapath::{Attach, Options, Plane};
use contiv_datapath_abi::maps;
use contiv_datapath_abi::tenant::Tenant;
use contiv_policy::TenantPolicy;
use contiv_testbed::{Host, Netns, World};

use crate::load::Ends;
use crate::rules::GROUP;

/// How often the tenant's row is looked at while a change is awaited.
const LOOK: Duration = Duration::from_micros(20);

pub(crate) struct Site {
    _world: Arc<World>,
    host: Host,
    pub(crate) netns: Netns,
    /// On the underlay.
    pub(crate) address: Ipv4Addr,
    plane: Plane,
    pub(crate) desired: Desired,
    endpoints: u32,
}

/// How long a change took, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// Until packets meet it.
    pub(crate) flip: f64,
    /// Until nothing of what it replaced is left, a grace period included.
    pub(crate) whole: f64,
}

impl Site {
    pub(crate) fn new() -> Result<Site> {
        Site::beside(&Arc::new(World::new()?))
    }

    /// As [`new`](Self::new), on an underlay that may have other hosts.
    pub(crate) fn beside(world: &Arc<World>) -> Result<Site> {
        let host = Host::new("bench-site")?;
        let address = world.attach(&host)?;
        let netns = host.netns()?;
        let options = Options {
            pin_dir: host.path("/sys/fs/bpf/contiv"),
            attach: Attach::Auto,
        };
        let plane = netns.enter(|| Plane::open(&options))??;
        Ok(Site {
            _world: Arc::clone(world),
            host,
            netns,
            address,
            plane,
            desired: Desired::default(),
            // Ids are unique among hosts, too.
            endpoints: u32::from(address.octets()[3]) << 16,
        })
    }

    /// A tenant with a network; all tenants' networks have the same addresses.
    pub(crate) fn tenant(&mut self, number: u32, policy: TenantPolicy) -> Result<()> {
        let tenant = TenantSpec {
            is_default: false,
            policy,
        };
        self.desired.tenants.insert(number, tenant);
        let network = NetworkSpec {
            tenant: number,
            subnet: "10.1.1.0/24".parse().context("a subnet")?,
            gateway: Some(Ipv4Addr::new(10, 1, 1, 254)),
            ipv6_subnet: None,
            ipv6_gateway: None,
            mtu: 1500,
            vni: 0,
            unreachable_from_host: false,
            refuses: false,
            of_hosts: false,
        };
        self.desired.networks.insert(number, network);
        self.apply()
    }

    /// The tenant's rules, to be changed before [`change`](Self::change).
    pub(crate) fn policy(&mut self, tenant: u32) -> Result<&mut TenantPolicy> {
        let tenant = self
            .desired
            .tenants
            .get_mut(&tenant)
            .context("no such tenant")?;
        Ok(&mut tenant.policy)
    }

    pub(crate) fn apply(&mut self) -> Result<()> {
        let (plane, desired) = (&mut self.plane, &self.desired);
        let lacks = self.netns.enter(|| plane.apply(desired))??;
        ensure!(lacks.is_empty(), "{lacks:?}");
        Ok(())
    }

    /// Applies what has been changed of a tenant, and times it.
    pub(crate) fn change(&mut self, tenant: u32) -> Result<Took> {
        let pinned = find(&self.host.path("/sys/fs/bpf/contiv"), maps::TENANTS);
        let pinned = MapData::from_pin(pinned.context("the tenants' map is not pinned")?)?;
        let tenants = Array::<_, Row<Tenant>>::try_from(Map::Array(pinned))?;
        let before = tenants.get(&tenant, 0)?.0.generation;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| -> Result<Option<Instant>> {
                loop {
                    let done = over.load(Ordering::Relaxed);
                    if tenants.get(&tenant, 0)?.0.generation != before {
                        return Ok(Some(Instant::now()));
                    }
                    if done {
                        return Ok(None);
                    }
                    pause(LOOK);
                }
            });
            let begin = Instant::now();
            let applied = self.apply();
            let whole = begin.elapsed().as_secs_f64() * 1e3;
            over.store(true, Ordering::Relaxed);
            let flip = watcher
                .join()
                .map_err(|_| anyhow::anyhow!("the watcher panicked"))?;
            applied?;
            let flip = flip?.context("the tenant's generation did not change")?;
            let flip = flip.saturating_duration_since(begin).as_secs_f64() * 1e3;
            Ok(Took { flip, whole })
        })
    }

    /// Two containers of a tenant, both in the group.
    pub(crate) fn ends(&mut self, tenant: u32) -> Result<Ends> {
        let client = self.container(tenant, 1)?;
        let server = self.container(tenant, 2)?;
        Ok(Ends {
            client,
            server,
            target: [10, 1, 1, 2].into(),
        })
    }

    /// A container with this last byte of its address.
    pub(crate) fn container(&mut self, tenant: u32, last: u8) -> Result<Netns> {
        let id = self.comes(tenant, last)?;
        self.apply()?;
        let (netns, (_, link)) = (Netns::new()?, link_names(&id));
        let there = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            netns.as_fd().as_raw_fd()
        );
        self.netns.ip(&format!("link set {link} netns {there}"))?;
        netns.ip(&format!("link set {link} name eth0"))?;
        netns.ip(&format!("addr add 10.1.1.{last}/24 dev eth0"))?;
        netns.ip("link set eth0 up")?;
        Ok(netns)
    }

    /// Adds an endpoint that no container holds yet, and answers with its id.
    pub(crate) fn comes(&mut self, tenant: u32, last: u8) -> Result<String> {
        self.endpoints += 1;
        let id = format!("{:08x}{:056x}", self.endpoints, 0xabc);
        let spec = EndpointSpec {
            tenant,
            network: tenant,
            group: GROUP,
            ipv4: Ipv4Addr::new(10, 1, 1, last),
            ipv6: None,
            mac: [2, 2, tenant as u8, 1, 1, last],
        };
        let plane = &mut self.plane;
        self.netns.enter(|| plane.add_endpoint(&id, &spec))??;
        self.desired.local.insert(id.clone(), spec);
        Ok(id)
    }

    /// Removes an endpoint.
    pub(crate) fn goes(&mut self, id: &str) -> Result<()> {
        self.desired.local.remove(id);
        let plane = &mut self.plane;
        Ok(self.netns.enter(|| plane.remove_endpoint(id))??)
    }

    /// Bytes that the kernel has set aside for the maps of policies.
    pub(crate) fn policy_memory(&self) -> Result<u64> {
        let dir = self.host.path("/sys/fs/bpf/contiv");
        let names = maps::ALL.into_iter().map(|(name, _)| name);
        let mut total = 0;
        for name in names.filter(|name| name.starts_with("pol_")) {
            let map = MapData::from_pin(find(&dir, name).context("a map is not pinned")?)?;
            let fd = map.fd().as_fd().as_raw_fd();
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
            let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
            total += line.context("no memlock")?.trim().parse::<u64>()?;
        }
        Ok(total)
    }
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let path = entry.path();
        let found = match path.is_dir() {
            true => find(&path, name),
            false => (path.file_name()? == name).then_some(path),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[allow(
    clippy::disallowed_methods,
    reason = "the pause of a loop that polls; the testbed's is too long to time with"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
