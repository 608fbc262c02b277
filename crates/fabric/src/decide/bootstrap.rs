//! The first records of a new fabric.

use contiv_model::agent::ForwardMode;
use contiv_model::object::{Global, Keyed, Tenant};
use contiv_model::parsed::InfraType;

use super::claim;
use crate::decision::{Decided, Draft};
use crate::image::{DEFAULT_TENANT, Image};
use crate::key::{Key, Numbered};
use crate::record::{GlobalRecord, Guard, Meta, Stamp, TenantRecord};
use crate::refusal::Refusal;

/// What the operator's flags say about the global object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presets {
    pub forward_mode: Option<ForwardMode>,
    pub infra: Option<InfraType>,
}

/// Makes what every fabric has and this one lacks: the global object with its presets,
/// and tenant `default`, which has number 1 since it comes before all others.
///
/// Presets say how a fabric begins; once there is a global object, it is the word.
pub fn bootstrap(image: &Image, presets: Presets, global: &Stamp, tenant: &Stamp) -> Decided<()> {
    let mut draft = Draft::new(image);
    if image.global().is_none() {
        let record = GlobalRecord {
            meta: Meta::from(global),
            object: initial(presets),
        };
        let parsed = record.object.parse();
        parsed.map_err(Refusal::from)?;
        draft.put(&Key::Global, &record);
        draft.put(&Key::FabricGuard, &Guard {});
    }
    if image.tenant(DEFAULT_TENANT).is_none() {
        let mut object = Tenant {
            tenant_name: DEFAULT_TENANT.into(),
            ..Tenant::default()
        };
        object.key = object.key_of_fields();
        let record = TenantRecord {
            meta: Meta::from(tenant),
            number: claim::number(&mut draft, image, Numbered::Tenants, DEFAULT_TENANT)?,
            object,
        };
        draft.put(&Key::Tenant(DEFAULT_TENANT.into()), &record);
    }
    Ok(draft.answer(()))
}

fn initial(presets: Presets) -> Global {
    let mut global = Global::initial();
    if let Some(mode) = presets.forward_mode {
        global.fwd_mode = match mode {
            ForwardMode::Bridge => "bridge".into(),
            ForwardMode::Routing => "routing".into(),
        };
    }
    if let Some(infra) = presets.infra {
        global.network_infra_type = match infra {
            InfraType::Default => "default".into(),
            InfraType::Aci => "aci".into(),
            InfraType::AciOpflex => "aci-opflex".into(),
        };
    }
    global
}
