//! Containers of two tenants with equal addresses, the host and the world, who all ask each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contiv_policy::{Action, Direction, Query, TenantPolicy, Verdict, evaluate_reference};
use contiv_testbed::{Ask, Netns, Post, Reach, World, survey, wait_for};
use serde_json::Value;

use super::answers::Miss;
use super::plan::{GROUPS, POLICIES, Plan};
use super::questions::{ACTORS, PORTS, Question, addresses, questions_of_all, target};
use crate::stage::{Result, SOON, Stage};

const TENANTS: [&str; 2] = ["default", "blue"];

/// A question not answered by then is not answered.
const SILENCE: Duration = Duration::from_millis(150);

/// How long an answer that is not the expected one is asked for again.
const PATIENCE: Duration = Duration::from_secs(4);

pub(super) struct Cast {
    /// Containers in the order of [`ACTORS`], then the host.
    netns: Vec<Netns>,
    posts: Vec<Post>,
    plan: Plan,
    policies: [TenantPolicy; 2],
    groups: BTreeMap<String, String>,
    /// Sides of conversations that a rule keeps, by their questions.
    kept: BTreeMap<(usize, Ask), BTreeSet<Side>>,
    /// The host's address towards containers.
    host: IpAddr,
    pub(super) asked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Sender,
    Receiver,
}

impl Cast {
    pub(super) fn on(stage: &mut Stage) -> Result<Cast> {
        for tenant in TENANTS {
            if tenant != "default" {
                stage.netctl(&format!("tenant create {tenant}"))?;
            }
            stage.netctl(&format!(
                "net create -t {tenant} plain -s 10.1.0.0/16 -g 10.1.255.254 \
                 --subnetv6 fd00:1::/64 --gatewayv6 fd00:1::fe"
            ))?;
            stage.netctl(&format!("net create -t {tenant} far -s 10.2.0.0/16"))?;
            for policy in POLICIES {
                stage.netctl(&format!("policy create -t {tenant} {policy}"))?;
            }
            for group in &GROUPS[1..] {
                let line = format!("group create -t {tenant} plain {group}");
                let policies = if *group == "web" {
                    " -p p -p q -p r"
                } else {
                    ""
                };
                stage.netctl(&format!("{line}{policies}"))?;
            }
        }
        let everywhere = IpAddr::from(Ipv6Addr::UNSPECIFIED);
        let (mut netns, mut posts, mut groups) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (tenant, name, group, last) in ACTORS {
            let network = docker_network(tenant, group);
            let addresses = addresses(last);
            let options = [
                "--ip",
                &addresses[0].to_string(),
                "--ip6",
                &addresses[1].to_string(),
            ];
            let actor = stage.start_with(name, &network, &options)?;
            posts.push(actor.netns.post(everywhere, &PORTS)?);
            netns.push(actor.netns);
            groups.insert(name.to_owned(), group.to_owned());
        }
        netns.push(stage.host_netns()?);
        posts.push(stage.world.netns().post(World::ADDRESS.into(), &PORTS)?);
        let route = stage.host_netns()?.ip("route get 10.1.0.11")?;
        let mut words = route.split_whitespace().skip_while(|word| *word != "src");
        let host = words.nth(1).context("the host's source address")?.parse()?;
        let mut plan = Plan::default();
        let policies = plan.tenants.each_ref().map(super::plan::Intent::policy);
        // What is there so far: groups with policies that have no rules.
        plan.members.clear();
        Ok(Cast {
            netns,
            posts,
            plan,
            policies,
            groups,
            kept: BTreeMap::new(),
            host,
            asked: 0,
        })
    }

    /// Changes what differs, and waits until the host has it in its kernel.
    pub(super) fn become_as(&mut self, stage: &Stage, text: &str) -> Result<()> {
        let plan = Plan::read(text);
        for (tenant, (old, new)) in self.plan.tenants.iter().zip(&plan.tenants).enumerate() {
            let tenant = TENANTS[tenant];
            let mut kept = old.rules.clone();
            // Rules about own addresses want a policy of one group alone.
            kept.retain(|key, rule| {
                new.rules
                    .get(key)
                    .is_some_and(|r| r == rule || !rule.is_about_own())
            });
            for (policy, place) in old.rules.keys().filter(|key| !kept.contains_key(*key)) {
                call(
                    stage,
                    "DELETE",
                    &format!("rules/{tenant}:{policy}:{place}"),
                    None,
                )?;
            }
            for policy in POLICIES {
                if old.place(policy) != new.place(policy) {
                    let path = format!("policys/{tenant}:{policy}");
                    call(stage, "PUT", &path, Some(new.place(policy).document()))?;
                }
            }
            for group in &GROUPS[1..] {
                let mut document = new.group_document(group);
                if old.group_document(group) != document {
                    document["networkName"] = "plain".into();
                    call(
                        stage,
                        "PUT",
                        &format!("endpointGroups/{tenant}:{group}"),
                        Some(document),
                    )?;
                }
            }
            for ((policy, place), rule) in &new.rules {
                if kept.get(&(policy.clone(), *place)) != Some(rule) {
                    let path = format!("rules/{tenant}:{policy}:{place}");
                    call(stage, "PUT", &path, Some(rule.document()))?;
                }
            }
        }
        self.move_members(stage, &plan)?;
        self.policies = plan.tenants.each_ref().map(super::plan::Intent::policy);
        self.plan = plan;
        wait_for(SOON, "the host to have the change", || -> Result<()> {
            let stored = stage.metric(false, "contiv_netmaster_revision")?;
            let applied = stage.metric(true, "contiv_netplugin_applied_revision")?;
            ensure!(applied >= stored, "it has revision {applied} of {stored}");
            Ok(())
        })
    }

    /// A container that changes its group leaves a Docker network for another, address and all.
    fn move_members(&mut self, stage: &Stage, plan: &Plan) -> Result<()> {
        for (index, (tenant, name, first, last)) in ACTORS.into_iter().enumerate() {
            let wanted = plan.members.get(name).map_or(first, String::as_str);
            let current = self.groups[name].clone();
            if wanted == current {
                continue;
            }
            stage.docker(&format!(
                "network disconnect {} {name}",
                docker_network(tenant, &current)
            ))?;
            let [ip, ipv6] = addresses(last);
            let network = docker_network(tenant, wanted);
            stage.docker(&format!(
                "network connect --ip {ip} --ip6 {ipv6} {network} {name}"
            ))?;
            self.groups.insert(name.to_owned(), wanted.to_owned());
            // Its connections ended with its interface.
            let of_others = |question: &Ask| !addresses(last).contains(&target(question).ip());
            self.kept
                .retain(|(from, ask), _| *from != index && of_others(ask));
        }
        Ok(())
    }

    /// Asks everything, and asks again what is not as expected, until it is or patience ends.
    pub(super) fn misses(&mut self) -> Result<Vec<Miss>> {
        let mut questions: Vec<(Question, bool)> = Vec::new();
        for question in questions_of_all() {
            let expected = self.expects(&question);
            questions.push((question, expected));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let asks: Vec<(&Netns, Ask)> = questions
                .iter()
                .map(|(question, _)| (&self.netns[question.from], question.ask))
                .collect();
            self.asked += asks.len();
            let answers = survey(&asks, &self.posts.iter().collect::<Vec<_>>(), SILENCE)?;
            let mut answers = answers.into_iter();
            let mut misses = Vec::new();
            questions.retain(|(question, expected)| {
                let is = answers.next().expect("an answer to each question");
                let right = is
                    == if *expected {
                        Reach::Open
                    } else {
                        Reach::Filtered
                    };
                if !right {
                    misses.push(question.missed(is));
                }
                !right
            });
            if misses.is_empty() || Instant::now() > deadline {
                return Ok(misses);
            }
        }
    }

    /// Whether the reference says that the question is answered.
    fn expects(&mut self, question: &Question) -> bool {
        let tenant = ACTORS.get(question.from).map_or(0, |actor| actor.0);
        let policy = &self.policies[tenant];
        let group = |index: Option<usize>| {
            let name = index
                .and_then(|index| ACTORS.get(index))
                .map(|actor| actor.1);
            let group = name.map_or("-", |name| self.groups[name].as_str());
            GROUPS.iter().position(|g| *g == group).expect("a group") as u32
        };
        let target = target(&question.ask);
        let own = match ACTORS.get(question.from) {
            Some(actor) => addresses(actor.3)[usize::from(target.is_ipv6())],
            None => self.host,
        };
        let (protocol, port) = match (question.ask, target.is_ipv6()) {
            (Ask::Tcp(_), _) => (6, target.port()),
            (Ask::Udp(..), _) => (17, target.port()),
            (Ask::Ping(_), false) => (1, 8 << 8),
            (Ask::Ping(_), true) => (58, 128 << 8),
        };
        let (from, to) = (group(Some(question.from)), group(question.target));
        let judge = |direction, (subject, own), (peer, address)| -> Verdict {
            let query = Query {
                root: 0,
                subject_group: subject,
                peer_group: peer,
                own_address: mapped(own),
                peer_address: mapped(address),
                direction,
                protocol,
                port,
            };
            evaluate_reference(policy, &query)
        };
        let verdicts = [
            (
                Side::Sender,
                judge(Direction::Out, (from, own), (to, target.ip())),
            ),
            (
                Side::Receiver,
                judge(Direction::In, (to, target.ip()), (from, own)),
            ),
        ];
        let Ask::Udp(_, Some(_)) = question.ask else {
            return verdicts
                .iter()
                .all(|(_, verdict)| verdict.action == Action::Allow);
        };
        let kept = self.kept.entry((question.from, question.ask)).or_default();
        for (side, verdict) in verdicts {
            if kept.contains(&side) {
                continue;
            }
            if verdict.action != Action::Allow {
                kept.clear();
                return false;
            }
            if verdict.keep {
                kept.insert(side);
            }
        }
        true
    }
}

fn mapped(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn docker_network(tenant: usize, group: &str) -> String {
    let name = if group == "-" { "plain" } else { group };
    match tenant {
        0 => name.to_owned(),
        _ => format!("{name}/{}", TENANTS[tenant]),
    }
}

fn call(stage: &Stage, method: &str, path: &str, body: Option<Value>) -> Result<()> {
    let target = format!("/api/v1/{path}/");
    let reply = stage.api(method, &target, body.as_ref())?;
    ensure!(
        reply.status < 300,
        "{method} {target}: {} {}",
        reply.status,
        reply.text
    );
    Ok(())
}
