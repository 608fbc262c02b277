//! Connections from begin to end, against a model of their table.
//!
//! What policies say is the reference evaluator's, which others compare with the kernel; here it is
//! what becomes of it when packets come one after the other.

mod model;
mod packets;
mod said;

use std::collections::BTreeMap;
use std::net::IpAddr;

use contiv_datapath_abi::counter::{Reason, RuleCount, RuleKey};
use contiv_datapath_abi::mapped;
use contiv_datapath_abi::policy::{Direction, Query, TCP, Verdict};
use contiv_datapath_abi::tenant::Tenant;
use contiv_policy::{Build, HostTables, TenantPolicy, evaluate_reference};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRunner};

use crate::rig::{REDIRECTED, Rig, v6};
use model::{Count, Ends, Kind, Member, Met, Model, Who};
use packets::{CUT, FLAGS, address, error, frame, pieces, place, row, service};
use said::{FREE, GUARDED, SERVICES, Said, policy_of, said};

/// The port by which clients are told apart.
const CLIENTS: [u16; 2] = [1000, 1001];

#[derive(Clone, Debug)]
enum Step {
    /// By whom, between which ends, and which of [`FLAGS`].
    Send(Who, Ends, usize),
    /// UDP in two pieces.
    SendCut(Who, Ends),
    /// An ICMP error about a packet that the other one sent, or pretends to have sent.
    Complain(Who, Ends),
    Policy(Said),
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

/// What there is at first: the group of each end, and the policies.
#[derive(Clone, Debug)]
struct Start {
    groups: [(Who, u32); 2],
    said: Said,
}

fn start() -> impl Strategy<Value = Start> {
    let client = prop_oneof![Just(FREE), Just(GUARDED)];
    let server = prop_oneof![1 => Just(FREE), 3 => Just(GUARDED)];
    (client, server, said()).prop_map(|(client, server, said)| Start {
        groups: [(Who::Client, client), (Who::Server, server)],
        said,
    })
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::Client), Just(Who::Server)]
}

fn ends() -> impl Strategy<Value = Ends> {
    let client = proptest::sample::select(&CLIENTS[..]);
    (any::<bool>(), 0..SERVICES.len(), client)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (who(), ends(), 0..FLAGS.len()).prop_map(|(w, e, f)| Step::Send(w, e, f)),
        2 => (who(), ends()).prop_map(|(w, e)| Step::SendCut(w, (e.0, CUT, e.2))),
        2 => (who(), ends()).prop_map(|(w, e)| Step::Complain(w, e)),
        3 => said().prop_map(Step::Policy),
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
    policy: TenantPolicy,
    members: BTreeMap<Who, Member>,
    last_serial: u32,
    last_fragment: u16,
    /// Counted in rows that were removed.
    gone: BTreeMap<RuleKey, RuleCount>,
}

impl Both {
    fn new() -> Both {
        Both {
            rig: Rig::new(),
            host: HostTables::after(0),
            model: Model::default(),
            generation: 1,
            root: 0,
            policy: TenantPolicy::default(),
            members: BTreeMap::new(),
            last_serial: 1_000,
            last_fragment: 0,
            gone: BTreeMap::new(),
        }
    }

    /// Forgets connections and counts; programs stay loaded, since that takes long.
    fn begin(&mut self, start: &Start) {
        self.rig.clear_flows();
        self.rig.share(1, Rig::FLOWS / 2);
        self.model.clear();
        self.gone.clear();
        for (who, group) in start.groups {
            self.replace(who, group);
        }
        self.set_policy(&start.said);
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
        let addresses = ([10, 1, 1, last], Some(v6(0x11, last.into())));
        self.rig
            .endpoint_of_serial(slot, (1, 1, member.group), addresses, member.serial);
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

    fn set_policy(&mut self, said: &Said) {
        self.policy = policy_of(said);
        let Build { root, write } = self.host.prepare(1, &self.policy).unwrap();
        self.rig.policy(&write);
        self.root = root;
        self.renew();
        let settling = self.host.settle(1);
        self.rig.policy(&settling.write);
        self.rig.forget(&settling.delete);
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Send(who, ends, flags) => {
                let (frame, kind) = frame(who, ends, flags);
                self.meets(who, ends, (kind, &frame))?;
            }
            Step::SendCut(who, ends) => {
                self.last_fragment += 1;
                // Longer than what the first piece holds.
                let (first, later) = pieces(who, ends, self.last_fragment);
                self.meets(who, ends, (Kind::Other, &first))?;
                self.meets(who, ends, (Kind::Other, &later))?;
            }
            Step::Complain(who, ends) => {
                let error = error(who, ends);
                self.meets(who, ends, (Kind::Error, &error))?;
            }
            Step::Policy(ref said) => self.set_policy(said),
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

    /// What the policy of one side says when the connection is opened by this one.
    fn ask(&self, ends: Ends, opener: Who, direction: Direction) -> Verdict {
        let (protocol, port) = service(ends);
        let own = match direction {
            Direction::Out => opener,
            Direction::In => opener.other(),
        };
        let at = |who| match address(who, ends.0) {
            IpAddr::V4(v4) => mapped(v4.octets()),
            IpAddr::V6(v6) => v6.octets(),
        };
        let query = Query {
            root: 0,
            subject_group: self.members[&own].group,
            own_address: at(own),
            direction,
            peer_group: self.members[&own.other()].group,
            peer_address: at(own.other()),
            protocol,
            // A server that begins speaks to a client's port.
            port: match opener {
                Who::Client => port,
                Who::Server => ends.2,
            },
        };
        evaluate_reference(&self.policy, &query)
    }

    fn expect(&mut self, who: Who, ends: Ends, (kind, frame): (Kind, &[u8])) -> Result<(), Reason> {
        let mut model = std::mem::take(&mut self.model);
        let is_tcp = SERVICES[ends.1].0 == TCP;
        let bytes = frame.len() as u64 - 14;
        let member = |who| self.members[&who];
        let ask = |opener, direction| self.ask(ends, opener, direction);
        let expected = model.send((ends, is_tcp), who, (kind, bytes), member, ask);
        self.model = model;
        expected
    }

    /// Sends a packet; what becomes of it is what the model says.
    fn meets(
        &mut self,
        who: Who,
        ends: Ends,
        (kind, frame): (Kind, &[u8]),
    ) -> Result<(), TestCaseError> {
        let expected = self.expect(who, ends, (kind, frame));
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

    /// Every rule has counted what the model has, and no other rule anything.
    fn agree_on_counts(&mut self) -> Result<(), TestCaseError> {
        let mut counted = self.rig.all_counted();
        for (rule, gone) in &self.gone {
            let count = counted.entry(*rule).or_default();
            *count = count.plus(gone);
        }
        let counted = counted.into_iter().map(|(rule, count)| {
            let count = Count {
                packets: count.packets,
                bytes: count.bytes,
                connections: count.connections,
            };
            (rule, count)
        });
        let is_one =
            |(rule, count): &(RuleKey, Count)| rule.rule != 0 && *count != Count::default();
        let counted: BTreeMap<RuleKey, Count> = counted.filter(is_one).collect();
        prop_assert_eq!(&counted, &self.model.counts);
        Ok(())
    }
}

/// Thousands of connections: each case has some, by IPv4 and by IPv6, between two endpoints whose
/// policies change in both directions, in two tiers, and staged.
#[test]
fn connections_are_what_the_model_says() {
    let mut both = Both::new();
    let config = ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    };
    let cell = std::cell::RefCell::new(&mut both);
    TestRunner::new(config)
        .run(&(start(), vec(step(), 1..50)), |(start, steps)| {
            let mut both = cell.borrow_mut();
            both.begin(&start);
            for (at, step) in steps.iter().enumerate() {
                both.take(step).map_err(|error| {
                    TestCaseError::fail(format!("step {at}, {step:?}: {error}"))
                })?;
            }
            both.agree_on_counts()
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    for what in Met::ALL {
        for is_v6 in [false, true] {
            assert!(both.model.met.contains(&(what, is_v6)), "{what:?}, {is_v6}");
        }
    }
}
