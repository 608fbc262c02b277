//! The configuration objects and their places in the API.

use contiv_model::object::{EndpointGroup, Global, Network, Policy, Rule, Tenant};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;
use crate::transport::{Client, encode};

/// A configuration object: it lives at `/api/v1/<PLURAL>/<key>/`.
pub trait Object: Serialize + DeserializeOwned {
    /// The object's name in paths, in the spelling of the original.
    const PLURAL: &'static str;
    /// The object's name for people.
    const NOUN: &'static str;

    /// The names that lead to the object, joined by colons.
    fn key(&self) -> String;
}

macro_rules! object {
    ($type:ty, $plural:literal, $noun:literal, $($field:ident),+) => {
        impl Object for $type {
            const PLURAL: &'static str = $plural;
            const NOUN: &'static str = $noun;

            fn key(&self) -> String {
                [$(self.$field.as_str()),+].join(":")
            }
        }
    };
}

object!(Tenant, "tenants", "tenant", tenant_name);
object!(Network, "networks", "network", tenant_name, network_name);
object!(
    EndpointGroup,
    "endpointGroups",
    "group",
    tenant_name,
    group_name
);
object!(Policy, "policys", "policy", tenant_name, policy_name);
object!(Rule, "rules", "rule", tenant_name, policy_name, rule_id);
object!(Global, "globals", "global", name);

impl Client {
    /// Every object of one type, of all tenants.
    pub async fn list<O: Object>(&self) -> Result<Vec<O>, Error> {
        self.get_json(&format!("/api/v1/{}/", O::PLURAL)).await
    }

    /// One object; [`Error::is_not_found`] when there is none.
    pub async fn get<O: Object>(&self, key: &str) -> Result<O, Error> {
        self.get_json(&object_path::<O>("", key)?).await
    }

    /// Creates the object, or changes it when its key is known; gives it as stored.
    pub async fn put<O: Object>(&self, object: &O) -> Result<O, Error> {
        self.put_json(&object_path::<O>("", &object.key())?, object)
            .await
    }

    /// Deletes an object. A repeat that finds it gone, after a lost answer, succeeds.
    pub async fn delete<O: Object>(&self, key: &str) -> Result<(), Error> {
        self.delete_at(&object_path::<O>("", key)?).await
    }

    /// The object with its operational state, `{"Config": …, "Oper": …}`.
    pub async fn inspect<O: Object>(&self, key: &str) -> Result<Value, Error> {
        self.get_json(&object_path::<O>("inspect/", key)?).await
    }
}

/// The path of an object. An empty key would name the list, and `DELETE` it.
fn object_path<O: Object>(prefix: &str, key: &str) -> Result<String, Error> {
    if key.is_empty() {
        return Err(Error::EmptyName { what: O::NOUN });
    }
    Ok(format!("/api/v1/{prefix}{}/{}/", O::PLURAL, encode(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_colons_and_escape_the_rest() {
        let path = object_path::<Network>("inspect/", "blue:a/../b?x#ü").unwrap();
        assert_eq!(
            path,
            "/api/v1/inspect/networks/blue:a%2F..%2Fb%3Fx%23%C3%BC/"
        );
        assert!(object_path::<Tenant>("", "").is_err());
    }

    #[test]
    fn keys_join_the_names_in_order() {
        let rule = Rule {
            tenant_name: "t".into(),
            policy_name: "p".into(),
            rule_id: "1".into(),
            ..Rule::default()
        };
        assert_eq!(rule.key(), "t:p:1");
    }
}
