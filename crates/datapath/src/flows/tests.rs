use super::*;

/// A connection: when each direction was seen, and what it has sent.
fn flow(forward: (u32, u8), reply: (u32, u8)) -> Flow {
    let mut flow = Flow::NONE;
    flow.forward.delivery = Flow::LOCAL;
    (flow.forward.seen, flow.forward.tcp) = forward;
    (flow.reply.seen, flow.reply.tcp) = reply;
    flow
}

fn over(protocol: u8, flow: &Flow, now: u32) -> bool {
    is_over(protocol.into(), flow, now, false)
}

#[test]
fn a_connection_lives_as_long_as_its_livelier_direction() {
    assert!(over(UDP, &flow((1, 0), (0, 0)), 1000));
    assert!(!over(UDP, &flow((1, 0), (1000, 0)), 1000));
    assert!(!over(UDP, &flow((1000, 0), (1, 0)), 1000));
}

#[test]
fn tcp_lives_long_only_between_the_answer_and_the_end() {
    let over = |forward, reply| over(TCP, &flow(forward, reply), 3600);
    assert!(!over((1, 0), (1, 0)));
    assert!(over((1, 0), (0, 0)), "never answered");
    assert!(over((1, Flow::TCP_RST), (1, 0)), "reset");
    assert!(!over((1, Flow::TCP_FIN), (1, 0)), "half closed");
    assert!(over((1, Flow::TCP_FIN), (1, Flow::TCP_FIN)), "closed");
}

#[test]
fn what_was_denied_is_soon_asked_again() {
    let denied = Flow::NONE;
    assert!(over(TCP, &denied, 70));
    assert!(!over(TCP, &denied, 30));
}

#[test]
fn under_pressure_all_but_connections_go_early() {
    let pressed = |flow: &Flow, now| is_over(TCP.into(), flow, now, true);
    assert!(!pressed(&flow((1, 0), (1, 0)), 3600), "a connection");
    assert!(pressed(&flow((1, 0), (0, 0)), 25), "an opening");
    assert!(pressed(&Flow::NONE, 15), "denied");
    let ended = flow((1, Flow::TCP_FIN), (1, Flow::TCP_FIN));
    assert!(pressed(&ended, 5) && !over(TCP, &ended, 5));
}

#[test]
fn both_sides_rules_count_a_packet_and_a_shared_one_once() {
    let mut counts = BTreeMap::new();
    let mut counted = flow((1, 0), (1, 0));
    (counted.forward.packets, counted.forward.bytes) = (3, 300);
    (counted.reply.packets, counted.reply.bytes) = (2, 80);
    (counted.opener_rule, counted.accepter_rule) = (17, 18);
    counted.staged_accepter_rule = 19;
    add(&mut counts, &counted);
    (counted.opener_rule, counted.accepter_rule) = (1, 1);
    add(&mut counts, &counted);
    let count = |rule, staged| counts[&RuleKey { rule, staged }].packets;
    assert_eq!(
        [1, 17, 18].map(|rule| count(rule, RuleKey::ENFORCED)),
        [5; 3]
    );
    assert_eq!(count(19, RuleKey::STAGED), 10);
    assert_eq!(counts.len(), 4);
}
