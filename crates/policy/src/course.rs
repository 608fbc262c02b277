//! The course of a connection that begins: which way its packets take, and what both policies say.
//!
//! The way is that of the kernel, found by the function that it runs, over the maps of a host or
//! over what they should hold.

use std::cell::RefCell;
use std::net::IpAddr;

use contiv_datapath_abi::config::Config;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::endpoint::{AddressKey, Endpoint, Target};
use contiv_datapath_abi::flow::{Flow, FlowKey};
use contiv_datapath_abi::opening::{Fabric, Judgement, Opening, judge};
use contiv_datapath_abi::policy::{Action, Direction, Query, Verdict};
use contiv_datapath_abi::tenant::{Network, PrefixKey, Tenant};
use contiv_datapath_abi::{Address, Words};

use crate::explain::{Party, Question, mapped};

/// A connection that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    pub tenant: u32,
    pub from: IpAddr,
    pub to: IpAddr,
    /// Opened by the host, or through it: `from` is then no endpoint's.
    pub by_host: bool,
    pub protocol: u8,
    /// As in [`Query::port`].
    pub port: u16,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// One of [`Flow`]'s deliveries, or why there is none whatever the policies say.
    pub way: Result<Way, Reason>,
    /// What the sender's outgoing policy was asked and says; none where it has no say.
    pub sending: Option<(Query, Verdict)>,
    /// The same of the receiver's incoming policy.
    pub receiving: Option<(Query, Verdict)>,
}

/// How packets are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// [`Flow::LOCAL`], [`Flow::HOST`] and their like.
    pub delivery: u8,
    /// Between networks of the tenant.
    pub routed: bool,
    /// By the sender's private address.
    pub translated: bool,
}

impl Way {
    /// The delivery in a word.
    pub fn word(self) -> &'static str {
        match self.delivery {
            Flow::LOCAL => "local",
            Flow::HOST => "host",
            _ => "other host",
        }
    }
}

impl Course {
    /// Follows a connection through a host's maps, or through their like.
    ///
    /// Both policies are asked, although the kernel does not ask the second one when the first
    /// has said no: who wants to know why wants to know both.
    pub fn of<F: Fabric>(fabric: &F, beginning: &Beginning) -> Course {
        let address = |address| AddressKey {
            tenant: beginning.tenant,
            address: mapped(address),
        };
        let (own, by) = match beginning.by_host {
            true => (beginning.to, Opening::BY_HOST),
            false => (beginning.from, 0),
        };
        let Some(slot) = fabric.target(&address(own)).map(|target| target.slot) else {
            return Course::none(Reason::UnknownAddress);
        };
        match fabric.endpoint(slot) {
            Some(endpoint) if endpoint.state != Endpoint::CLOSED && endpoint.serial != 0 => {}
            Some(endpoint) if endpoint.serial != 0 => {
                return Course::none(match beginning.by_host {
                    true => Reason::TargetClosed,
                    false => Reason::SenderClosed,
                });
            }
            _ if beginning.by_host => return Course::none(Reason::TargetClosed),
            _ => return Course::arriving(fabric, beginning),
        }
        let key = FlowKey {
            tenant: beginning.tenant,
            source: Words::new(mapped(beginning.from)),
            destination: Words::new(mapped(beginning.to)),
            source_port: 0,
            destination_port: beginning.port,
            protocol: u32::from(beginning.protocol),
        };
        let opening = Opening::new(key, slot, by);
        let both = Both {
            fabric,
            asked: RefCell::default(),
        };
        let mut judgement = Judgement::NONE;
        let way = judge(&both, &opening, &mut judgement);
        let flow = judgement.flow;
        let mut course = Course::none(Reason::UnknownAddress);
        course.way = way.map(|()| Way {
            delivery: flow.forward.delivery,
            routed: flow.flags & Flow::ROUTED != 0,
            translated: flow.flags & Flow::TRANSLATED != 0,
        });
        for (query, verdict) in both.asked.into_inner() {
            match query.direction {
                Direction::Out => course.sending = Some((query, verdict)),
                Direction::In => course.receiving = Some((query, verdict)),
            }
        }
        course
    }

    /// Of a connection that is opened on another host: the receiver's side alone.
    fn arriving<F: Fabric>(fabric: &F, beginning: &Beginning) -> Course {
        let target = |address| {
            fabric.target(&AddressKey {
                tenant: beginning.tenant,
                address: mapped(address),
            })
        };
        let (Some(tenant), Some(from), Some(to)) = (
            fabric.tenant(beginning.tenant),
            target(beginning.from),
            target(beginning.to),
        ) else {
            return Course::none(Reason::UnknownAddress);
        };
        let open = fabric.endpoint(to.slot);
        if open.is_none_or(|endpoint| endpoint.state == Endpoint::CLOSED) {
            return Course::none(Reason::TargetClosed);
        }
        let party = |group, address| Party { group, address };
        let question = Question {
            from: party(from.group, beginning.from),
            to: party(to.group, beginning.to),
            protocol: beginning.protocol,
            port: beginning.port,
        };
        let query = question.query(Direction::In, tenant.root);
        Course {
            way: Ok(Way {
                delivery: Flow::LOCAL,
                routed: from.network != to.network,
                translated: false,
            }),
            sending: None,
            receiving: Some((query, fabric.verdict(&query))),
        }
    }

    fn none(reason: Reason) -> Course {
        Course {
            way: Err(reason),
            sending: None,
            receiving: None,
        }
    }

    /// Whether packets arrive.
    pub fn is_open(&self) -> bool {
        let allows = |side: &Option<(Query, Verdict)>| {
            side.is_none_or(|(_, verdict)| verdict.action == Action::Allow)
        };
        self.way.is_ok() && allows(&self.sending) && allows(&self.receiving)
    }
}

/// A fabric whose policies all allow, and that remembers what they have said.
struct Both<'a, F> {
    fabric: &'a F,
    asked: RefCell<Vec<(Query, Verdict)>>,
}

impl<F: Fabric> Fabric for Both<'_, F> {
    fn config(&self) -> Option<&Config> {
        self.fabric.config()
    }

    fn tenant(&self, number: u32) -> Option<Tenant> {
        self.fabric.tenant(number)
    }

    fn network(&self, key: &PrefixKey) -> Option<&Network> {
        self.fabric.network(key)
    }

    fn target(&self, key: &AddressKey) -> Option<&Target> {
        self.fabric.target(key)
    }

    fn endpoint(&self, slot: u32) -> Option<&Endpoint> {
        self.fabric.endpoint(slot)
    }

    fn is_host(&self, address: &Address) -> bool {
        self.fabric.is_host(address)
    }

    fn verdict(&self, query: &Query) -> Verdict {
        let verdict = self.fabric.verdict(query);
        self.asked.borrow_mut().push((*query, verdict));
        Verdict {
            action: Action::Allow,
            ..verdict
        }
    }
}
