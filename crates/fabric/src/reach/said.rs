//! What the policies of a tenant say, as the values that hosts compile.

use std::collections::BTreeMap;

use contiv_policy::{Names, TenantPolicy};

use crate::image::Image;
use crate::view;

/// A tenant's policy, and what people call its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) policy: TenantPolicy,
    pub(super) names: Names,
}

impl Said {
    /// As hosts are told, so that both compile the same.
    pub(super) fn of(image: &Image, tenant: &str) -> Said {
        let (policy, groups) = view::tenant_policy(image, tenant);
        let called: BTreeMap<u32, String> = groups
            .iter()
            .map(|group| (group.number, group.name.clone()))
            .collect();
        Said {
            names: Names::new(&policy, called),
            policy,
        }
    }

    /// What a rule is called; the built-in ones by what they mean.
    pub(super) fn rule(&self, number: u32) -> String {
        match number {
            2 => "the fabric itself (rule 2)".to_owned(),
            number => self.names.rule(number),
        }
    }
}
