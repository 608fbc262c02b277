//! Hails take the way that endpoints' packets take, and no other.

use contiv_datapath::{Attach, Hail, HailKind, Hailer, Plane};
use contiv_testbed::wait_for;

use crate::both_ways;
use crate::pair::{A, B, PORT, Pair};
use crate::site::{DEFAULT, LONG, Site};

both_ways!(
    a_hail_arrives_and_is_answered,
    a_port_that_is_closed_lets_no_hail_in,
    the_largest_hail_is_as_large_as_the_path,
);

fn hailer(pair: &Pair, host: usize) -> Hailer {
    let end = pair.ends[host];
    let opened = pair.sites[host].netns.enter(|| Hailer::open(end, PORT));
    opened.unwrap().unwrap()
}

fn hear(site: &Site, hailer: &Hailer) -> Option<Hail> {
    let heard = wait_for(LONG / 5, "a hail", || {
        let heard = site.netns.enter(|| hailer.hear()).unwrap();
        heard.ok_or("nothing is heard")
    });
    heard.ok()
}

fn start(attach: Attach) -> (Pair, [Hailer; 2]) {
    let mut pair = Pair::new(attach);
    pair.network(1, DEFAULT, 2);
    pair.sync();
    let hailers = [A, B].map(|host| hailer(&pair, host));
    (pair, hailers)
}

fn a_hail_arrives_and_is_answered(attach: Attach) {
    let (mut pair, [a, b]) = start(attach);
    a.ask(pair.ends[B], 77, 0).unwrap();
    let asked = hear(&pair.sites[B], &b).unwrap();
    let from = |host: usize, kind| Hail {
        from: pair.ends[host],
        kind,
        nonce: 77,
    };
    assert_eq!(asked, from(A, HailKind::Ask));
    b.answer(&asked).unwrap();
    let answered = hear(&pair.sites[A], &a).unwrap();
    assert_eq!(answered, from(B, HailKind::Answer));
    // What the kernel of the other host says of itself, at the other link, is dropped for other reasons.
    let drops = pair.sites[B].with(|plane: &mut Plane| plane.stray_drops());
    let drops = drops.unwrap();
    for reason in ["unknown-protocol", "unknown-vni", "tunnel-source"] {
        assert_eq!(drops.get(reason), None, "a hail is no stray packet");
    }
    let path = pair.sites[A]
        .with(Plane::inspect)
        .unwrap()
        .underlay
        .unwrap();
    assert_eq!(
        (path.port, path.link.as_str(), path.tunnel),
        (PORT, "eth0", true)
    );
}

fn a_port_that_is_closed_lets_no_hail_in(attach: Attach) {
    let (mut pair, [a, b]) = start(attach);
    let site = &pair.sites[B];
    for line in [
        "nft add table inet fw",
        "nft add chain inet fw in { type filter hook input priority 0; }",
        &format!("nft add rule inet fw in udp dport {PORT} drop"),
    ] {
        site.netns.run(line).unwrap();
    }
    a.ask(pair.ends[B], 1, 0).unwrap();
    assert_eq!(hear(&pair.sites[B], &b), None);
    let drops = pair.sites[B].with(Plane::inspect).unwrap().drops;
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert_eq!((&*drops[0].table, &*drops[0].chain), ("inet fw", "in"));
    // The other way is open.
    b.ask(pair.ends[A], 2, 0).unwrap();
    assert!(hear(&pair.sites[A], &a).is_some());
}

fn the_largest_hail_is_as_large_as_the_path(attach: Attach) {
    let (pair, [a, b]) = start(attach);
    a.ask(pair.ends[B], 1, 1500).unwrap();
    assert!(hear(&pair.sites[B], &b).is_some());
    let too_big = a.ask(pair.ends[B], 2, 1501).unwrap_err();
    assert_eq!(too_big.raw_os_error(), Some(libc::EMSGSIZE));
    pair.world.netns().ip("link set underlay mtu 1400").unwrap();
    for port in ["host11", "host12"] {
        let line = format!("link set {port} mtu 1400");
        pair.world.netns().ip(&line).unwrap();
    }
    a.ask(pair.ends[B], 3, 1500).ok();
    assert_eq!(hear(&pair.sites[B], &b), None);
}
