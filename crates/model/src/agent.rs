//! What a host and a master say to each other, as versioned messages.
//!
//! Paths, below `/agent/v1/hosts/{host}` on the master:
//!
//! | call | body → answer |
//! | --- | --- |
//! | `POST register` | [`Register`] → [`Registered`] |
//! | `GET stream?after=E.N` | lines of JSON, each a [`StreamMessage`] |
//! | `POST addresses` | [`AddressRequest`] → [`AddressGrant`] |
//! | `POST addresses/release` | [`AddressRelease`] → `{}` |
//! | `PUT endpoints/{id}` | [`EndpointRequest`] → [`EndpointGrant`] |
//! | `DELETE endpoints/{id}` | → `{}` |
//! | `PUT`, `GET`, `DELETE docker-networks/{id}` | [`DockerNetwork`] |
//! | `POST status` | [`HostStatus`] → [`Reported`] |
//! | `POST progress` | [`Progress`] → [`Reported`] |
//! | `POST hits` | [`HitsReport`] → [`Reported`] |
//! | `POST events` | [`EventBatch`] → [`Reported`] |
//! | `GET questions` | lines of JSON, each an [`Asked`] |
//! | `POST answers/{id}` | [`Answer`] → `{}` |

mod address;
mod event;
mod foothold;
mod hits;
mod host;
mod mac;
mod policy;
mod question;
mod revision;
mod skew;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

pub use address::{
    AddressGrant, AddressRelease, AddressRequest, Asker, DockerNetwork, PoolRef, SwarmLife,
};
pub use event::{EventBatch, EventEnd, EventKind, FabricEvent};
pub use foothold::{Foothold, LINK_NAME, WAY_OF_HOSTS};
pub use hits::{HitsReport, RuleTotals, Totals};
pub use host::HostView;
pub use mac::Mac;
pub use policy::{
    Action, AddressRange, DEFAULT_ORDER, DefaultAction, Direction, LAST_ORDER, PolicyView,
    PortRange, RuleView, Tier,
};
pub use question::{
    Answer, Asked, DoctorAnswer, DoctorQuestion, OpeningAnswer, OpeningQuestion, Peer, Question,
    TableOutcome, TableVerdict,
};
pub use revision::Revision;
pub use skew::{STREAM_VERSION, Versions};

/// First words of a host after its start or the master's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    /// The latest version of these messages that the agent speaks.
    pub stream_version: u32,
    /// The earliest one; the latest if it says none.
    #[serde(default)]
    pub oldest_stream_version: Option<u32>,
    pub agent_version: String,
    /// Changes with each boot of the host.
    pub boot_id: String,
    /// Prefixes that the host uses for itself: addresses, routes, other Docker networks.
    /// A network that overlaps one is refused at creation.
    pub taken: Vec<TakenPrefix>,
    /// Where the other hosts send what is for endpoints here; none when the host has no
    /// address that others could reach.
    #[serde(default)]
    pub tunnel: Option<IpAddr>,
    /// Largest packet, in bytes, of the link that leads to the other hosts.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Where people and masters find the host.
    #[serde(default)]
    pub control: Option<IpAddr>,
    /// The UDP port that the agent was told to use; the fabric's if it was told none.
    #[serde(default)]
    pub vxlan_port: Option<u16>,
}

/// A prefix in use on a host by something that is not Contiv's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenPrefix {
    pub prefix: ipnet::IpNet,
    /// Who uses it, for people: `address of eth0`, `route via eth0`, `docker network bridge`.
    pub by: String,
}

/// The master's answer to [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    pub master_version: String,
    pub revision: Revision,
    /// As in [`Reported::life`].
    #[serde(default)]
    pub life: String,
    /// The master takes [`Progress`].
    #[serde(default)]
    pub progress: bool,
}

/// The master's answer to reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reported {
    /// Changes when the master starts, which makes it forget what hosts have said. Empty when it
    /// does not know the host, which is then to register.
    pub life: String,
}

/// One line of the stream to a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum StreamMessage {
    /// Everything the host needs; replaces what it knew.
    Snapshot {
        revision: Revision,
        objects: Vec<HostObject>,
    },
    /// The next change, whole: a host applies all of it or none.
    Change {
        revision: Revision,
        put: Vec<HostObject>,
        delete: Vec<ObjectRef>,
    },
    /// Nothing new; sent at least every ten seconds so that a dead master is noticed.
    Bookmark { revision: Revision },
    /// Of a later version, and left out.
    #[serde(other)]
    Unknown,
}

/// Names an object of the stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    pub kind: ObjectKind,
    /// The object's REST key; an endpoint's id; a Docker network's id.
    pub key: String,
}

/// The kinds of objects that hosts are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectKind {
    Global,
    Tenant,
    Network,
    Group,
    Rule,
    Endpoint,
    DockerNetwork,
    Policy,
    Host,
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

/// An object as hosts see it: parsed, numbered, with references resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum HostObject {
    Global(GlobalView),
    Tenant(TenantView),
    Network(NetworkView),
    Group(GroupView),
    Rule(RuleView),
    Endpoint(EndpointView),
    DockerNetwork(DockerNetwork),
    Policy(PolicyView),
    /// Another host that holds endpoints of a tenant which this one knows.
    Host(HostView),
    /// Of a later version, see [`StreamMessage::forget_unknown`].
    #[serde(other)]
    Unknown,
}

impl HostObject {
    /// The name under which a later change replaces or deletes this object.
    pub fn object_ref(&self) -> ObjectRef {
        let (kind, key) = match self {
            HostObject::Global(_) => (ObjectKind::Global, "global".to_owned()),
            HostObject::Tenant(t) => (ObjectKind::Tenant, t.name.clone()),
            HostObject::Network(n) => (ObjectKind::Network, format!("{}:{}", n.tenant, n.name)),
            HostObject::Group(g) => (ObjectKind::Group, format!("{}:{}", g.tenant, g.name)),
            HostObject::Rule(r) => (
                ObjectKind::Rule,
                format!("{}:{}:{}", r.tenant, r.policy, r.id),
            ),
            HostObject::Endpoint(e) => (ObjectKind::Endpoint, e.id.clone()),
            HostObject::DockerNetwork(d) => (ObjectKind::DockerNetwork, d.id.clone()),
            HostObject::Policy(p) => (ObjectKind::Policy, format!("{}:{}", p.tenant, p.name)),
            HostObject::Host(h) => (ObjectKind::Host, h.name.clone()),
            HostObject::Unknown => (ObjectKind::Unknown, String::new()),
        };
        ObjectRef { kind, key }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForwardMode {
    Bridge,
    Routing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GlobalView {
    pub forward_mode: ForwardMode,
    pub pvt_subnet: Ipv4Net,
    /// The UDP port at which hosts expect what others send for their endpoints.
    #[serde(default = "default_vxlan_port")]
    pub vxlan_port: u16,
    /// Requests for addresses that no host can answer go to all of a network.
    #[serde(default)]
    pub flood: bool,
}

/// The port that IANA gave to VXLAN.
pub const DEFAULT_VXLAN_PORT: u16 = 4789;

fn default_vxlan_port() -> u16 {
    DEFAULT_VXLAN_PORT
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    pub uid: String,
    pub name: String,
    /// 1 to 65535; leads every key of the data plane. Tenant `default` has 1.
    pub number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encap {
    Vlan,
    Vxlan,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkView {
    pub uid: String,
    pub tenant: String,
    pub name: String,
    /// A global resource, from 1; never that of another living network.
    pub number: u32,
    pub infra: bool,
    pub encap: Encap,
    pub tag: u32,
    pub subnet: Ipv4Net,
    pub gateway: Option<Ipv4Addr>,
    pub ipv6_subnet: Option<Ipv6Net>,
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// By which a Swarm's networks name it.
    #[serde(default)]
    pub network_tag: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    pub uid: String,
    pub tenant: String,
    pub name: String,
    /// A global resource, from 1 to 65535, not used again until the others are spent.
    pub number: u32,
    pub network: String,
    /// By which a Swarm's networks name it.
    #[serde(default)]
    pub group_tag: String,
    pub policies: Vec<String>,
    /// What becomes of a connection to a member that no rule of its policies decides.
    #[serde(default)]
    pub default_action_in: DefaultAction,
    /// The same for a connection that a member opens.
    #[serde(default)]
    pub default_action_out: DefaultAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    pub id: String,
    pub tenant: String,
    pub network: String,
    pub group: Option<String>,
    pub host: String,
    pub ipv4: Ipv4Addr,
    pub ipv6: Option<Ipv6Addr>,
    pub mac: Mac,
}

impl EndpointView {
    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        std::iter::once(IpAddr::from(self.ipv4)).chain(self.ipv6.map(IpAddr::from))
    }
}

/// Makes an endpoint, or answers again for the same one. Addresses that were
/// granted become bound to it; absent ones are allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointRequest {
    pub pool: PoolRef,
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    pub mac: Option<Mac>,
    /// An endpoint of the same host that ends with this, whose addresses the new one has:
    /// one that was made while no master could be reached takes the old one's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Whether it is a Swarm's task, whose address the manager has reserved.
    #[serde(default)]
    pub of_swarm: bool,
    /// Whether it comes into being now. One that lives already, and that masters are told of
    /// again, has had its addresses before.
    #[serde(default)]
    pub begins: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointGrant {
    pub endpoint: EndpointView,
    /// A host that has applied this revision enforces all that guards the endpoint.
    pub revision: Revision,
}

/// What a host reports: periodically, and at once when something changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostStatus {
    /// Everything up to this revision is in the kernel.
    pub applied: Revision,
    /// Keys of networks (`tenant:name`) and groups that have their Docker network here.
    pub realised: Vec<ObjectRef>,
    /// What hinders an object here; replaces this host's earlier report.
    pub problems: Vec<Problem>,
    /// What the host knows of its endpoints, by endpoint id; the whole set.
    pub endpoints: BTreeMap<String, EndpointStatus>,
    /// As in [`Register::taken`], when it changed.
    pub taken: Option<Vec<TakenPrefix>>,
}

/// What a host reports when nothing else has changed since the last status that this master took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// As in [`HostStatus::applied`].
    pub applied: Revision,
}

/// Something on a host that stands in an object's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub object: ObjectRef,
    /// A word for programs: `NameTaken`, `SubnetTaken`, `EngineUnreachable`.
    pub reason: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointStatus {
    pub container_id: String,
    pub container_name: String,
    pub labels: BTreeMap<String, String>,
    /// The host's end of the link.
    pub interface: String,
    /// The address of the private subnet, unique on the host.
    pub private_address: Option<Ipv4Addr>,
    /// Dropped packets by reason.
    pub drops: BTreeMap<String, u64>,
}
