//! What is told of packets, and what the kernel's tables say when they are asked.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use aya::maps::{Array, HashMap, MapData};
use contiv_datapath::program::Row;
use contiv_datapath::{Attach, EventReader, Plane};
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::event::{End, Event, EventKind, Limits};
use contiv_datapath_abi::maps;
use contiv_datapath_abi::policy::{Decision, DecisionKey, Sides, Verdict};
use contiv_policy::{Action, Beginning, PolicyRule, evaluate_reference};
use contiv_testbed::{Reach, wait_for};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::both_ways;
use crate::site::{DEFAULT, LONG, Site, incoming};

const DB: u32 = 5;

both_ways!(
    drops_are_told_while_they_happen_and_after_the_agent_was_away,
    a_question_is_answered_as_packets_are,
    a_row_that_somebody_changed_shows,
);

/// Members receive TCP at 8000, which is told, and nothing else.
fn rules() -> Vec<PolicyRule> {
    let allow = PolicyRule {
        protocol: Some(6),
        ports: vec![8000.into()],
        log: true,
        ..incoming(17, DB, 10, Action::Allow)
    };
    vec![incoming(16, DB, 1, Action::Deny), allow]
}

fn site(attach: Attach) -> Site {
    let mut site = Site::new(attach);
    site.network(1, DEFAULT, 2);
    site.policy(DEFAULT, &[DB], rules());
    site
}

/// Waits as an agent does, by the reader's descriptor, for the first event that is such.
fn await_event(reader: &mut EventReader, is_it: impl Fn(&Event) -> bool) -> Event {
    let deadline = Instant::now() + LONG;
    loop {
        while let Some(event) = reader.next_event() {
            if is_it(&event) {
                return event;
            }
        }
        assert!(Instant::now() < deadline, "no such event");
        let mut watched = [PollFd::from_borrowed_fd(reader.as_fd(), PollFlags::IN)];
        let patience = Timespec::try_from(Duration::from_secs(1)).unwrap();
        poll(&mut watched, Some(&patience)).unwrap();
    }
}

fn drops_are_told_while_they_happen_and_after_the_agent_was_away(attach: Attach) {
    let mut site = site(attach);
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let mut reader = site.with(|plane| plane.events()).unwrap();
    let to = |port: u16| {
        move |event: &Event| {
            event.kind == EventKind::Drop as u8 && event.key.destination_port == port
        }
    };
    assert_eq!(client.reaches(db.at(8001)), Reach::Filtered);
    let event = await_event(&mut reader, to(8001));
    assert_eq!(event.reason, Reason::PolicyIn as u8);
    assert_eq!((event.key.tenant, event.accepter_rule), (DEFAULT, 16));
    let name = |plane: &mut Plane, end: End| plane.endpoint_at(end).map(str::to_owned);
    let ends = site.with(|plane| (name(plane, event.sender), name(plane, event.target)));
    assert_eq!(ends, (Some(client.id.clone()), Some(db.id.clone())));
    drop(reader);

    // The ring keeps what happens while nobody reads.
    site.stop();
    assert_eq!(client.reaches(db.at(8002)), Reach::Filtered);
    site.start();
    let mut reader = site.with(|plane| plane.events()).unwrap();
    await_event(&mut reader, to(8002));

    // What was suppressed of an endpoint is not told of who has its slot next.
    let map = MapData::from_pin(
        site.options
            .pin_dir
            .join("v2/maps")
            .join(maps::EVENT_LIMITS),
    );
    let map = aya::maps::Map::Array(map.unwrap());
    let mut map = Array::<_, Row<Limits>>::try_from(map).unwrap();
    let mut limits = Limits::default();
    limits.0[EventKind::Drop as usize].suppressed = 5;
    map.set(event.sender.slot, Row(limits), 0).unwrap();
    let untold = reader.untold().unwrap();
    assert_eq!(untold.get(&EventKind::Drop), Some(&5));

    // Nobody's name outlives its endpoint.
    site.with(|plane| plane.remove_endpoint(&client.id))
        .unwrap();
    assert_eq!(site.with(|plane| name(plane, event.sender)), None);
    assert_eq!(reader.untold().unwrap().len(), 0);
}

fn beginning(from: IpAddr, to: IpAddr, port: u16) -> Beginning {
    Beginning {
        tenant: DEFAULT,
        from,
        to,
        by_host: false,
        protocol: 6,
        port,
    }
}

fn a_question_is_answered_as_packets_are(attach: Attach) {
    let mut site = site(attach);
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let policy = site.desired.tenants[&DEFAULT].policy.clone();
    for (from, to) in client.ips().into_iter().zip(db.ips()) {
        let echo = db.netns.tcp_echo((to, 8000).into()).unwrap();
        for (port, reach) in [(8000, Reach::Open), (8001, Reach::Filtered)] {
            let ask = beginning(from, to, port);
            let before = site.with(|plane| plane.ask(&ask)).unwrap();
            assert_eq!(before.course.is_open(), reach == Reach::Open, "{before:?}");
            let (query, verdict) = before.course.receiving.unwrap();
            assert_eq!(verdict, evaluate_reference(&policy, &query));
            assert_eq!((query.root, query.subject_group), (before.root, DB));
            assert_ne!((before.root, before.generation), (0, 0));
            let (source, target) = (before.from.unwrap(), before.to.unwrap());
            assert_eq!(source.id.as_deref(), Some(client.id.as_str()));
            assert_eq!(target.id.as_deref(), Some(db.id.as_str()));
            assert_eq!((source.group, target.group), (0, DB));
            assert!(source.open && target.open);
            assert_eq!(before.connections, []);

            assert_eq!(client.reaches((to, port).into()), reach);
            let after = site.with(|plane| plane.ask(&ask)).unwrap();
            let found = &after.connections[..];
            let [connection] = found else {
                panic!("{found:?}");
            };
            let denied = (reach != Reach::Open).then_some(Reason::PolicyIn);
            assert_eq!(connection.denied, denied);
            assert_eq!(connection.accepter_rule, verdict.rule);
            assert_eq!(connection.generation, after.generation);
            assert!(connection.idle < LONG, "{:?}", connection.idle);
            assert!(connection.packets > 0 && connection.bytes >= 40 * connection.packets);
        }
        drop(echo);
    }
    // What nobody has leads nowhere.
    let nobody = beginning(client.ip(), "10.1.2.99".parse().unwrap(), 80);
    let finding = site.with(|plane| plane.ask(&nobody)).unwrap();
    assert_eq!(finding.course.way, Err(Reason::UnknownAddress));
    assert_eq!(finding.to, None);
}

fn a_row_that_somebody_changed_shows(attach: Attach) {
    let mut site = site(attach);
    let (client, db) = (site.container(1, 1, 0), site.container(1, 2, DB));
    let ask = beginning(client.ip(), db.ip(), 8000);
    let policy = site.desired.tenants[&DEFAULT].policy.clone();
    let sides = |site: &mut Site| -> (Verdict, Verdict) {
        let finding = site.with(|plane| plane.ask(&ask)).unwrap();
        let (query, verdict) = finding.course.receiving.unwrap();
        (verdict, evaluate_reference(&policy, &query))
    };
    let (kernel, rules) = sides(&mut site);
    assert_eq!(kernel, rules);

    let pin = site.options.pin_dir.join("v2/maps");
    let map = MapData::from_pin(pin.join(maps::POLICY_DECISIONS)).unwrap();
    let map = aya::maps::Map::HashMap(map);
    let mut map = HashMap::<_, Row<DecisionKey>, Row<Sides<Decision>>>::try_from(map).unwrap();
    let rows: Vec<_> = map.iter().map(Result::unwrap).collect();
    let denial = Decision::new(0, 99, Action::Deny, 666);
    for (key, Row(sides)) in rows {
        if sides.left.rule() == 17 {
            map.insert(key, Row(Sides::both(denial)), 0).unwrap();
        }
    }
    let (kernel, rules) = sides(&mut site);
    assert_eq!((kernel.action, kernel.rule), (Action::Deny, 666));
    assert_eq!((rules.action, rules.rule), (Action::Allow, 17));
    let shut = || match client.reaches(db.at(8000)) {
        Reach::Filtered => Ok(()),
        reach => Err(format!("{reach:?}")),
    };
    wait_for(LONG, "packets to meet the same row", shut).unwrap();
}
