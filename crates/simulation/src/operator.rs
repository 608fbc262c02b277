//! The operator: writes of objects, and what was said to be done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contiv_client::{Client, Error, Timeouts, masters};
use contiv_model::object::{EndpointGroup, Network as NetworkObject, Policy, Rule, Tenant};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::network::Network;
use crate::tally::Tally;

/// What distinguishes the versions of an object that are written here.
const FIELDS: [&str; 6] = [
    "subnet", "policies", "action", "port", "priority", "protocol",
];

/// A refusal that comes sooner was the answer to the first try, if no answer was lost meanwhile.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A write that is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    PutTenant(Tenant),
    PutNetwork(NetworkObject),
    PutGroup(EndpointGroup),
    PutPolicy(Policy),
    PutRule(Box<Rule>),
    Delete(Noun, String),
}

/// The kinds of objects that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Noun {
    Tenant,
    Network,
    Group,
    Policy,
    Rule,
}

/// An object by kind and key.
type Name = (Noun, String);

/// What an object may be: digests, and none for its absence.
pub(crate) type Possible = BTreeSet<Option<String>>;

/// What is known of every object that was ever written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knowledge(BTreeMap<Name, Fact>);

#[derive(Clone, Debug)]
struct Fact {
    said: Option<String>,
    /// What was asked for and never answered: it may come true at any time, once.
    pending: Possible,
}

/// Writes as people do; clones are the same one.
#[derive(Clone)]
pub(crate) struct Operator {
    client: Client,
    tally: Tally,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    knowledge: Knowledge,
    /// Objects that are being written.
    busy: BTreeSet<Name>,
    done: u64,
}

impl Operator {
    pub(crate) fn new(list: &str, network: &Network, tally: &Tally) -> anyhow::Result<Operator> {
        let client = Client::through(
            network.dial("operator"),
            masters(list)?,
            Timeouts::default(),
        )?;
        Ok(Operator {
            client,
            tally: tally.clone(),
            state: Arc::default(),
        })
    }

    /// Writes, and takes note of what the answer says.
    pub(crate) async fn write(self, wish: Wish) {
        let (name, digest) = wish.name();
        if !self.state().busy.insert(name.clone()) {
            return;
        }
        // From now on it may be so at any time.
        let new = {
            let mut state = self.state();
            if digest.is_none() {
                state.knowledge.end_with(&name);
            }
            let fact = state.knowledge.fact(&name);
            fact.pending.insert(digest.clone())
        };
        let (begin, lost) = (Instant::now(), self.tally.lost());
        let answer = self.send(&wish).await;
        let first = begin.elapsed() < AT_ONCE && lost == self.tally.lost();
        let mut state = self.state();
        state.busy.remove(&name);
        state.done += 1;
        let fact = state.knowledge.fact(&name);
        match answer {
            Ok(()) => {
                fact.said.clone_from(&digest);
                // Of earlier ones with no answer, each may still arrive.
                fact.pending.remove(&digest);
            }
            Err(error) if error.is_transient() => {
                tracing::debug!(?name, %error, "no answer");
            }
            Err(Error::Refused { error, .. }) => {
                tracing::debug!(?name, error = error.error, "refused");
                // Of a first try, whose answer was not waited for, nothing is known.
                if new && first {
                    fact.pending.remove(&digest);
                }
            }
            Err(error) => tracing::debug!(?name, %error, "failed"),
        }
    }

    /// Writes until it is said to be done.
    pub(crate) async fn insist(&self, wish: Wish) {
        let (name, digest) = wish.name();
        while self.state().knowledge.fact(&name).said != digest {
            self.clone().write(wish.clone()).await;
            sleep(Duration::from_millis(300)).await;
        }
    }

    async fn send(&self, wish: &Wish) -> Result<(), Error> {
        let client = &self.client;
        match wish {
            Wish::PutTenant(object) => client.put(object).await.map(drop),
            Wish::PutNetwork(object) => client.put(object).await.map(drop),
            Wish::PutGroup(object) => client.put(object).await.map(drop),
            Wish::PutPolicy(object) => client.put(object).await.map(drop),
            Wish::PutRule(object) => client.put(&**object).await.map(drop),
            Wish::Delete(noun, key) => match noun {
                Noun::Tenant => client.delete::<Tenant>(key).await,
                Noun::Network => client.delete::<NetworkObject>(key).await,
                Noun::Group => client.delete::<EndpointGroup>(key).await,
                Noun::Policy => client.delete::<Policy>(key).await,
                Noun::Rule => client.delete::<Rule>(key).await,
            },
        }
    }

    /// Everything as masters tell it.
    pub(crate) async fn read(&self) -> Result<BTreeMap<Name, String>, Error> {
        let client = &self.client;
        let mut all = BTreeMap::new();
        let mut add = |noun, objects: Vec<(String, String)>| {
            all.extend(
                objects
                    .into_iter()
                    .map(|(key, digest)| ((noun, key), digest)),
            );
        };
        let tenants = client.list::<Tenant>().await?;
        add(
            Noun::Tenant,
            tenants.iter().map(|o| (o.key.clone(), digest(o))).collect(),
        );
        let networks = client.list::<NetworkObject>().await?;
        add(
            Noun::Network,
            networks
                .iter()
                .map(|o| (o.key.clone(), digest(o)))
                .collect(),
        );
        let groups = client.list::<EndpointGroup>().await?;
        add(
            Noun::Group,
            groups.iter().map(|o| (o.key.clone(), digest(o))).collect(),
        );
        let policies = client.list::<Policy>().await?;
        add(
            Noun::Policy,
            policies
                .iter()
                .map(|o| (o.key.clone(), digest(o)))
                .collect(),
        );
        let rules = client.list::<Rule>().await?;
        add(
            Noun::Rule,
            rules.iter().map(|o| (o.key.clone(), digest(o))).collect(),
        );
        Ok(all)
    }

    /// What is known, to go back to it with the store.
    pub(crate) fn knowledge(&self) -> Knowledge {
        self.state().knowledge.clone()
    }

    /// The store is an older one: so is what is known. What was not answered stays possible.
    pub(crate) fn go_back(&self, to: Knowledge) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.knowledge, to);
        for (name, fact) in before.0 {
            state.knowledge.fact(&name).pending.extend(fact.pending);
        }
    }

    /// How many writes were answered.
    pub(crate) fn done(&self) -> u64 {
        self.state().done
    }

    /// Whether no write is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.state().busy.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Knowledge {
    fn fact(&mut self, name: &Name) -> &mut Fact {
        self.0.entry(name.clone()).or_insert_with(|| Fact {
            said: None,
            pending: Possible::new(),
        })
    }

    /// A policy ends with all its rules.
    fn end_with(&mut self, (noun, key): &Name) {
        let inside = format!("{key}:");
        for ((of, rule), fact) in &mut self.0 {
            if *noun == Noun::Policy && *of == Noun::Rule && rule.starts_with(&inside) {
                fact.pending.insert(None);
            }
        }
    }

    /// Objects that are not what they can be.
    pub(crate) fn contradictions(&self, found: &BTreeMap<Name, String>) -> Vec<String> {
        let wrong = self.0.iter().filter_map(|(name, fact)| {
            let now = found.get(name).cloned();
            let fits = now == fact.said || fact.pending.contains(&now);
            (!fits).then(|| {
                let Fact { said, pending } = fact;
                format!("{name:?} is {now:?}; said to be {said:?}, pending {pending:?}")
            })
        });
        wrong.collect()
    }
}

impl Wish {
    fn name(&self) -> (Name, Option<String>) {
        match self {
            Wish::PutTenant(o) => ((Noun::Tenant, o.tenant_name.clone()), Some(digest(o))),
            Wish::PutNetwork(o) => (
                (
                    Noun::Network,
                    format!("{}:{}", o.tenant_name, o.network_name),
                ),
                Some(digest(o)),
            ),
            Wish::PutGroup(o) => (
                (Noun::Group, format!("{}:{}", o.tenant_name, o.group_name)),
                Some(digest(o)),
            ),
            Wish::PutPolicy(o) => (
                (Noun::Policy, format!("{}:{}", o.tenant_name, o.policy_name)),
                Some(digest(o)),
            ),
            Wish::PutRule(o) => (
                (
                    Noun::Rule,
                    format!("{}:{}:{}", o.tenant_name, o.policy_name, o.rule_id),
                ),
                Some(digest(&**o)),
            ),
            Wish::Delete(noun, key) => ((*noun, key.clone()), None),
        }
    }
}

fn digest<T: Serialize>(object: &T) -> String {
    let document = serde_json::to_value(object).unwrap_or_default();
    let field = |name: &&str| document.get(*name).filter(|value| **value != Value::Null);
    let told = FIELDS
        .iter()
        .filter_map(|name| field(name).map(|value| format!("{name}={value}")));
    told.collect::<Vec<_>>().join(" ")
}
