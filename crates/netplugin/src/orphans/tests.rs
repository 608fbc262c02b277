use contiv_model::agent::{HostObject, Revision, StreamMessage};

use super::*;

const OLD: &str = "old";

fn endpoint(id: &str) -> EndpointView {
    EndpointView {
        id: id.into(),
        tenant: "default".into(),
        network: "net".into(),
        group: None,
        host: "h1".into(),
        ipv4: [10, 1, 0, 1].into(),
        ipv6: None,
        mac: Mac([2; 6]),
    }
}

fn mirror(endpoints: &[&str]) -> Mirror {
    let mut mirror = Mirror::default();
    let known = endpoints
        .iter()
        .map(|id| HostObject::Endpoint(endpoint(id)));
    mirror.apply(StreamMessage::Snapshot {
        revision: Revision::default(),
        objects: known.collect(),
    });
    mirror
}

fn pool() -> PoolRef {
    PoolRef {
        tenant: "default".into(),
        network: "net".into(),
        group: None,
    }
}

fn departing() -> BTreeSet<String> {
    [OLD.to_owned()].into()
}

fn address() -> IpAddr {
    endpoint(OLD).ipv4.into()
}

fn replaceable(orphans: &Orphans, mirror: &Mirror) -> Option<String> {
    let old = orphans.replaceable(mirror, "h1", &pool(), None, &departing());
    old.map(|old| old.id)
}

#[test]
fn an_address_is_used_again_by_one_and_only_until_masters_have_given_it() {
    let (orphans, mirror) = (Orphans::default(), mirror(&[OLD]));
    assert_eq!(replaceable(&orphans, &mirror).as_deref(), Some(OLD));
    orphans.replace("first", &endpoint(OLD), None);
    assert_eq!(replaceable(&orphans, &mirror), None);
    // Its container starts once more.
    orphans.forget("first");
    assert_eq!(replaceable(&orphans, &mirror).as_deref(), Some(OLD));
    // Masters have heard of the old one's end, and given its address to another container here.
    let given = orphans.given(&mirror, &departing(), &pool(), address());
    assert_eq!(given, None);
    assert_eq!(replaceable(&orphans, &mirror), None);
}

#[test]
fn what_masters_give_is_told_to_be_somebodys_until_they_know_it() {
    let (orphans, before) = (Orphans::default(), mirror(&[OLD]));
    assert!(!orphans.are_untold(&before));
    orphans.replace("new", &endpoint(OLD), None);
    let given = |mirror: &Mirror| orphans.given(mirror, &departing(), &pool(), address());
    assert!(orphans.are_untold(&before));
    assert_eq!(given(&before).as_deref(), Some("new"));
    let elsewhere = PoolRef {
        network: "other".into(),
        ..pool()
    };
    assert_eq!(orphans.holder(&elsewhere, address()), None);
    assert!(!orphans.are_untold(&mirror(&["new"])));
    orphans.forget("new");
    assert!(!orphans.are_untold(&before));
    assert_eq!(orphans.holder(&pool(), address()), None);
}
