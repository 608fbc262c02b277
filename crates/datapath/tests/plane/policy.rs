//! Policies of groups, and their changes under running connections.

use std::io::{Read, Write};
use std::net::TcpStream;

use contiv_datapath::Attach;
use contiv_policy::{Action, PolicyRule};
use contiv_testbed::Reach;

use crate::both_ways;
use crate::site::{DEFAULT, SHORT, Site, incoming};

const DB: u32 = 5;

both_ways!(
    only_the_open_port_is_open,
    a_revoked_rule_cuts_what_it_allowed,
    an_unrelated_change_leaves_connections_alone,
    a_policy_that_is_too_large_changes_nothing,
);

/// Members of the group receive TCP at this port and nothing else.
fn only_port(port: u16) -> Vec<PolicyRule> {
    let allow = PolicyRule {
        protocol: Some(6),
        ports: vec![port.into()],
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
            ports: vec![port.into()],
            ..incoming(18, DB, 10, Action::Allow)
        });
        site.policy(DEFAULT, &[DB], rules);
        site.apply();
        assert!(speaks(&mut stream), "after the change to port {port}");
    }
}

fn a_policy_that_is_too_large_changes_nothing(attach: Attach) {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], only_port(8000));
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let echo = db.netns.tcp_echo(db.at(8000)).unwrap();
    let bad = PolicyRule {
        priority: 1000,
        ..incoming(19, DB, 1, Action::Deny)
    };
    site.policy(DEFAULT, &[DB], vec![bad]);
    let error = site.try_apply().unwrap_err().to_string();
    assert!(error.contains("priority 1000"), "{error}");
    assert_eq!(client.reaches(echo.address()), Reach::Open);
    assert!(!client.pings(db.ip()));
}
