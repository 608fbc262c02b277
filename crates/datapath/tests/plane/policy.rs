//! Policies of groups, and their changes under running connections.

use std::io::{Read, Write};
use std::net::TcpStream;

use contiv_datapath::{Attach, Cause, Subject};
use contiv_policy::{Action, PolicyRule};
use contiv_testbed::{Reach, wait_for};

use crate::both_ways;
use crate::site::{BLUE, Container, DEFAULT, LONG, SHORT, Site, incoming};

const DB: u32 = 5;

both_ways!(
    only_the_open_port_is_open,
    a_revoked_rule_cuts_what_it_allowed,
    an_unrelated_change_leaves_connections_alone,
    a_refused_policy_changes_nothing_and_stops_nobody_else,
    a_tenant_with_nothing_in_force_stays_closed,
);

/// Members of the group receive TCP at this port and nothing else.
fn only_port(port: u16) -> Vec<PolicyRule> {
    let allow = PolicyRule {
        protocol: Some(6),
        port: Some(port),
        ..incoming(17, DB, 10, Action::Allow)
    };
    vec![incoming(16, DB, 1, Action::Deny), allow]
}

fn only_the_open_port_is_open(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], only_port(8000));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    for ip in db.ips() {
        let open = db.netns.tcp_echo((ip, 8000).into()).unwrap();
        let shut = db.netns.tcp_echo((ip, 8001).into()).unwrap();
        assert_eq!(client.reaches(open.address()), Reach::Open, "{ip}");
        assert_eq!(client.reaches(shut.address()), Reach::Filtered, "{ip}");
        assert!(!client.pings(ip), "{ip}");
        // The host is a peer without a group.
        let of_host = |port| site.netns.tcp_connect((ip, port).into(), SHORT).unwrap();
        assert_eq!(of_host(8000), Reach::Open, "{ip}");
        assert_eq!(of_host(8001), Reach::Filtered, "{ip}");
    }
    // Answers need no rule.
    let echo = client.netns.tcp_echo(client.at(9000)).unwrap();
    assert_eq!(db.reaches(echo.address()), Reach::Open);
    assert!(site.facts(&client).drops["policy-in"] > 0);

    site.policy(DEFAULT, &[DB], Vec::new());
    site.apply();
    assert!(client.pings(db.ip()), "without rules all is allowed");
}

/// Sends a word and awaits it back.
fn speaks(stream: &mut TcpStream) -> bool {
    let mut word = [0; 4];
    stream.set_read_timeout(Some(SHORT)).unwrap();
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut word).is_ok()
}

fn a_revoked_rule_cuts_what_it_allowed(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], only_port(8000));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let echo = db.netns.tcp_echo(db.at(8000)).unwrap();
    let mut stream = client.netns.tcp_open(echo.address(), SHORT).unwrap();
    assert!(speaks(&mut stream));

    site.policy(DEFAULT, &[DB], only_port(8001));
    site.apply();
    assert!(!speaks(&mut stream), "the connection is cut");
    assert_eq!(client.reaches(echo.address()), Reach::Filtered);

    site.policy(DEFAULT, &[DB], only_port(8000));
    site.apply();
    let mut again = client.netns.tcp_open(echo.address(), SHORT).unwrap();
    assert!(speaks(&mut again));
}

fn an_unrelated_change_leaves_connections_alone(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], only_port(8000));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let echo = db.netns.tcp_echo(db.at(8000)).unwrap();
    let mut stream = client.netns.tcp_open(echo.address(), SHORT).unwrap();
    for port in 9000..9010 {
        let mut rules = only_port(8000);
        rules.push(PolicyRule {
            protocol: Some(17),
            port: Some(port),
            ..incoming(18, DB, 10, Action::Allow)
        });
        site.policy(DEFAULT, &[DB], rules);
        site.apply();
        assert!(speaks(&mut stream), "after the change to port {port}");
    }
}

/// A neighbour that was asked for in vain is asked for again by and by.
fn soon_pings(from: &Container, to: &Container) {
    let pings = || from.pings(to.ip()).then_some(()).ok_or("silence");
    wait_for(LONG, "an answer", pings).unwrap();
}

/// Rules that the compiler refuses.
fn refused(number: u32) -> Vec<PolicyRule> {
    vec![PolicyRule {
        priority: 1000,
        ..incoming(number, DB, 1, Action::Deny)
    }]
}

fn a_refused_policy_changes_nothing_and_stops_nobody_else(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, BLUE, 3);
    site.policy(DEFAULT, &[DB], only_port(8000));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let echo = db.netns.tcp_echo(db.at(8000)).unwrap();
    site.policy(DEFAULT, &[DB, 6], refused(19));
    let lacks = site.try_apply();
    assert_eq!(lacks.len(), 1, "{lacks:?}");
    assert_eq!(
        (&lacks[0].subject, lacks[0].cause),
        (&Subject::Tenant(DEFAULT), Cause::Policy)
    );
    assert!(lacks[0].message.contains("rule 19") && lacks[0].message.contains("priority 1000"));
    assert_eq!(client.reaches(echo.address()), Reach::Open);
    assert!(!client.pings(db.ip()));
    // What the old policy knows may begin under it; of a group that it does not know, nobody may.
    let late = site.container(1, 3, DB);
    assert!(!client.pings(late.ip()));
    assert!(late.pings(client.ip()));
    let unknown = site.container(1, 4, 6);
    assert!(!unknown.pings(client.ip()));
    let of_unknown = Subject::Endpoint(unknown.id.clone());
    assert!(
        site.try_apply()
            .iter()
            .any(|lack| lack.subject == of_unknown)
    );
    let (blue, other) = (site.container(2, 1, 0), site.container(2, 2, 0));
    assert!(blue.pings(other.ip()), "another tenant is not concerned");

    // An agent that knows the refused policy only leaves in force what it finds.
    site.stop();
    site.start();
    assert_eq!(site.try_apply().len(), 2);
    assert_eq!(client.reaches(echo.address()), Reach::Open);
    assert!(!client.pings(db.ip()));

    site.policy(DEFAULT, &[DB, 6], only_port(8001));
    site.apply();
    assert_eq!(client.reaches(echo.address()), Reach::Filtered);
    soon_pings(&unknown, &client);
}

fn a_tenant_with_nothing_in_force_stays_closed(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.network(2, BLUE, 3);
    site.policy(BLUE, &[DB], refused(20));
    let (shut, out) = (site.container(2, 1, 0), site.container(2, 2, 0));
    assert!(!shut.pings(out.ip()));
    let lacks = site.try_apply();
    let subjects: Vec<&Subject> = lacks.iter().map(|lack| &lack.subject).collect();
    let closed = |end: &Container| Subject::Endpoint(end.id.clone());
    assert_eq!(
        subjects,
        [&Subject::Tenant(BLUE), &closed(&shut), &closed(&out)]
    );
    assert!(lacks.iter().all(|lack| lack.message.contains("rule 20")));
    let (a, b) = (site.container(1, 1, 0), site.container(1, 2, 0));
    assert!(a.pings(b.ip()));
    site.policy(BLUE, &[DB], Vec::new());
    site.apply();
    soon_pings(&shut, &out);
}
