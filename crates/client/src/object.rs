//! The configuration objects and their places in the API.

use contiv_model::object::Keyed;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;
use crate::transport::{Client, encode};

/// A configuration object that can be sent and read: it lives at `/api/v1/<PLURAL>/<key>/`.
pub trait Object: Keyed + Serialize + DeserializeOwned {}

impl<T: Keyed + Serialize + DeserializeOwned> Object for T {}

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
        self.put_json(&object_path::<O>("", &object.key_of_fields())?, object)
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
    use contiv_model::object::{Network, Tenant};

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
}
