use contiv_datapath::PathFacts;

use super::*;

const FAR: &str = "198.51.100.12";

fn facts() -> Inspection {
    let address = FAR.parse().unwrap();
    let path = PathFacts { address, mtu: None };
    Inspection {
        underlay: Some(UnderlayFacts {
            address: "198.51.100.11".parse().unwrap(),
            port: 4789,
            link: "eth0".into(),
            mtu: 1500,
            tunnel: true,
            checksums: Some(true),
            paths: BTreeMap::from([("far".to_owned(), path)]),
        }),
        ..Inspection::default()
    }
}

fn ways(small: bool, large: bool, heard: bool) -> Ways {
    let way = Way {
        address: FAR.parse().unwrap(),
        small,
        large,
        heard,
    };
    Ways {
        hailed: true,
        peers: BTreeMap::from([("far".to_owned(), way)]),
    }
}

/// What is open, of which there is one.
fn open(facts: &Inspection, ways: &Ways) -> Finding {
    let mut open: Vec<Finding> = judge(facts, ways);
    open.retain(Finding::is_open);
    assert_eq!(open.len(), 1, "{open:?}");
    open.remove(0)
}

#[test]
fn who_is_reached_by_large_packets_is_well() {
    let all = judge(&facts(), &ways(true, true, false));
    assert!(!all.iter().any(Finding::is_open), "{all:?}");
    let checks: Vec<&str> = all.iter().map(|f| &*f.check).collect();
    assert_eq!(checks, ["tunnel", "tunnel-port", "path-mtu"]);
}

#[test]
fn who_is_not_reached_is_named_with_the_port_and_the_remedy() {
    let both = open(&facts(), &ways(false, false, false));
    assert_eq!((&*both.check, &*both.subject), ("tunnel-port", "far"));
    assert_eq!(both.severity, Severity::Error);
    for part in ["198.51.100.11", FAR, "4789"] {
        assert!(
            both.what.contains(part) && both.remedy.contains(part),
            "{both:?}"
        );
    }
    let one = open(&facts(), &ways(false, false, true));
    assert!(one.what.contains("arrives here"), "{one:?}");
}

#[test]
fn a_narrow_path_is_named_with_what_passes() {
    let mut narrow = facts();
    let silent = open(&narrow, &ways(true, false, false));
    assert_eq!(
        (&*silent.check, silent.severity),
        ("path-mtu", Severity::Warning)
    );
    let underlay = narrow.underlay.as_mut().unwrap();
    underlay.paths.get_mut("far").unwrap().mtu = Some(1400);
    let known = open(&narrow, &ways(true, false, false));
    assert!(
        known.what.contains("1400") && known.remedy.contains("1400"),
        "{known:?}"
    );
}

#[test]
fn a_rule_that_drops_is_an_error_where_packets_are_lost() {
    let mut closed = facts();
    closed.drops.push(DropRule {
        table: "inet fw".into(),
        chain: "in".into(),
        rule: "udp dport 4789 drop # handle 7".into(),
    });
    let harmless = open(&closed, &ways(true, true, false));
    assert_eq!(harmless.severity, Severity::Warning);
    assert_eq!(harmless.remedy, "nft delete rule inet fw in handle 7");
    let all = judge(&closed, &ways(false, false, false));
    let rule = all.iter().find(|f| f.check == "tunnel-firewall").unwrap();
    assert_eq!(rule.severity, Severity::Error);
    closed.drops[0].rule = "policy drop".into();
    let strict = open(&closed, &ways(true, true, false));
    assert_eq!(
        strict.remedy,
        "nft insert rule inet fw in udp dport 4789 accept"
    );
}

#[test]
fn a_host_without_an_end_is_an_error_only_with_other_hosts() {
    let alone = judge(&Inspection::default(), &Ways::default());
    assert!(!alone.iter().any(Finding::is_open));
    let peers = BTreeMap::from([("far".to_owned(), FAR.parse().unwrap())]);
    let none = open(&Inspection::default(), &Ways::unknown(&peers));
    assert!(none.remedy.contains("--vtep-ip"));
    let mut down = facts();
    down.underlay.as_mut().unwrap().tunnel = false;
    assert!(
        open(&down, &ways(true, true, false))
            .remedy
            .contains("4789")
    );
}

#[test]
fn checksums_that_go_wrong_now_are_an_error() {
    let facts = facts();
    let judge = |underlay: Option<&UnderlayFacts>, before, after| {
        let mut found = judge_checksums(underlay, before, after);
        assert!(found.len() <= 1);
        found.pop().map(|finding| finding.severity)
    };
    let underlay = facts.underlay.as_ref();
    assert_eq!(judge(underlay, 7, 7), Some(Severity::Ok));
    assert_eq!(judge(underlay, 7, 8), Some(Severity::Error));
    let mut off = facts.underlay.clone().unwrap();
    off.checksums = Some(false);
    assert_eq!(judge(Some(&off), 7, 7), Some(Severity::Warning));
    assert_eq!(judge(None, 0, 9), None);
}
