//! Keys: the names that lead to an object, joined by colons.

use super::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use crate::invalid::Invalid;

/// An object that lives at `/api/v1/<PLURAL>/<key>/`.
pub trait Keyed {
    /// The object's name in paths, in the spelling of the original.
    const PLURAL: &'static str;
    /// The object's name for people.
    const NOUN: &'static str;
    /// The JSON names of the fields that make up the key, in order.
    const KEY_FIELDS: &'static [&'static str];

    /// The key that the fields spell.
    fn key_of_fields(&self) -> String;

    /// Takes the key of the URL as the object's own. Fields of the key that the body left out
    /// are filled from it; those that it has must say the same.
    fn adopt_key(&mut self, key: &str) -> Result<(), Invalid>;

    /// Refuses an object whose `key`, if it has one, is not what its fields spell.
    fn check_key(&self) -> Result<(), Invalid>;
}

macro_rules! keyed {
    ($type:ty, $plural:literal, $noun:literal, $($field:ident = $json:literal),+) => {
        impl Keyed for $type {
            const PLURAL: &'static str = $plural;
            const NOUN: &'static str = $noun;
            const KEY_FIELDS: &'static [&'static str] = &[$($json),+];

            fn key_of_fields(&self) -> String {
                [$(self.$field.as_str()),+].join(":")
            }

            fn adopt_key(&mut self, key: &str) -> Result<(), Invalid> {
                adopt::<Self>(key, &mut [$(&mut self.$field),+])?;
                self.key = key.to_owned();
                Ok(())
            }

            fn check_key(&self) -> Result<(), Invalid> {
                if self.key.is_empty() || self.key == self.key_of_fields() {
                    return Ok(());
                }
                Err(invalid_key::<Self>(&self.key, &self.key_of_fields()))
            }
        }
    };
}

keyed!(Tenant, "tenants", "tenant", tenant_name = "tenantName");
keyed!(
    Network,
    "networks",
    "network",
    tenant_name = "tenantName",
    network_name = "networkName"
);
keyed!(
    EndpointGroup,
    "endpointGroups",
    "group",
    tenant_name = "tenantName",
    group_name = "groupName"
);
keyed!(
    Policy,
    "policys",
    "policy",
    tenant_name = "tenantName",
    policy_name = "policyName"
);
keyed!(
    Rule,
    "rules",
    "rule",
    tenant_name = "tenantName",
    policy_name = "policyName",
    rule_id = "ruleId"
);
keyed!(Global, "globals", "global", name = "name");

fn adopt<O: Keyed>(key: &str, fields: &mut [&mut String]) -> Result<(), Invalid> {
    let parts: Vec<&str> = key.split(':').collect();
    if parts.len() != fields.len() || parts.contains(&"") {
        return Err(Invalid::new(
            "key",
            format!(
                "{key:?} is not the key of a {}; it has the form {}",
                O::NOUN,
                O::KEY_FIELDS.join(":")
            ),
        ));
    }
    for (field, part) in fields.iter_mut().zip(&parts) {
        if field.is_empty() {
            (*part).clone_into(field);
        }
    }
    let spelled = fields
        .iter()
        .map(|field| field.as_str())
        .collect::<Vec<_>>()
        .join(":");
    if spelled == key {
        Ok(())
    } else {
        Err(invalid_key::<O>(key, &spelled))
    }
}

fn invalid_key<O: Keyed>(key: &str, spelled: &str) -> Invalid {
    Invalid::new(
        "key",
        format!(
            "invalid key {key:?}: the {}'s fields spell {spelled:?}; make {} say the same as the \
             key",
            O::NOUN,
            O::KEY_FIELDS.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_key_fills_what_the_body_left_out() {
        let mut network = Network {
            key: "something:else".into(),
            network_name: "n".into(),
            ..Network::default()
        };
        network.adopt_key("blue:n").unwrap();
        assert_eq!(network.tenant_name, "blue");
        assert_eq!(network.key, "blue:n");
        assert!(network.check_key().is_ok());
    }

    #[test]
    fn what_the_body_says_must_be_what_the_url_says() {
        let mut rule = Rule {
            tenant_name: "red".into(),
            ..Rule::default()
        };
        let refused = rule.adopt_key("blue:p:1").unwrap_err();
        assert_eq!(refused.field, "key");
        assert!(refused.message.contains("\"red:p:1\""), "{refused}");
        rule.key = "blue:p:1".into();
        assert!(rule.check_key().is_err());
    }

    #[test]
    fn a_key_has_as_many_names_as_its_object() {
        for bad in ["blue", "blue:", ":n", "blue:n:x", "", ":"] {
            let refused = Network::default().adopt_key(bad).unwrap_err();
            assert!(
                refused.message.contains("tenantName:networkName"),
                "{refused}"
            );
        }
    }
}
