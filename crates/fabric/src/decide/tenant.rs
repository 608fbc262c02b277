//! Tenants.

use contiv_model::object::{Keyed, Tenant};

use super::{claim, expected};
use crate::decision::{Decided, Draft, settled};
use crate::image::{DEFAULT_TENANT, Image};
use crate::key::{Key, Numbered};
use crate::record::{Meta, Stamp, TenantRecord};
use crate::refusal::Refusal;

/// Makes a tenant. One that exists stays as it is.
pub fn put_tenant(
    image: &Image,
    stamp: &Stamp,
    tenant: &Tenant,
    expected: Option<u64>,
) -> Decided<Tenant> {
    let parsed = tenant.parse()?;
    let key = Key::Tenant(parsed.name.to_string());
    expected::check(image, &key, expected)?;
    let mut object = tenant.clone();
    object.key = object.key_of_fields();
    if let Some(known) = image.tenant(&parsed.name) {
        if known.object == object {
            return Ok(settled(object));
        }
        let message = format!(
            "tenant {} exists, and its fields cannot be changed; delete it first, or send it as \
             it is",
            parsed.name
        );
        return Err(Refusal::conflict("defaultNetwork", message));
    }
    let mut draft = Draft::new(image);
    let record = TenantRecord {
        meta: Meta::from(stamp),
        number: claim::number(&mut draft, image, Numbered::Tenants, &parsed.name)?,
        object,
    };
    draft.put(&key, &record);
    Ok(draft.answer(record.object))
}

/// Deletes a tenant that has nothing left: no groups, policies or networks.
pub fn delete_tenant(image: &Image, name: &str, expected: Option<u64>) -> Decided<()> {
    let key = Key::Tenant(name.to_owned());
    expected::check(image, &key, expected)?;
    let Some(known) = image.tenant(name) else {
        return Err(Refusal::not_found(format!("tenant {name} not found")));
    };
    if name == DEFAULT_TENANT {
        let message = "tenant default belongs to the fabric and to its hosts, and stays";
        return Err(Refusal::conflict("", message));
    }
    let counts = [
        (image.groups_of(name).count(), "group"),
        (image.policies_of(name).count(), "policy"),
        (image.networks_of(name).count(), "network"),
    ];
    if let Some((count, what)) = counts.into_iter().find(|(count, _)| *count > 0) {
        let what = counted(count, what);
        let message = format!("tenant {name} still has {what}; delete them first");
        return Err(Refusal::conflict("", message));
    }
    let mut draft = Draft::new(image);
    draft.delete(&key);
    draft.delete(&Key::Number(Numbered::Tenants, known.number));
    draft.delete(&Key::TenantGuard(name.to_owned()));
    Ok(draft.answer(()))
}

/// `1 group`, `2 policies`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
