//! The configuration objects and their places in the API.

use bytes::Bytes;
use contiv_model::encode_segment;
use contiv_model::object::Keyed;
use hyper::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;
use crate::transport::{Client, written};

/// A configuration object that can be sent and read: it lives at `/api/v1/<PLURAL>/<key>/`.
pub trait Object: Keyed + PartialEq + Serialize + DeserializeOwned {}

impl<T: Keyed + PartialEq + Serialize + DeserializeOwned> Object for T {}

/// Which state of an object was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(HeaderValue);

/// What must be so of an object for it to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none of its key.
    Absent,
    /// There is one.
    Present,
    /// It is the one that was read.
    Seen(EntityTag),
}

impl Expect {
    fn header(&self) -> (HeaderName, HeaderValue) {
        let any = HeaderValue::from_static("*");
        match self {
            Expect::Absent => (IF_NONE_MATCH, any),
            Expect::Present => (IF_MATCH, any),
            Expect::Seen(EntityTag(tag)) => (IF_MATCH, tag.clone()),
        }
    }
}

impl Client {
    /// Every object of one type, of all tenants.
    pub async fn list<O: Object>(&self) -> Result<Vec<O>, Error> {
        self.get_json(&format!("/api/v1/{}/", O::PLURAL)).await
    }

    /// One object; [`Error::is_not_found`] when there is none.
    pub async fn get<O: Object>(&self, key: &str) -> Result<O, Error> {
        self.get_json(&object_path::<O>("", key)?).await
    }

    /// One object, and which state of it this is.
    pub async fn get_tagged<O: Object>(&self, key: &str) -> Result<(O, EntityTag), Error> {
        let path = object_path::<O>("", key)?;
        let answer = self.call(Method::GET, &path, Bytes::new()).await?;
        let tag = answer.response.headers().get(ETAG).cloned();
        // Who tells no states apart can still tell whether there is one.
        let tag = EntityTag(tag.unwrap_or(HeaderValue::from_static("*")));
        Ok((answer.json(&path).await?, tag))
    }

    /// Creates or changes the object if what is expected is so;
    /// [`Error::is_precondition_failed`] when it is not. A repeat that finds it done, after a lost
    /// answer, succeeds.
    pub async fn put_if<O: Object>(&self, object: &O, expect: &Expect) -> Result<O, Error> {
        let key = object.key_of_fields();
        let path = object_path::<O>("", &key)?;
        let body = written(&path, object)?;
        let condition = Some(expect.header());
        let answer = self.call_if(Method::PUT, &path, body, condition).await?;
        let failed = answer.response.status() == StatusCode::PRECONDITION_FAILED;
        if failed
            && answer.repeated
            && let Ok(stored) = self.get::<O>(&key).await
            && stored == *object
        {
            return Ok(stored);
        }
        answer.json(&path).await
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
    Ok(format!(
        "/api/v1/{prefix}{}/{}/",
        O::PLURAL,
        encode_segment(key)
    ))
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
