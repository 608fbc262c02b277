//! Policies, and their places among the others.

use super::choice::choice;
use super::rule::description;
use crate::agent::{DEFAULT_ORDER, LAST_ORDER, Tier};
use crate::invalid::Invalid;
use crate::name::Name;
use crate::object::{Keyed, Policy};

const TIERS: [(&str, Tier); 3] = [
    ("admin", Tier::Admin),
    ("normal", Tier::Normal),
    ("baseline", Tier::Baseline),
];

/// A [`Policy`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedPolicy {
    pub tenant: Name,
    pub name: Name,
    pub tier: Tier,
    /// Within the tier, the lower one is asked first.
    pub order: u16,
    pub staged: bool,
}

impl Policy {
    /// The policy in typed values, or the first field that is wrong.
    pub fn parse(&self) -> Result<ParsedPolicy, Invalid> {
        self.check_key()?;
        let tenant = Name::required("tenantName", &self.tenant_name)?;
        let name = Name::required("policyName", &self.policy_name)?;
        let tier = match self.tier.as_str() {
            "" => Tier::default(),
            tier => choice("tier", tier, &TIERS)?,
        };
        let order = self.order.unwrap_or(DEFAULT_ORDER.into());
        let order = u16::try_from(order)
            .ok()
            .filter(|order| *order <= LAST_ORDER);
        let order = order.ok_or_else(|| {
            let given = self.order.unwrap_or_default();
            let message = format!("{given} is too high; orders go from 0 to {LAST_ORDER}");
            Invalid::new("order", message)
        })?;
        description(self.description.as_deref().unwrap_or_default())?;
        Ok(ParsedPolicy {
            tenant,
            name,
            tier,
            order,
            staged: self.staged.unwrap_or_default(),
        })
    }

    /// The same policy, with what it does not name taken from `current`: clients that know
    /// nothing of a policy's place leave it where it is.
    pub fn filled_from(&self, current: &Policy) -> Policy {
        let mut filled = self.clone();
        if filled.tier.is_empty() {
            filled.tier.clone_from(&current.tier);
        }
        filled.order = filled.order.or(current.order);
        filled.staged = filled.staged.or(current.staged);
        filled.description = filled.description.or_else(|| current.description.clone());
        filled
    }

    /// The same policy with every default named, so that nothing is left as it is.
    pub fn spelled_out(&self) -> Policy {
        self.filled_from(&Policy {
            tier: TIERS[1].0.to_owned(),
            order: Some(DEFAULT_ORDER.into()),
            staged: Some(false),
            description: Some(String::new()),
            ..Policy::default()
        })
    }

    /// The same policy without the fields that say the default: the one spelling that is stored.
    pub fn terse(&self) -> Policy {
        let default = Policy::default().spelled_out();
        let mut terse = self.clone();
        if terse.tier == default.tier {
            terse.tier.clear();
        }
        terse.order = terse.order.filter(|_| self.order != default.order);
        terse.staged = terse.staged.filter(|staged| *staged);
        terse.description = terse.description.filter(|text| !text.is_empty());
        terse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            tenant_name: "blue".into(),
            policy_name: "p".into(),
            ..Policy::default()
        }
    }

    fn placed() -> Policy {
        Policy {
            tier: "admin".into(),
            order: Some(7),
            staged: Some(true),
            description: Some("for all".into()),
            ..policy()
        }
    }

    #[test]
    fn what_is_left_out_is_the_default_or_stays() {
        let parsed = policy().parse().unwrap();
        assert_eq!(
            (parsed.tier, parsed.order, parsed.staged),
            (Tier::Normal, DEFAULT_ORDER, false)
        );
        assert_eq!(policy().filled_from(&placed()), placed());
        assert_eq!(
            policy().spelled_out().filled_from(&placed()).terse(),
            policy()
        );
    }

    #[test]
    fn the_default_is_stored_in_one_spelling() {
        assert_eq!(policy().spelled_out().terse(), policy());
        assert_eq!(placed().terse(), placed());
        let normal = serde_json::to_value(policy().spelled_out().terse()).unwrap();
        let fields: Vec<&String> = normal.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["key", "policyName", "tenantName"]);
    }

    #[test]
    fn a_wrong_field_is_named() {
        let long = Some("x".repeat(257));
        for (field, wrong) in [
            (
                "tier",
                Policy {
                    tier: "Admin".into(),
                    ..policy()
                },
            ),
            (
                "order",
                Policy {
                    order: Some(16384),
                    ..policy()
                },
            ),
            (
                "description",
                Policy {
                    description: long,
                    ..policy()
                },
            ),
            (
                "description",
                Policy {
                    description: Some("a\nb".into()),
                    ..policy()
                },
            ),
        ] {
            assert_eq!(wrong.parse().unwrap_err().field, field);
        }
    }
}
