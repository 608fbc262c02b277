//! Who may reach whom on a port, all groups of a tenant at once.

use std::collections::BTreeSet;

use contiv_model::agent::{AddressRange, ForwardMode};
use contiv_model::reach::{self, MatrixCell, MatrixEntry, MatrixRequest, Packets, PolicyMatrix};
use contiv_policy::{Answer, Cell, Direction, End, MatrixQuestion};

use super::party::{Finder, told};
use super::said::Said;
use crate::image::Image;
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// Groups that are shown, and blocks of addresses.
const GROUPS: usize = 256;
const BLOCKS: usize = 32;

/// One row, which is also a column.
struct Place {
    entry: MatrixEntry,
    end: End,
    /// The network's number, of groups.
    network: Option<u32>,
}

/// The matrix of a tenant: `outside`, which is the host, the world, and endpoints without a group;
/// each group; and each block of addresses that a rule names, as peers without a group.
pub fn matrix(
    image: &Image,
    reports: &HostReports,
    revision: String,
    request: &MatrixRequest,
) -> Result<PolicyMatrix, Refusal> {
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
    let mut left = Vec::new();
    let places = places(&finder, &said, &mut left);
    let question = MatrixQuestion {
        ends: places.iter().map(|place| place.end.clone()).collect(),
    };
    let between = |v4| {
        let packets = packets.between(v4);
        (packets.protocol, packets.port)
    };
    let answer = contiv_policy::matrix(&said.policy, &question, between)
        .map_err(|error| Refusal::conflict("", error))?;
    let global = image.global();
    let routing = global.is_some_and(|g| g.parsed.forward_mode == ForwardMode::Routing);
    let row = |(from, cells): (&Place, &Vec<Cell>)| {
        let cell = |(to, cell)| told_cell(&said, (from, to), cell, routing);
        places.iter().zip(cells).map(cell).collect()
    };
    Ok(PolicyMatrix {
        revision,
        tenant_name: tenant.to_owned(),
        packets: packets.to_string(),
        cells: places.iter().zip(&answer.cells).map(row).collect(),
        entries: places.iter().map(|place| place.entry.clone()).collect(),
        cut: left.join("; "),
    })
}

fn places(finder: &Finder<'_>, said: &Said, left: &mut Vec<String>) -> Vec<Place> {
    let entry = |name: &str, kind: &str| MatrixEntry {
        name: name.to_owned(),
        kind: kind.to_owned(),
        ..MatrixEntry::default()
    };
    let mut places = vec![Place {
        entry: entry("outside", "outside"),
        end: End::default(),
        network: None,
    }];
    let groups: Vec<_> = finder.image.groups_of(finder.tenant).collect();
    if groups.len() > GROUPS {
        left.push(format!("{} more groups", groups.len() - GROUPS));
    }
    for (key, known) in groups.into_iter().take(GROUPS) {
        let Some(found) = finder.group(&known.parsed.name) else {
            continue;
        };
        let endpoints = finder.image.endpoints_of_group(key).count();
        places.push(Place {
            entry: MatrixEntry {
                network_name: found.told.network_name,
                endpoints: u64::try_from(endpoints).unwrap_or(u64::MAX),
                ..entry(&known.parsed.name, "group")
            },
            end: End {
                group: found.group,
                places: found.places,
            },
            network: Some(found.network),
        });
    }
    let rules = said.policy.rules.iter();
    let blocks: BTreeSet<AddressRange> = rules
        .flat_map(|rule| rule.peer_addresses.iter().copied())
        .collect();
    if blocks.len() > BLOCKS {
        left.push(format!(
            "{} more blocks of addresses",
            blocks.len() - BLOCKS
        ));
    }
    places.extend(blocks.into_iter().take(BLOCKS).map(|range| Place {
        entry: entry(&told(&range), "block"),
        end: End {
            group: 0,
            places: vec![range],
        },
        network: None,
    }));
    places
}

fn told_cell(said: &Said, (from, to): (&Place, &Place), cell: &Cell, routing: bool) -> MatrixCell {
    if from.network.is_none() && to.network.is_none() {
        return MatrixCell::default(); // Not the tenant's business.
    }
    let apart = from.network.zip(to.network).is_some_and(|(a, b)| a != b);
    if apart && !routing {
        return MatrixCell {
            verdict: reach::UNREACHABLE.to_owned(),
            by: "networks that forwarding mode bridge keeps apart".to_owned(),
            staged: String::new(),
        };
    }
    let (verdict, staged) = (word(cell.enforced), word(cell.staged));
    MatrixCell {
        by: why(said, cell.enforced),
        staged: match staged == verdict {
            true => String::new(),
            false => staged.to_owned(),
        },
        verdict: verdict.to_owned(),
    }
}

fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Open { .. } => reach::ALLOW,
        Answer::Closed { .. } => reach::DENY,
        Answer::Depends { .. } => reach::DEPENDS,
        Answer::Nobody => "",
    }
}

fn why(said: &Said, answer: Answer) -> String {
    match answer {
        Answer::Open { sending, receiving } => format!(
            "sending: {}; receiving: {}",
            said.rule(sending),
            said.rule(receiving)
        ),
        Answer::Closed { side, rule } => {
            let side = match side {
                Direction::Out => "sending",
                Direction::In => "receiving",
            };
            format!("{side}: {}", said.rule(rule))
        }
        Answer::Depends { open, of } => {
            format!("{open} of {of} outcomes allow; netctl trace tells them apart")
        }
        Answer::Nobody => "no addresses of one family".to_owned(),
    }
}
