//! Pools: which network a Docker network's addresses come from.

use serde_json::{Value, json};

use crate::rig::Rig;

fn pool(subnet: &str, options: Value) -> Value {
    json!({"AddressSpace": "contiv-local", "Pool": subnet, "SubPool": "", "Options": options, "V6": false})
}

#[test]
fn a_pool_is_named_by_options_or_by_its_subnet() {
    let rig = Rig::new();
    for (options, id) in [
        (json!({"network": "net"}), "default/net|v4"),
        (
            json!({"tenant": "default", "network": "net"}),
            "default/net|v4",
        ),
        (json!({"tenant": "blue", "network": "net"}), "blue/net|v4"),
        (json!({"group": "web"}), "default/net/web|v4"),
        (
            json!({"network": "net", "group": "web"}),
            "default/net/web|v4",
        ),
    ] {
        // Host bits are the user's handwriting.
        for subnet in ["10.1.2.0/24", "10.1.2.77/24"] {
            let answer = rig.ok("IpamDriver.RequestPool", pool(subnet, options.clone()));
            assert_eq!(answer, json!({"PoolID": id, "Pool": "10.1.2.0/24"}));
        }
    }
    for options in [json!({}), json!(null)] {
        let answer = rig.ok("IpamDriver.RequestPool", pool("10.9.0.0/24", options));
        assert_eq!(answer["Pool"], "10.9.0.0/24");
    }
    let six = json!({"V6": true, "Options": {"network": "six"}, "Pool": "2001:db8:4::/64"});
    let answer = rig.ok("IpamDriver.RequestPool", six);
    assert_eq!(
        answer,
        json!({"PoolID": "default/six|v6", "Pool": "2001:db8:4::/64"})
    );
}

#[test]
fn pools_that_make_no_sense_are_refused() {
    let rig = Rig::new();
    let sub =
        json!({"Pool": "10.1.2.0/24", "SubPool": "10.1.2.0/28", "Options": {"network": "net"}});
    let six = json!({"V6": true, "Options": {"network": "net"}});
    for (body, reason) in [
        // An engine that may take any pool asks again for ever: it wants none that the host has
        // a route to.
        (
            pool("", json!({"network": "net"})),
            "give --subnet 10.1.2.0/24",
        ),
        (pool("", json!({})), "which Contiv network"),
        (pool("", json!(null)), "which Contiv network"),
        (json!({}), "which Contiv network"),
        (pool("", json!({"network": "gone"})), "gone"),
        (
            pool("", json!({"tenant": "gone", "network": "net"})),
            "gone",
        ),
        (pool("", json!({"network": "net", "group": "gone"})), "gone"),
        (
            pool("", json!({"network": "bare", "group": "web"})),
            "belongs to network net",
        ),
        (
            pool("", json!({"tenant": "blue"})),
            "without network or group",
        ),
        (
            pool("10.1.9.0/24", json!({"network": "net"})),
            "10.1.2.0/24",
        ),
        (
            pool("10.1.2.0/25", json!({"network": "net"})),
            "10.1.2.0/24",
        ),
        (pool("nonsense", json!({})), "nonsense"),
        (
            pool("", json!({"network": "net", "colour": "red"})),
            "colour",
        ),
        (sub, "--ip-range"),
        (six, "no IPv6 subnet"),
    ] {
        rig.refused("IpamDriver.RequestPool", body, reason);
    }
}

#[test]
fn both_drivers_must_be_told_the_same() {
    let rig = Rig::new();
    let asked = pool("10.1.2.0/24", json!({"network": "net"}));
    rig.ok("IpamDriver.RequestPool", asked);
    let create = |options: Value| {
        json!({"NetworkID": "dn", "Options": {"com.docker.network.generic": options},
            "IPv4Data": [{"Pool": "10.1.2.0/24", "Gateway": "10.1.2.254/24"}]})
    };
    let other = "say the same to the network driver";
    rig.refused("NetworkDriver.CreateNetwork", create(json!({})), other);
    let blue = json!({"tenant": "blue", "network": "net"});
    rig.refused("NetworkDriver.CreateNetwork", create(blue), other);
    rig.ok(
        "NetworkDriver.CreateNetwork",
        create(json!({"network": "net"})),
    );
}

#[test]
fn gateways_belong_to_the_network() {
    let rig = Rig::new();
    let ask = |pool: &str, address: &str| {
        json!({"PoolID": pool, "Address": address,
            "Options": {"RequestAddressType": "com.docker.network.gateway"}})
    };
    for (pool, wish, answer) in [
        ("default/net|v4", "", "10.1.2.254/24"),
        ("default/net|v4", "10.1.2.254", "10.1.2.254/24"),
        ("default/net/web|v4", "10.1.2.254", "10.1.2.254/24"),
        ("blue/net|v4", "", "10.1.2.254/24"),
        ("default/six|v6", "", "2001:db8:4::fe/64"),
        // The engine insists on one; this one is no container's, and Join says that there is none.
        ("default/bare|v4", "", "10.1.3.0/24"),
        // A network that is about to be made has the gateway that it is given.
        ("10.9.0.0/24", "", "10.9.0.1/24"),
        ("10.9.0.0/24", "10.9.0.9", "10.9.0.9/24"),
    ] {
        for _ in 0..2 {
            let given = rig.ok("IpamDriver.RequestAddress", ask(pool, wish));
            assert_eq!(given, json!({"Address": answer}), "{pool} {wish}");
        }
    }
    for (pool, wish, reason) in [
        ("default/net|v4", "10.1.2.1", "10.1.2.254"),
        ("default/bare|v4", "10.1.3.1", "has no gateway"),
        ("10.9.0.0/24", "10.8.0.1", "10.8.0.1"),
    ] {
        rig.refused("IpamDriver.RequestAddress", ask(pool, wish), reason);
    }
    // Releasing it, as each Docker network of the pool does when it goes, frees nothing.
    let release = json!({"PoolID": "default/net|v4", "Address": "10.1.2.254"});
    rig.ok("IpamDriver.ReleaseAddress", release);
    let wish = json!({"PoolID": "default/net|v4", "Address": "10.1.2.254", "Options": null});
    rig.refused("IpamDriver.RequestAddress", wish, "10.1.2.254");
}

#[test]
fn a_subnet_without_options_makes_a_network_that_goes_with_it() {
    let rig = Rig::new();
    let asked = rig.ok("IpamDriver.RequestPool", pool("10.9.0.0/24", json!({})));
    let id = asked["PoolID"].as_str().unwrap();
    let create = json!({"NetworkID": "abcdef0123456789", "Options": {},
        "IPv4Data": [{"Pool": "10.9.0.0/24", "Gateway": "10.9.0.1/24",
            "AuxAddresses": {"router": "10.9.0.2/24"}}], "IPv6Data": []});
    rig.ok("NetworkDriver.CreateNetwork", create.clone());
    rig.ok("NetworkDriver.CreateNetwork", create);
    let made = rig.api("GET", "/api/v1/networks/default:docker-abcdef012345/", None);
    assert_eq!(
        (made.status, &made.body["gateway"]),
        (200, &json!("10.9.0.1")),
        "{}",
        made.text
    );
    // Gateway and auxiliary address are nobody else's.
    assert_eq!(rig.address(id), "10.9.0.3/24");
    rig.ok(
        "IpamDriver.ReleaseAddress",
        json!({"PoolID": id, "Address": "10.9.0.3"}),
    );
    rig.ok(
        "NetworkDriver.DeleteNetwork",
        json!({"NetworkID": "abcdef0123456789"}),
    );
    let gone = rig.api("GET", "/api/v1/networks/default:docker-abcdef012345/", None);
    assert_eq!(gone.status, 404);
    rig.soon_held(&[]);
}
