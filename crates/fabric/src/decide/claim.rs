//! Taking numbers and tags: each one in use is a record of its own.

use contiv_ipam::NumberPool;
use contiv_model::agent::Encap;
use contiv_model::parsed::TagRange;

use crate::decision::Draft;
use crate::image::Image;
use crate::key::{Key, Numbered};
use crate::record::{Counter, Owner};
use crate::refusal::Refusal;

/// The first number of rules; below are the built-in verdicts.
const FIRST_RULE: u32 = 16;
/// The last number of what goes around a ring.
const LAST_OF_RING: u32 = 65535;

/// Takes a number for `owner`.
///
/// 1. Tenants, networks and groups: the next free one after the one given last,
///    around the ring 1 to 65535, so that a number is not seen again in a flow or a
///    log line that still means the old owner.
/// 2. Rules: one more than the last, from 16, never used again.
pub(super) fn number(
    draft: &mut Draft<'_>,
    image: &Image,
    of: Numbered,
    owner: &str,
) -> Result<u32, Refusal> {
    let last = image.counter(of);
    let taken = |number: &u32| image.number_owner(of, *number).is_some();
    let number = match of {
        Numbered::Rules => match last {
            0 => Some(FIRST_RULE),
            last => last.checked_add(1),
        },
        Numbered::Tenants | Numbered::Networks | Numbered::Groups => {
            let ring = (last + 1..=LAST_OF_RING).chain(1..=last);
            ring.into_iter().find(|number| !taken(number))
        }
    };
    let Some(number) = number else {
        let message = format!("every number of {of} is in use; delete some");
        return Err(Refusal::conflict("", message));
    };
    draft.put(&Key::Counter(of), &Counter { last: number });
    let owner = owner.to_owned();
    draft.put(&Key::Number(of, number), &Owner { owner });
    Ok(number)
}

/// Takes a tag of the range for the network `owner`: the one asked for, or the lowest
/// free one.
pub(super) fn tag(
    draft: &mut Draft<'_>,
    image: &Image,
    (encap, range): (Encap, TagRange),
    wish: Option<u32>,
    owner: &str,
) -> Result<u32, Refusal> {
    let what = match encap {
        Encap::Vlan => "VLAN tag",
        Encap::Vxlan => "VNI",
    };
    let tag = match wish {
        Some(tag) => match image.tag_owner(encap, tag) {
            None => tag,
            Some(other) => {
                let message = format!(
                    "{what} {tag} is that of network {other}; choose another, or none to get the \
                     lowest free one"
                );
                return Err(Refusal::conflict("pktTag", message));
            }
        },
        None => {
            let tags = NumberPool::new(range.first, range.last).with_used(image.tags(encap));
            tags.lowest_free().ok_or_else(|| {
                let message = format!(
                    "every {what} of {range} is in use; widen the range of the global object, or \
                     delete a network"
                );
                Refusal::conflict("pktTag", message)
            })?
        }
    };
    let owner = owner.to_owned();
    draft.put(&Key::Tag(encap, tag), &Owner { owner });
    Ok(tag)
}
