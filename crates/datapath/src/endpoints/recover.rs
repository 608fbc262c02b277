//! What an earlier agent has left, from rows and links.

use std::collections::BTreeMap;

use super::Local;
use crate::names::endpoint_digits;
use crate::netlink::Link;

/// Rows and links, put together again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) by_id: BTreeMap<String, Local>,
    pub(super) lost: Vec<Local>,
    pub(super) stray: Vec<Link>,
}

/// A row belongs to the link whose index it has, and with it to the id in its alias.
///
/// A row without such a link is lost, a link (by its name one of ours) without such a
/// row is stray. Ends for containers are not looked at: they go with their pairs.
pub(super) fn recover(rows: Vec<Local>, links: &[Link]) -> Found {
    let ours = links
        .iter()
        .filter(|link| link.name.starts_with("cv") && endpoint_digits(&link.name).is_some());
    let mut ours: BTreeMap<u32, &Link> = ours.map(|link| (link.index, link)).collect();
    let mut found = Found::default();
    for local in rows {
        match ours.remove(&local.row.interface) {
            Some(link) if !link.alias.is_empty() && !found.by_id.contains_key(&link.alias) => {
                found.by_id.insert(link.alias.clone(), local);
            }
            Some(link) => {
                found.lost.push(local);
                found.stray.push(link.clone());
            }
            None => found.lost.push(local),
        }
    }
    found.stray.extend(ours.into_values().cloned());
    found
}

#[cfg(test)]
mod tests {
    use contiv_datapath_abi::endpoint::Endpoint;

    use super::*;

    fn link(index: u32, name: &str, alias: &str) -> Link {
        Link {
            index,
            name: name.into(),
            alias: alias.into(),
            ..Link::default()
        }
    }

    fn local(slot: u32, interface: u32) -> Local {
        Local {
            slot,
            row: Endpoint {
                serial: slot,
                interface,
                ..Endpoint::default()
            },
        }
    }

    #[test]
    fn a_row_is_found_by_its_links_alias() {
        let links = [
            link(1, "lo", ""),
            link(7, "cvaa", "aa11"),
            link(8, "ccaa", ""),
            link(9, "cvbb", ""),
            link(11, "cvcc", "cc33"),
        ];
        let found = recover(vec![local(2, 7), local(3, 9), local(4, 99)], &links);
        assert_eq!(found.by_id, BTreeMap::from([("aa11".into(), local(2, 7))]));
        assert_eq!(found.lost, [local(3, 9), local(4, 99)]);
        let names: Vec<&str> = found.stray.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["cvbb", "cvcc"]);
    }
}
