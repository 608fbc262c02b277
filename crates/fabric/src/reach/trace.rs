//! Why a connection is allowed or denied: the answer before any host was asked.

mod compare;
mod sample;

use contiv_model::agent::OpeningQuestion;
use contiv_model::reach::{self, Packets, Pair, Trace, TraceCase, TraceRequest};
use contiv_policy::{Action, Beginning, Case, Course, End, cases, explain_side};

use super::party::{Finder, Found, Kind, told};
use super::path::Trip;
use super::picture::Picture;
use super::said::Said;
use super::side::side;
use crate::image::Image;
use crate::refusal::Refusal;
use crate::reports::HostReports;
pub use compare::Heard;
use sample::Samples;

/// Classes of addresses that are asked about.
const CLASSES: usize = 100_000;
/// Outcomes that are told.
const CASES: usize = 16;

/// An answer, and what hosts are still to be asked for it.
pub struct Tracing {
    pub document: Trace,
    pub asks: Vec<Ask>,
    said: Said,
    courses: Vec<Course>,
}

/// A question to a host about one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub host: String,
    pub question: OpeningQuestion,
    case: usize,
    part: Part,
}

/// The part of a case that a host's tables say something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// The way and the sender's side: the receiver is on another host.
    Sending,
    /// The receiver's side: the sender is on another host.
    Receiving,
    /// What policies say, not the way: an address of the host is not known here.
    Policies,
}

/// Explains a connection.
///
/// 1. Both ends are found, and the outcomes that their addresses can have.
/// 2. For each outcome one pair of addresses is followed through the picture of the tenant,
///    those of existing endpoints before all others.
/// 3. Of both policies each rule is told, in the order in which rules are considered.
pub fn trace(
    image: &Image,
    reports: &HostReports,
    revision: String,
    request: &TraceRequest,
) -> Result<Tracing, Refusal> {
    let (tenant, said) = super::said(image, &request.tenant_name)?;
    let packets = Packets::parse(
        &request.protocol,
        request.port,
        request.icmp_type,
        request.icmp_code,
    )?;
    let finder = Finder {
        image,
        reports,
        tenant,
    };
    let from = finder.find("from", &request.from)?;
    let to = finder.find("to", &request.to)?;
    check(&from, &to)?;
    let end = |found: &Found| End {
        group: found.group,
        places: found.places.clone(),
    };
    let between = |v4| {
        let packets = packets.between(v4);
        (packets.protocol, packets.port)
    };
    let ends = (&end(&from), &end(&to));
    let (outcomes, whole) = cases(&said.policy, ends, between, CLASSES)
        .map_err(|error| Refusal::conflict("", error))?;
    let mut tracing = Tracing {
        document: Trace {
            revision,
            tenant_name: tenant.to_owned(),
            from: from.told.clone(),
            to: to.told.clone(),
            packets: packets.to_string(),
            ..Trace::default()
        },
        asks: Vec::new(),
        courses: Vec::new(),
        said,
    };
    let samples = Samples {
        finder: &finder,
        from: &from,
        to: &to,
    };
    let single = outcomes.len() == 1;
    let mut left = 0;
    for case in &outcomes {
        if tracing.courses.len() == CASES {
            left += 1;
            continue;
        }
        tracing.follow(&samples, case, packets, single);
    }
    if tracing.courses.is_empty() {
        let message = "the two ends have no addresses of one family";
        return Err(Refusal::invalid("to", message));
    }
    tracing.document.cut = match (whole, left) {
        (true, 0) => String::new(),
        (true, left) => format!("{left} more outcomes; name endpoints instead of groups"),
        (false, _) => "more classes of addresses than are looked at; name endpoints".to_owned(),
    };
    tracing.sum_up();
    Ok(tracing)
}

/// Refuses what no endpoint has a part in.
fn check(from: &Found, to: &Found) -> Result<(), Refusal> {
    let is_ours = |found: &Found| matches!(found.kind, Kind::Endpoint | Kind::Group | Kind::Nobody);
    if from.kind == Kind::Gateway {
        let message = "a gateway opens no connections; name an endpoint or a group";
        return Err(Refusal::invalid("from", message));
    }
    if !is_ours(from) && !is_ours(to) {
        let message = "neither end is in a network of the tenant; name an endpoint or a group";
        return Err(Refusal::invalid("to", message));
    }
    Ok(())
}

impl Tracing {
    fn follow(&mut self, samples: &Samples<'_>, case: &Case, packets: Packets, single: bool) {
        let Some(sample) = samples.of(case) else {
            return; // No one can have these addresses.
        };
        let (image, tenant) = (samples.finder.image, samples.finder.tenant);
        let said = self.said.clone();
        let mut picture = Picture::of(image, tenant, &said.policy);
        for (end, address, is_real) in [
            (&sample.from, sample.addresses.0, sample.real.0),
            (&sample.to, sample.addresses.1, sample.real.1),
        ] {
            match end.kind {
                Kind::Group => picture.place([address], end.network, end.group),
                Kind::Nobody if end.told.asked == samples.from.told.asked && !is_real => {
                    picture.place([address], end.network, 0);
                }
                Kind::Host => picture.place_host(address),
                _ => {}
            }
        }
        let packets = packets.between(sample.addresses.0.is_ipv4());
        let beginning = Beginning {
            tenant: picture.number(),
            from: sample.addresses.0,
            to: sample.addresses.1,
            by_host: matches!(sample.from.kind, Kind::Host | Kind::World),
            protocol: packets.protocol,
            port: packets.port,
        };
        let course = Course::of(&picture, &beginning);
        let trip = Trip {
            image,
            tenant,
            from: &sample.from,
            to: &sample.to,
            beginning: &beginning,
            packets,
        };
        let explained = |asked: &Option<(contiv_policy::Query, contiv_policy::Verdict)>| {
            let (query, _) = asked.as_ref()?;
            Some(side(&said, &explain_side(&said.policy, *query)))
        };
        let mut told_case = TraceCase {
            from: beginning.from.to_string(),
            to: beginning.to.to_string(),
            addresses: match single {
                true => Vec::new(),
                false => case.addresses.iter().map(pair).collect(),
            },
            path: trip.steps(&course),
            reason: trip.obstacle(&course).to_owned(),
            sending: explained(&course.sending),
            receiving: explained(&course.receiving),
            ..TraceCase::default()
        };
        let asks = self.asks(&sample.from, &sample.to, &beginning);
        if asks.is_empty() {
            let none = "no endpoint that exists is meant: no host's tables were asked";
            told_case.path.push(none.to_owned());
        }
        told_case.verdict = verdict(&told_case.reason, &course, |verdict| verdict.action);
        let staged = verdict_if_staged(&told_case.reason, &course);
        if staged != told_case.verdict {
            told_case.staged = staged;
        }
        self.asks.extend(asks);
        self.courses.push(course);
        self.document.cases.push(told_case);
    }

    /// Which hosts are to be asked about the next case.
    fn asks(&self, from: &Found, to: &Found, beginning: &Beginning) -> Vec<Ask> {
        let ask = |found: &Found, part| Ask {
            host: found.told.host.clone(),
            question: OpeningQuestion {
                tenant: beginning.tenant,
                from: beginning.from,
                to: beginning.to,
                by_host: beginning.by_host,
                protocol: beginning.protocol,
                port: beginning.port,
            },
            case: self.courses.len(),
            part,
        };
        match (from.kind, to.kind) {
            (Kind::Endpoint, Kind::Endpoint) if from.told.host != to.told.host => {
                vec![ask(from, Part::Sending), ask(to, Part::Receiving)]
            }
            (Kind::Endpoint, Kind::Group) => Vec::new(),
            (Kind::Endpoint, Kind::Host) => vec![ask(from, Part::Policies)],
            (Kind::Endpoint, _) => vec![ask(from, Part::Whole)],
            (Kind::Host | Kind::World, Kind::Endpoint) => vec![ask(to, Part::Policies)],
            _ => Vec::new(),
        }
    }

    /// The verdict on the whole.
    fn sum_up(&mut self) {
        let cases = &self.document.cases;
        let first = cases.first().map_or("", |case| case.verdict.as_str());
        let all_alike = cases.iter().all(|case| case.verdict == first);
        self.document.verdict = match all_alike {
            true => first.to_owned(),
            false => reach::DEPENDS.to_owned(),
        };
        self.document.disagrees = cases.iter().any(|case| case.disagrees);
    }
}

fn verdict(
    obstacle: &str,
    course: &Course,
    action: impl Fn(&contiv_policy::Verdict) -> Action,
) -> String {
    let allows = |side: &Option<(contiv_policy::Query, contiv_policy::Verdict)>| {
        side.as_ref()
            .is_none_or(|(_, verdict)| action(verdict) == Action::Allow)
    };
    let word = match () {
        () if !obstacle.is_empty() => reach::UNREACHABLE,
        () if allows(&course.sending) && allows(&course.receiving) => reach::ALLOW,
        () => reach::DENY,
    };
    word.to_owned()
}

fn verdict_if_staged(obstacle: &str, course: &Course) -> String {
    verdict(obstacle, course, |verdict| {
        verdict
            .staged
            .map_or(verdict.action, |staged| staged.action)
    })
}

fn pair(
    (from, to): &(
        Option<contiv_model::agent::AddressRange>,
        Option<contiv_model::agent::AddressRange>,
    ),
) -> Pair {
    let told = |range: &Option<_>| range.as_ref().map_or("any".to_owned(), told);
    Pair {
        from: told(from),
        to: told(to),
    }
}

#[cfg(test)]
mod tests;
