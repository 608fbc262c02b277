//! The door to the network: who is let in, and to what.

mod connections;
mod hosts;
mod people;

use std::net::SocketAddr;
use std::path::Path;

use contiv_client::{Access, Client, Error, Timeouts, masters};
use contiv_identity::{Certificate, Fingerprint, HostKey};
use contiv_model::identity::{JoinRequest, JoinTokenRequest, Joined};

use crate::master::Master;

/// A netmaster that also listens to strangers, and what it told of that.
pub(crate) struct Door {
    pub(crate) master: Master,
    pub(crate) address: SocketAddr,
    pub(crate) authority: Fingerprint,
}

impl Door {
    pub(crate) fn start(dir: &Path) -> Door {
        Door::of(Master::start_with(
            dir,
            &["--listen-url", "https://127.0.0.1:0"],
        ))
    }

    pub(crate) fn of(master: Master) -> Door {
        let line = master
            .said
            .lines()
            .find(|line| line.contains("serving https"));
        let word = |name: &str| {
            let (_, rest) = line.unwrap().split_once(name).unwrap();
            rest.split(' ').next().unwrap().to_owned()
        };
        Door {
            address: word("address=").parse().unwrap(),
            authority: word("authority=").parse().unwrap(),
            master,
        }
    }

    pub(crate) fn client(&self, access: &Access) -> Client {
        let master = masters(&format!("https://{}", self.address)).unwrap();
        Client::of(master, Timeouts::default(), access).unwrap()
    }

    /// Somebody who knows nothing but the authority.
    pub(crate) fn stranger(&self) -> Client {
        self.client(&Access {
            authority: Some(self.authority),
            ..Access::default()
        })
    }

    pub(crate) fn bearer(&self, token: &str) -> Client {
        self.client(&Access::with_token(self.authority, token))
    }

    /// A token for this host, or any when it is empty.
    pub(crate) async fn token(&self, host: &str) -> String {
        let request = JoinTokenRequest {
            host: host.into(),
            ttl_seconds: 0,
        };
        let client = self.master.client();
        client.make_join_token(&request).await.unwrap().token
    }

    pub(crate) async fn join(
        &self,
        host: &str,
        token: &str,
        key: &HostKey,
    ) -> Result<Joined, Error> {
        let request = JoinRequest {
            token: token.into(),
            host: host.into(),
            request: key.request(host).unwrap(),
        };
        self.stranger().join(&request).await
    }

    /// A client with the certificate of host `name`, which joins for it.
    pub(crate) async fn host(&self, name: &str) -> Client {
        let key = HostKey::new().unwrap();
        let token = self.token("").await;
        let joined = self.join(name, &token, &key).await.unwrap();
        self.member(&joined, &key)
    }

    pub(crate) fn member(&self, joined: &Joined, key: &HostKey) -> Client {
        let certificate = Certificate {
            chain: joined.certificate.clone(),
            key: key.to_pem(),
        };
        self.client(&Access::with_certificate(self.authority, certificate))
    }
}

/// The status and the words of a refusal.
#[track_caller]
pub(crate) fn refused<T>(answer: Result<T, Error>, status: u16, words: &str) {
    let Err(error) = answer else {
        panic!("it is not refused: {words}");
    };
    assert_eq!(error.status(), Some(status), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}
