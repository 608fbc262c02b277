//! Settings of the whole fabric.

use contiv_ipam::NumberPool;
use contiv_model::agent::Encap;
use contiv_model::object::Global;
use contiv_model::parsed::{ParsedGlobal, TagRange};

use super::expected;
use super::tenant::counted;
use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::Key;
use crate::record::{GlobalRecord, Guard, Meta, Stamp};
use crate::refusal::Refusal;

/// Changes the settings; fields that are empty stay as they are.
///
/// 1. The forwarding mode and the private subnet are for all networks, so they change
///    only while there are none.
/// 2. A range of tags keeps every tag in use inside.
pub fn put_global(
    image: &Image,
    stamp: &Stamp,
    global: &Global,
    expected: Option<u64>,
) -> Decided<Global> {
    expected::check(image, &Key::Global, expected)?;
    let known = image.global();
    let object = match known {
        Some(known) => global.filled_from(&known.record.object),
        None => global.filled_from(&Global::initial()),
    };
    let parsed = object.parse()?;
    if let Some(known) = known {
        if known.record.object == object {
            return Ok(settled(object));
        }
        check_change(image, &known.parsed, &parsed)?;
    }
    let mut draft = Draft::new(image);
    draft.put(&Key::FabricGuard, &Guard {});
    let meta = match known {
        Some(known) => known.record.meta.clone(),
        None => Meta::from(stamp),
    };
    let record = GlobalRecord { meta, object };
    draft.put(&Key::Global, &record);
    Ok(draft.answer(record.object))
}

/// Refuses: a fabric without settings could do nothing.
pub fn delete_global(_image: &Image) -> Decided<()> {
    let message = "the global object belongs to the fabric and stays; set its fields instead";
    Err(Refusal::conflict("", message))
}

fn check_change(image: &Image, from: &ParsedGlobal, to: &ParsedGlobal) -> Result<(), Refusal> {
    if from.forward_mode != to.forward_mode {
        check_without_networks(image, "fwdMode", "forwarding mode")?;
    }
    if from.pvt_subnet != to.pvt_subnet {
        check_without_networks(image, "pvtSubnet", "private subnet")?;
    }
    check_tags(image, Encap::Vlan, to.vlans)?;
    check_tags(image, Encap::Vxlan, to.vxlans)
}

fn check_without_networks(image: &Image, field: &str, what: &str) -> Result<(), Refusal> {
    for (encap, word) in [(Encap::Vlan, "vlan"), (Encap::Vxlan, "vxlan")] {
        let existing = image.tags(encap).count();
        if existing > 0 {
            // Scripts know these words, with an s for one as well.
            let message = format!(
                "Unable to update {what} due to existing {existing} {word}s; delete their networks \
                 first"
            );
            return Err(Refusal::conflict(field, message));
        }
    }
    Ok(())
}

fn check_tags(image: &Image, encap: Encap, range: TagRange) -> Result<(), Refusal> {
    let (field, what) = match encap {
        Encap::Vlan => ("vlans", "VLAN tag"),
        Encap::Vxlan => ("vxlans", "VNI"),
    };
    let outside = image.tags(encap).filter(|tag| !range.contains(*tag));
    let outside = NumberPool::new(range.first, range.last).with_used(outside);
    if outside.used_count() == 0 {
        return Ok(());
    }
    let message = format!(
        "{range} leaves out {} in use: {}; delete their networks first, or keep the range wide \
         enough",
        counted(outside.used_count() as usize, what),
        outside.used_text()
    );
    Err(Refusal::conflict(field, message))
}
