//! Who is there, and everything that they ask each other.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use contiv_testbed::{Ask, Reach, World};

use super::answers::Miss;

/// Ports that everybody answers on.
pub(super) const PORTS: [u16; 2] = [80, 81];

/// Tenant, name, group at the beginning, last byte of both addresses.
pub(super) const ACTORS: [(usize, &str, &str, u8); 7] = [
    (0, "w1", "web", 11),
    (0, "w2", "web", 12),
    (0, "d1", "db", 21),
    (0, "n1", "-", 31),
    (1, "bw1", "web", 11),
    (1, "bd1", "db", 21),
    (1, "bn1", "-", 31),
];

/// The host, and whom the host meets as itself.
const HOST: &str = "host";
const WORLD: &str = "world";

/// A question, and who is asked.
pub(super) struct Question {
    /// Position in the cast.
    pub(super) from: usize,
    to: &'static str,
    /// Position in the cast; none for the world.
    pub(super) target: Option<usize>,
    pub(super) ask: Ask,
}

impl Question {
    pub(super) fn missed(&self, is: Reach) -> Miss {
        let target = target(&self.ask);
        let family = if target.is_ipv6() { "6" } else { "" };
        let what = match self.ask {
            Ask::Tcp(_) => format!("tcp{family}:{}", target.port()),
            Ask::Udp(_, None) => format!("udp{family}:{}", target.port()),
            Ask::Udp(_, Some(_)) => format!("talk:{}", target.port()),
            Ask::Ping(_) => format!("ping{family}"),
        };
        let from = ACTORS.get(self.from).map_or(HOST, |actor| actor.1);
        Miss {
            from: from.to_owned(),
            to: self.to.to_owned(),
            what,
            is,
        }
    }
}

/// Every pair of a tenant, everybody and the world, the host and its own tenant; by every protocol,
/// port and family, and one conversation that goes on from step to step.
pub(super) fn questions_of_all() -> Vec<Question> {
    let mut all = Vec::new();
    for (from, (tenant, name, ..)) in ACTORS.into_iter().enumerate() {
        for (index, (_, other, _, last)) in ACTORS.into_iter().enumerate() {
            if ACTORS[index].0 != tenant || other == name {
                continue;
            }
            let (to, target) = (other, Some(index));
            for ip in addresses(last) {
                all.extend(asks_of(ip).map(|ask| Question {
                    from,
                    to,
                    target,
                    ask,
                }));
            }
            let ask = Ask::Udp(
                (addresses(last)[0], 80).into(),
                Some(4000 + u16::from(last)),
            );
            all.push(Question {
                from,
                to,
                target,
                ask,
            });
        }
        let (to, target) = (WORLD, None);
        all.extend(asks_of(World::ADDRESS.into()).map(|ask| Question {
            from,
            to,
            target,
            ask,
        }));
    }
    let ours = ACTORS
        .into_iter()
        .enumerate()
        .filter(|(_, actor)| actor.0 == 0);
    for (index, (_, to, _, last)) in ours {
        let (from, target) = (ACTORS.len(), Some(index));
        all.extend(asks_of(addresses(last)[0]).map(|ask| Question {
            from,
            to,
            target,
            ask,
        }));
    }
    all
}

fn asks_of(ip: IpAddr) -> impl Iterator<Item = Ask> {
    let ports = PORTS.into_iter().map(move |port| SocketAddr::new(ip, port));
    let ports = ports.flat_map(|address| [Ask::Tcp(address), Ask::Udp(address, None)]);
    ports.chain([Ask::Ping(ip)])
}

pub(super) fn target(ask: &Ask) -> SocketAddr {
    match *ask {
        Ask::Tcp(target) | Ask::Udp(target, _) => target,
        Ask::Ping(ip) => (ip, 0).into(),
    }
}

pub(super) fn addresses(last: u8) -> [IpAddr; 2] {
    // As people write them: the same digits in both families.
    let v6 = Ipv6Addr::new(
        0xfd00,
        1,
        0,
        0,
        0,
        0,
        0,
        u16::from(last / 10 * 16 + last % 10),
    );
    [IpAddr::from([10, 1, 0, last]), v6.into()]
}
