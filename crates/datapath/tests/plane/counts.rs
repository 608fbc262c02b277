//! What rules count, and the table of connections as the agent sees it.

use std::net::{SocketAddr, UdpSocket};

use contiv_datapath::{Attach, Plane, RuleTotals};
use contiv_policy::{Action, PolicyRule};

use crate::both_ways;
use crate::site::{Container, DEFAULT, Site, incoming};

const DB: u32 = 5;
const DENY: u32 = 16;
/// Bytes of a datagram, and of its headers.
const PAYLOAD: usize = 100;
const BYTES: u64 = PAYLOAD as u64 + 28;

both_ways!(
    rules_count_exactly_what_they_decide_about,
    rows_go_with_their_endpoints_and_counts_stay,
);

/// Members of the group receive UDP at 5000 by the rule of this number, and nothing else.
fn by_rule(number: u32) -> Vec<PolicyRule> {
    let allow = PolicyRule {
        protocol: Some(17),
        ports: vec![5000.into()],
        ..incoming(number, DB, 10, Action::Allow)
    };
    vec![incoming(DENY, DB, 1, Action::Deny), allow]
}

fn totals(site: &mut Site, rule: u32) -> (u64, u64, u64) {
    let all = site.with(Plane::rule_totals).unwrap();
    let RuleTotals { enforced, .. } = all.get(&rule).copied().unwrap_or_default();
    (enforced.packets, enforced.bytes, enforced.connections)
}

/// A client's port, which stays its own.
struct Client(UdpSocket);

impl Client {
    fn new(container: &Container) -> Client {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        Client(
            container
                .netns
                .enter(|| UdpSocket::bind(any))
                .unwrap()
                .unwrap(),
        )
    }

    fn sends(&self, count: usize, to: SocketAddr) {
        for _ in 0..count {
            assert_eq!(self.0.send_to(&[0; PAYLOAD], to).unwrap(), PAYLOAD);
        }
    }
}

fn rules_count_exactly_what_they_decide_about(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], by_rule(17));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    // Somebody listens, or there would be errors in answer.
    let bind = || UdpSocket::bind(db.at(5000)).unwrap();
    let _server = db.netns.enter(bind).unwrap();
    let (one, other) = (Client::new(&client), Client::new(&client));
    let before = totals(&mut site, DENY);

    one.sends(50, db.at(5000));
    other.sends(7, db.at(5000));
    assert_eq!(totals(&mut site, 17), (57, 57 * BYTES, 2));
    one.sends(3, db.at(5001));
    let denied = totals(&mut site, DENY);
    // Neighbours of IPv6 and their like are denied as well, at times of their own.
    assert!(denied.0 >= before.0 + 3 && denied.1 >= before.1 + 3 * BYTES);
    assert!(denied.2 > before.2);

    // Another agent takes over, and an earlier one's counts with it.
    site.stop();
    one.sends(5, db.at(5000));
    site.start();
    assert_eq!(totals(&mut site, 17), (62, 62 * BYTES, 2));
    site.apply();

    // Another rule takes over: what was before stays the first one's.
    site.policy(DEFAULT, &[DB], by_rule(18));
    site.apply();
    one.sends(11, db.at(5000));
    assert_eq!(totals(&mut site, 17), (62, 62 * BYTES, 2));
    assert_eq!(totals(&mut site, 18), (11, 11 * BYTES, 1));
}

fn rows_go_with_their_endpoints_and_counts_stay(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], by_rule(17));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let bind = || UdpSocket::bind(db.at(5000)).unwrap();
    let _server = db.netns.enter(bind).unwrap();
    for _ in 0..20 {
        Client::new(&client).sends(2, db.at(5000));
    }
    let usage = site.with(Plane::flow_use).unwrap();
    let used = usage.used[&DEFAULT];
    assert!((20..usage.share).contains(&used), "{usage:?}");
    assert!(usage.share <= usage.rows && usage.crowded.is_empty());
    let counted = totals(&mut site, 17);
    assert_eq!((counted.0, counted.2), (40, 20));

    site.desired.local.remove(&client.id);
    site.with(|plane| plane.remove_endpoint(&client.id))
        .unwrap();
    // The walk begins when an agent does.
    site.stop();
    site.start();
    site.with(Plane::tick).unwrap();
    let usage = site.with(Plane::flow_use).unwrap();
    let left = usage.used.get(&DEFAULT).copied().unwrap_or_default();
    assert!(left <= used - 20, "{left} of {used}");
    assert_eq!(totals(&mut site, 17), counted);
    // And once more, by what the next agent counts itself.
    site.stop();
    site.start();
    let usage = site.with(Plane::flow_use).unwrap();
    assert!(usage.used.get(&DEFAULT).copied().unwrap_or_default() <= left);
    assert_eq!(totals(&mut site, 17), counted);
}
