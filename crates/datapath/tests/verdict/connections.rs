//! Connections from begin to end, against a model of their table.

mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

use contiv_datapath_abi::counter::{Reason, RuleCount, RuleKey};
use contiv_datapath_abi::flow::FlowKey;
use contiv_datapath_abi::policy::{Action, Direction, FIRST_RULE, ICMP, RULE_DEFAULT, TCP, UDP};
use contiv_datapath_abi::tenant::Tenant;
use contiv_policy::{Build, HostTables, PolicyRule, PortRange, TenantPolicy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::frames::{Way, v4};
use crate::local::cut;
use crate::rig::{A, B, REDIRECTED, Rig, key, mac};
use model::{Answer, Ends, Kind, Member, Model, Who};

/// Members receive what a policy opens; members of others receive all.
const GUARDED: u32 = 7;
const FREE: u32 = 8;
const DENY: u32 = FIRST_RULE;

/// What a policy may open: protocol and port.
const SERVICES: [(u8, u16); 4] = [(TCP, 80), (TCP, 81), (UDP, 53), (ICMP, 0x0800)];
/// The port by which clients are told apart.
const CLIENTS: [u16; 2] = [1000, 1001];

/// Whether a service is open, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    No,
    /// As long as the policy says so.
    Yes,
    /// As long as the connection lasts.
    Kept,
}

impl Open {
    fn rule(self, service: usize) -> u32 {
        match self {
            Open::No => DENY,
            Open::Yes => 20 + service as u32,
            Open::Kept => 30 + service as u32,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// By whom, between which ends, and which of [`FLAGS`].
    Send(Who, Ends, usize),
    /// UDP in two pieces.
    SendCut(Who, u16),
    /// An ICMP error about a packet that the other one sent, or pretends to have sent.
    Complain(Who, Ends),
    Policy([Open; 4]),
    Group(Who, u32),
    /// Another endpoint takes an address.
    Replace(Who),
    /// A row is removed, as user space does.
    Expire(Ends),
    /// Half a minute passes.
    Forget,
    /// The tenant has room left, or not.
    Share(bool),
}

const FLAGS: [(&str, Kind); 5] = [
    ("S", Kind::Opens),
    ("SA", Kind::Accepts),
    ("A", Kind::Other),
    ("FA", Kind::Ends),
    ("R", Kind::Ends),
];

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::Client), Just(Who::Server)]
}

fn ends() -> impl Strategy<Value = Ends> {
    (0..SERVICES.len(), proptest::sample::select(&CLIENTS[..]))
}

fn step() -> impl Strategy<Value = Step> {
    let open = prop_oneof![1 => Just(Open::No), 2 => Just(Open::Yes), 2 => Just(Open::Kept)];
    prop_oneof![
        24 => (who(), ends(), 0..FLAGS.len()).prop_map(|(w, e, f)| Step::Send(w, e, f)),
        2 => (who(), proptest::sample::select(&CLIENTS[..])).prop_map(|(w, p)| Step::SendCut(w, p)),
        2 => (who(), ends()).prop_map(|(w, e)| Step::Complain(w, e)),
        3 => [open.clone(), open.clone(), open.clone(), open].prop_map(Step::Policy),
        1 => (who(), prop_oneof![Just(GUARDED), Just(FREE)]).prop_map(|(w, g)| Step::Group(w, g)),
        1 => who().prop_map(Step::Replace),
        2 => ends().prop_map(Step::Expire),
        1 => Just(Step::Forget),
        1 => any::<bool>().prop_map(Step::Share),
    ]
}

/// Programs and a model side by side.
struct Both {
    rig: Rig,
    host: HostTables,
    model: Model,
    generation: u32,
    root: u32,
    policy: [Open; 4],
    members: BTreeMap<Who, Member>,
    last_serial: u32,
    last_fragment: u16,
    /// Counted in rows that were removed.
    gone: BTreeMap<RuleKey, RuleCount>,
}

impl Both {
    fn new() -> Both {
        let mut both = Both {
            rig: Rig::new(),
            host: HostTables::after(0),
            model: Model::default(),
            generation: 1,
            root: 0,
            policy: [Open::No; 4],
            members: BTreeMap::new(),
            last_serial: 1_000,
            last_fragment: 0,
            gone: BTreeMap::new(),
        };
        both.begin();
        both
    }

    /// Forgets connections and counts; programs stay loaded, since that takes long.
    fn begin(&mut self) {
        self.rig.clear_flows();
        self.rig.share(1, Rig::FLOWS / 2);
        (self.model, self.gone) = (Model::default(), BTreeMap::new());
        for (who, group) in [(Who::Client, FREE), (Who::Server, GUARDED)] {
            self.replace(who, group);
        }
        self.set_policy([Open::Yes, Open::Kept, Open::Yes, Open::Yes]);
    }

    fn replace(&mut self, who: Who, group: u32) {
        self.last_serial += 1;
        let member = Member {
            serial: self.last_serial,
            group,
        };
        self.members.insert(who, member);
        self.write_member(who);
    }

    fn write_member(&mut self, who: Who) {
        let member = self.members[&who];
        let (slot, last) = place(who);
        let address = ([10, 1, 1, last], None);
        self.rig
            .endpoint_of_serial(slot, (1, 1, member.group), address, member.serial);
    }

    fn renew(&mut self) {
        self.generation += 1;
        let tenant = Tenant {
            root: self.root,
            generation: self.generation,
            ..Tenant::default()
        };
        self.rig.set_tenant(1, tenant);
        self.model.change();
    }

    fn set_policy(&mut self, policy: [Open; 4]) {
        self.policy = policy;
        let rule = |number, priority, action| PolicyRule {
            priority,
            ..PolicyRule::new(number, "p", Direction::In, action)
        };
        let mut rules = vec![rule(DENY, 1, Action::Deny)];
        for (service, open) in policy.into_iter().enumerate() {
            let (protocol, port) = SERVICES[service];
            let ports = (protocol != ICMP).then(|| PortRange::from(port));
            rules.extend((open != Open::No).then(|| PolicyRule {
                protocol: Some(protocol),
                ports: ports.into_iter().collect(),
                keep_established: open == Open::Kept,
                ..rule(open.rule(service), 10, Action::Allow)
            }));
        }
        let policy = TenantPolicy {
            groups: [(GUARDED, ["p".to_owned()].into()), (FREE, [].into())].into(),
            rules: rules.into_iter().map(Arc::new).collect(),
            ..TenantPolicy::default()
        };
        let Build { root, write } = self.host.prepare(1, &policy).unwrap();
        self.rig.policy(&write);
        self.root = root;
        self.renew();
        let settling = self.host.settle(1);
        self.rig.policy(&settling.write);
        self.rig.forget(&settling.delete);
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Send(who, ends, flags) => self.send(who, ends, flags)?,
            Step::SendCut(who, client) => {
                let ends = (2, client);
                self.last_fragment += 1;
                let whole = frame(who, ends, 0).0;
                // Longer than what the first piece holds.
                let (first, later) = cut(&whole, self.last_fragment);
                let expected = self.expect(who, ends, (Kind::Other, &first));
                self.meets(who, &first, expected)?;
                let expected = self.expect(who, ends, (Kind::Other, &later));
                self.meets(who, &later, expected)?;
            }
            Step::Complain(who, ends) => {
                let about = frame(who.other(), ends, 2).0;
                let error = way(who).icmp(3, 3, &about);
                let expected = self.expect(who, ends, (Kind::Error, &error));
                self.meets(who, &error, expected)?;
            }
            Step::Policy(policy) => self.set_policy(policy),
            Step::Group(who, group) => {
                self.members.get_mut(&who).unwrap().group = group;
                self.write_member(who);
                self.renew();
            }
            Step::Replace(who) => self.replace(who, self.members[&who].group),
            Step::Expire(ends) => {
                if let Some(flow) = self.rig.remove_flow(&row(ends)) {
                    for key in flow.rule_keys() {
                        let count = self.gone.entry(key).or_default();
                        *count = count.plus(&flow.counted());
                    }
                }
                self.model.expire(ends);
            }
            Step::Forget => {
                self.rig.age_flows(100);
                self.model.forget();
            }
            Step::Share(left) => self.rig.share(1, if left { Rig::FLOWS / 2 } else { 0 }),
        }
        Ok(())
    }

    fn send(&mut self, who: Who, ends: Ends, flags: usize) -> Result<(), TestCaseError> {
        let (frame, kind) = frame(who, ends, flags);
        let expected = self.expect(who, ends, (kind, &frame));
        self.meets(who, &frame, expected)
    }

    fn expect(&mut self, who: Who, ends: Ends, (kind, frame): (Kind, &[u8])) -> Result<(), Reason> {
        let (members, policy) = (&self.members, self.policy);
        let ask = |accepter: Who| {
            // A server that begins speaks to a client's port, which no rule opens.
            let open = match accepter {
                Who::Server => policy[ends.0],
                Who::Client => Open::No,
            };
            if members[&accepter].group == FREE {
                return Answer {
                    rule: RULE_DEFAULT,
                    allows: true,
                    keeps: false,
                };
            }
            Answer {
                rule: open.rule(ends.0),
                allows: open != Open::No,
                keeps: open == Open::Kept,
            }
        };
        let is_tcp = SERVICES[ends.0].0 == TCP;
        let bytes = frame.len() as u64 - 14;
        let member = |who| members[&who];
        self.model
            .send((ends, is_tcp), who, (kind, bytes), member, ask)
    }

    fn meets(
        &mut self,
        who: Who,
        frame: &[u8],
        expected: Result<(), Reason>,
    ) -> Result<(), TestCaseError> {
        let (slot, serial) = (place(who).0, self.members[&who].serial);
        let dropped = |rig: &mut Rig| -> BTreeMap<Reason, u64> {
            let reasons = Reason::ALL.iter();
            reasons.map(|r| (*r, rig.drops_of(serial, *r))).collect()
        };
        let before = expected.err().map(|_| dropped(&mut self.rig));
        let passed = self.rig.send(slot, frame).0 == REDIRECTED;
        prop_assert_eq!(passed, expected.is_ok(), "{:?}", expected);
        if let (Err(reason), Some(before)) = (expected, before) {
            let after = dropped(&mut self.rig);
            prop_assert_eq!(after[&reason], before[&reason] + 1, "{:?}", reason);
        }
        Ok(())
    }

    /// Every rule has counted what the model has.
    fn agree_on_counts(&mut self) -> Result<(), TestCaseError> {
        for rule in (RULE_DEFAULT..40).collect::<Vec<u32>>() {
            let rule = RuleKey {
                rule,
                staged: RuleKey::ENFORCED,
            };
            let gone = self.gone.get(&rule).copied().unwrap_or_default();
            let counted = self.rig.counted(rule.rule, rule.staged).plus(&gone);
            let expected = self.model.counts.get(&rule.rule).copied();
            let expected = expected.unwrap_or_default();
            prop_assert_eq!(
                (counted.packets, counted.bytes, counted.connections),
                (expected.packets, expected.bytes, expected.connections),
                "rule {}",
                rule.rule
            );
        }
        Ok(())
    }
}

/// Slot and last byte of the address.
fn place(who: Who) -> (u32, u8) {
    match who {
        Who::Client => (A, 1),
        Who::Server => (B, 2),
    }
}

fn way(from: Who) -> Way {
    let ((slot, last), (to_slot, to)) = (place(from), place(from.other()));
    Way::new(
        (mac(slot), mac(to_slot)),
        v4(10, 1, 1, last),
        v4(10, 1, 1, to),
    )
}

/// A packet between these ends; the flags are TCP's.
fn frame(from: Who, (service, client): Ends, flags: usize) -> (Vec<u8>, Kind) {
    let (protocol, port) = SERVICES[service];
    let way = way(from);
    let (source, destination) = match from {
        Who::Client => (client, port),
        Who::Server => (port, client),
    };
    match (protocol, from) {
        (TCP, _) => (way.tcp(source, destination, FLAGS[flags].0), FLAGS[flags].1),
        (UDP, _) => (way.udp(source, destination, &[7; 64]), Kind::Other),
        (_, Who::Client) => (way.ping(client, b"?"), Kind::Other),
        (_, Who::Server) => (way.pong(client, b"!"), Kind::Accepts),
    }
}

fn row((service, client): Ends) -> FlowKey {
    let (protocol, port) = SERVICES[service];
    key(protocol, (v4(10, 1, 1, 1), client), (v4(10, 1, 1, 2), port))
}

#[test]
fn connections_are_what_the_model_says() {
    let mut both = Both::new();
    let config = ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let cell = std::cell::RefCell::new(&mut both);
    TestRunner::new(config)
        .run(&vec(step(), 1..40), |steps| {
            let mut both = cell.borrow_mut();
            both.begin();
            for (at, step) in steps.iter().enumerate() {
                both.take(step).map_err(|error| {
                    TestCaseError::fail(format!("step {at}, {step:?}: {error}"))
                })?;
            }
            both.agree_on_counts()
        })
        .unwrap();
}
