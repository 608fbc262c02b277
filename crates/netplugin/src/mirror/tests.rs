//! The mirror and what it asks of the kernel.

use contiv_model::agent::*;

use std::sync::Arc;

use super::{Mirror, Remotes, Surroundings, Touched, desired, endpoint_spec};

pub(crate) fn tenant(name: &str, number: u32) -> HostObject {
    HostObject::Tenant(TenantView {
        uid: format!("uid-{name}"),
        name: name.into(),
        number,
    })
}

pub(crate) fn network(tenant: &str, name: &str, number: u32, subnet: &str) -> HostObject {
    HostObject::Network(NetworkView {
        uid: format!("uid-{tenant}-{name}"),
        tenant: tenant.into(),
        name: name.into(),
        number,
        infra: false,
        encap: Encap::Vxlan,
        tag: number,
        subnet: subnet.parse().unwrap(),
        gateway: None,
        ipv6_subnet: None,
        ipv6_gateway: None,
        network_tag: String::new(),
    })
}

pub(crate) fn group(tenant: &str, name: &str, number: u32, network: &str) -> HostObject {
    HostObject::Group(GroupView {
        uid: format!("uid-{tenant}-{name}"),
        tenant: tenant.into(),
        name: name.into(),
        number,
        network: network.into(),
        group_tag: String::new(),
        policies: vec!["p".into()],
        default_action_in: DefaultAction::Allow,
        default_action_out: DefaultAction::Allow,
    })
}

fn endpoint(id: &str, tenant: &str, group: Option<&str>, host: &str) -> HostObject {
    HostObject::Endpoint(EndpointView {
        id: id.into(),
        tenant: tenant.into(),
        network: "net".into(),
        group: group.map(Into::into),
        host: host.into(),
        ipv4: "10.1.2.1".parse().unwrap(),
        ipv6: None,
        mac: Mac::of_ipv4("10.1.2.1".parse().unwrap()),
    })
}

fn at(number: u64) -> Revision {
    Revision { epoch: 1, number }
}

fn here() -> Surroundings {
    Surroundings {
        host: "h1".into(),
        mtu: 1500,
        ..Surroundings::default()
    }
}

fn mirror(objects: Vec<HostObject>) -> Mirror {
    let mut mirror = Mirror::default();
    mirror.apply(StreamMessage::Snapshot {
        revision: at(1),
        objects,
    });
    mirror
}

#[test]
fn a_snapshot_replaces_a_change_adds_and_removes_a_bookmark_moves_on() {
    let mut m = mirror(vec![tenant("default", 1), tenant("blue", 2)]);
    m.apply(StreamMessage::Change {
        revision: at(2),
        put: vec![tenant("red", 3)],
        delete: vec![tenant("blue", 2).object_ref()],
    });
    let names: Vec<&str> = m.tenants().map(|t| t.name.as_str()).collect();
    assert_eq!((names, m.revision()), (vec!["default", "red"], at(2)));
    m.apply(StreamMessage::Bookmark { revision: at(9) });
    assert_eq!((m.tenants().count(), m.revision()), (2, at(9)));
    m.apply(StreamMessage::Snapshot {
        revision: at(12),
        objects: vec![tenant("default", 1)],
    });
    assert_eq!((m.tenants().count(), m.revision()), (1, at(12)));
}

#[test]
fn an_object_put_and_deleted_in_one_change_is_the_new_one() {
    let mut m = mirror(vec![network("default", "net", 1, "10.1.2.0/24")]);
    m.apply(StreamMessage::Change {
        revision: at(2),
        put: vec![network("default", "net", 7, "10.1.3.0/24")],
        delete: vec![network("default", "net", 1, "10.1.2.0/24").object_ref()],
    });
    assert_eq!(m.network("default", "net").unwrap().number, 7);
}

#[test]
fn only_endpoints_of_this_host_that_are_not_going_are_local() {
    let m = mirror(vec![
        tenant("default", 1),
        network("default", "net", 4, "10.1.2.0/24"),
        group("default", "web", 5, "net"),
        endpoint("a", "default", None, "h1"),
        endpoint("b", "default", Some("web"), "h1"),
        endpoint("c", "default", None, "h2"),
        endpoint("d", "default", None, "h1"),
    ]);
    let mut around = here();
    around.gone.insert("d".into());
    let wanted = desired(&m, &around).desired;
    let ids: Vec<&str> = wanted.local.keys().map(String::as_str).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!((wanted.local["a"].group, wanted.local["b"].group), (0, 5));
    assert_eq!(wanted.networks[&4].mtu, 1450);
    assert_eq!(wanted.tenants[&1].policy.groups.len(), 1);
}

#[test]
fn an_endpoint_whose_group_is_unknown_is_not_let_in_without_it() {
    let m = mirror(vec![
        tenant("default", 1),
        network("default", "net", 4, "10.1.2.0/24"),
    ]);
    let HostObject::Endpoint(orphan) = endpoint("a", "default", Some("web"), "h1") else {
        unreachable!()
    };
    assert!(endpoint_spec(&m, &orphan).is_none());
}

#[test]
fn rules_and_groups_stay_with_their_tenant() {
    let m = mirror(vec![
        tenant("default", 1),
        tenant("blue", 2),
        group("default", "web", 5, "net"),
        group("blue", "web", 6, "net"),
    ]);
    let wanted = desired(&m, &here()).desired;
    assert_eq!(
        wanted.tenants[&1].policy.groups.keys().collect::<Vec<_>>(),
        [&5]
    );
    assert_eq!(
        wanted.tenants[&2].policy.groups.keys().collect::<Vec<_>>(),
        [&6]
    );
    assert!(wanted.tenants[&1].is_default && !wanted.tenants[&2].is_default);
}

#[test]
fn a_network_on_a_prefix_of_the_hosts_own_gets_no_route_and_a_reason() {
    let taken = |prefix: &str| TakenPrefix {
        prefix: prefix.parse().unwrap(),
        by: "eth0".into(),
    };
    let m = mirror(vec![
        tenant("default", 1),
        tenant("blue", 2),
        network("default", "net", 4, "10.1.2.0/24"),
        network("default", "other", 5, "10.9.0.0/16"),
        network("blue", "net", 6, "10.1.2.0/24"),
    ]);
    let mut around = here();
    around.taken = vec![taken("0.0.0.0/0"), taken("10.1.0.0/16")];
    let wanted = desired(&m, &around);
    assert!(wanted.desired.networks[&4].unreachable_from_host);
    assert!(!wanted.desired.networks[&5].unreachable_from_host);
    assert!(
        !wanted.desired.networks[&6].unreachable_from_host,
        "no routes for other tenants"
    );
    assert_eq!(wanted.problems.len(), 1);
    assert_eq!(wanted.problems[0].object.key, "default:net");
    assert!(wanted.problems[0].message.contains("eth0"));
}

#[test]
fn a_subnet_is_found_in_tenant_default_alone() {
    let m = mirror(vec![
        network("blue", "net", 6, "10.1.2.0/24"),
        network("default", "mine", 4, "10.1.3.0/24"),
    ]);
    assert!(
        m.network_with_subnet("10.1.2.0/24".parse().unwrap())
            .is_none()
    );
    assert_eq!(
        m.network_with_subnet("10.1.3.0/24".parse().unwrap())
            .unwrap()
            .name,
        "mine"
    );
}

fn follow(remotes: &mut Remotes, mirror: &mut Mirror) {
    let touched = mirror.take_touched();
    remotes.follow(mirror, touched, "h1");
}

/// What a look at everything comes to.
fn anew(mirror: &Mirror) -> Remotes {
    let mut remotes = Remotes::default();
    remotes.follow(mirror, Touched::All, "h1");
    remotes
}

#[test]
fn endpoints_of_other_hosts_are_followed_one_by_one_and_end_up_as_a_whole_look_says() {
    let mut m = mirror(vec![
        tenant("default", 1),
        network("default", "net", 4, "10.1.2.0/24"),
        endpoint("here", "default", None, "h1"),
        endpoint("there", "default", None, "h2"),
        endpoint("early", "default", Some("web"), "h2"),
    ]);
    let mut remotes = Remotes::default();
    follow(&mut remotes, &mut m);
    let ids = |remotes: &Remotes| remotes.specs().keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&remotes), ["there"], "no group is known yet");

    let changes = [
        (vec![group("default", "web", 5, "net")], vec![]),
        (vec![endpoint("more", "default", None, "h3")], vec![]),
        (vec![], vec![endpoint("there", "default", None, "h2")]),
        (vec![endpoint("more", "default", None, "h1")], vec![]),
    ];
    let expected = [
        vec!["early", "there"],
        vec!["early", "more", "there"],
        vec!["early", "more"],
        vec!["early"],
    ];
    for (n, ((put, delete), expected)) in (2..).zip(changes.into_iter().zip(expected)) {
        let delete = delete.iter().map(HostObject::object_ref).collect();
        let revision = at(n);
        m.apply(StreamMessage::Change {
            revision,
            put,
            delete,
        });
        follow(&mut remotes, &mut m);
        assert_eq!(ids(&remotes), expected);
        assert_eq!(remotes.specs(), anew(&m).specs());
    }
}

#[test]
fn what_did_not_change_is_handed_over_as_it_was() {
    let mut m = mirror(vec![
        tenant("default", 1),
        network("default", "net", 4, "10.1.2.0/24"),
        endpoint("there", "default", None, "h2"),
    ]);
    let mut remotes = Remotes::default();
    follow(&mut remotes, &mut m);
    let before = remotes.specs();
    m.apply(StreamMessage::Change {
        revision: at(2),
        put: vec![
            endpoint("there", "default", None, "h2"),
            group("default", "web", 5, "net"),
        ],
        delete: vec![],
    });
    follow(&mut remotes, &mut m);
    assert!(Arc::ptr_eq(&before, &remotes.specs()));
}

#[test]
fn other_hosts_are_met_at_their_tunnels_by_what_all_links_take() {
    let host = |name: &str, last: u8, mtu| {
        HostObject::Host(HostView {
            name: name.into(),
            tunnel: [192, 0, 2, last].into(),
            mtu,
        })
    };
    let global = HostObject::Global(GlobalView {
        forward_mode: ForwardMode::Bridge,
        pvt_subnet: "172.19.0.0/16".parse().unwrap(),
        vxlan_port: 8472,
        flood: true,
    });
    let m = mirror(vec![
        global,
        tenant("default", 1),
        network("default", "net", 4, "10.1.2.0/24"),
        host("h2", 2, Some(9000)),
        host("h3", 3, Some(1400)),
        host("h4", 4, None),
    ]);
    let alone = desired(&m, &here()).desired;
    assert_eq!(alone.underlay, None);
    let around = Surroundings {
        tunnel: Some([192, 0, 2, 1].into()),
        ..here()
    };
    let wanted = desired(&m, &around).desired;
    let underlay = wanted.underlay.unwrap();
    assert_eq!((underlay.udp_port, underlay.mtu), (8472, Some(1400)));
    assert_eq!(wanted.hosts.len(), 3);
    assert_eq!(wanted.networks[&4].vni, 4);
    assert!(wanted.flood);
}
