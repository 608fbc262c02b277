//! This host's membership: its key, its certificate, and how it gets them.
//!
//! | file in the state directory | |
//! | --- | --- |
//! | `host.key` | made here, never sent anywhere |
//! | `host.pem` | the certificate, then the authority's |
//! | `ca.pem` | the authority's certificate |

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use contiv_client::{Access, Client, MasterAddress, Timeouts};
use contiv_identity::{
    Certificate, Fingerprint, HostKey, JoinToken, Presented, write_private_file,
};
use contiv_model::identity::{JoinRequest, Joined};
use tokio::time::{Instant, sleep};

use crate::app::BadOption;
use crate::config::Config;

/// How long a host that joins looks for a master before its start has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries.
const RETRY: Duration = Duration::from_secs(1);

/// Long enough before the end for somebody to see it.
const WARNING: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Before the certificate, the id of the token that it was given for.
const BY: &str = "joined by token ";

/// Why this host is no member.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The state directory cannot be used.
    #[error("--state-dir: {}: {source}", .path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// What is in the state directory, or in the token, is no use.
    #[error("{what}: {source}")]
    Unusable {
        what: String,
        #[source]
        source: contiv_identity::Error,
    },
    /// No master lets it join.
    #[error("this host cannot join: {0}")]
    Refused(contiv_client::Error),
    /// What the master sent is not what was asked for.
    #[error("this host cannot join: the master answered with {0}; see to its version")]
    Wrong(&'static str),
}

/// What this host shows to its masters.
///
/// 1. Masters of the loopback want nothing.
/// 2. A host that has joined shows its certificate. The token that it has joined by is then left
///    alone, so that it may stay in a file of settings; another one is a wish to join anew.
/// 3. Otherwise it joins by its token: it makes a key, keeps it, and asks the masters of the
///    token's authority for a certificate. When the answer gets lost it asks again with the same
///    key, which the masters answer alike.
pub(crate) async fn access(
    config: &Config,
    host: &str,
    masters: &[MasterAddress],
) -> anyhow::Result<Access> {
    if !masters.iter().any(MasterAddress::is_secure) {
        return Ok(Access::default());
    }
    let files = Files(config.state_dir.clone());
    let token = token(config)?;
    match files.membership(host, token.as_ref())? {
        Some(access) => Ok(access),
        None => {
            let Some(token) = token else {
                let reason = format!(
                    "host {host} has not joined, or its certificate has expired; give it a token \
                     of `netctl host token`"
                );
                let option = "--join-token";
                return Err(BadOption { option, reason }.into());
            };
            let access = join(&files, host, &token, masters).await?;
            tracing::info!(host, "this host has joined");
            Ok(access)
        }
    }
}

async fn join(
    files: &Files,
    host: &str,
    token: &JoinToken,
    masters: &[MasterAddress],
) -> anyhow::Result<Access> {
    let key = files.key()?;
    let request = JoinRequest {
        token: token.to_string(),
        host: host.to_owned(),
        request: key.request(host).map_err(unusable("host.key"))?,
    };
    let stranger = Access {
        authority: Some(token.authority),
        ..Access::default()
    };
    let client = Client::of(masters.to_vec(), Timeouts::default(), &stranger)?;
    let by = Instant::now() + PATIENCE;
    let joined = loop {
        match client.join(&request).await {
            Ok(joined) => break joined,
            Err(error) if error.is_transient() && Instant::now() < by => {
                tracing::warn!(%error, "no master to join yet");
                sleep(RETRY).await;
            }
            Err(error) => return Err(Error::Refused(error).into()),
        }
    };
    check(&joined, token, host, &key)?;
    files.write("ca.pem", &joined.authority)?;
    let kept = format!("{BY}{}\n{}", token.id, joined.certificate);
    files.write("host.pem", &kept)?;
    Ok(Access::with_certificate(
        token.authority,
        Certificate {
            chain: joined.certificate,
            key: key.to_pem(),
        },
    ))
}

/// The handshake has proved who answers; this is about what they answer.
fn check(joined: &Joined, token: &JoinToken, host: &str, key: &HostKey) -> Result<(), Error> {
    let authority = Fingerprint::of_pem(&joined.authority);
    if authority != Ok(token.authority) {
        return Err(Error::Wrong("another authority's certificate"));
    }
    match Presented::read_pem(&joined.certificate) {
        Ok(of) if of.host.as_deref() == Some(host) && of.public_key == key.public() => Ok(()),
        _ => Err(Error::Wrong("another host's certificate")),
    }
}

fn token(config: &Config) -> anyhow::Result<Option<JoinToken>> {
    let given = config.join_token.clone().filter(|token| !token.is_empty());
    let text = match (given, &config.join_token_file) {
        (Some(token), _) => token,
        (None, Some(file)) => fs::read_to_string(file).map_err(|error| BadOption {
            option: "--join-token-file",
            reason: format!("{}: {error}", file.display()),
        })?,
        (None, None) => return Ok(None),
    };
    let token = text
        .parse()
        .map_err(|e: contiv_identity::Error| BadOption {
            option: "--join-token",
            reason: e.to_string(),
        })?;
    Ok(Some(token))
}

/// The state directory.
struct Files(PathBuf);

impl Files {
    /// What the host has; none when it has nothing, or nothing that is still good.
    ///
    /// A certificate of another name is of an earlier life of this machine, and one that was given
    /// for another token than the present one is to be replaced.
    fn membership(&self, host: &str, token: Option<&JoinToken>) -> Result<Option<Access>, Error> {
        let (Some(chain), Some(key)) = (self.read("host.pem")?, self.read("host.key")?) else {
            return Ok(None);
        };
        let Some(authority) = self.read("ca.pem")? else {
            return Ok(None);
        };
        let shown = Presented::read_pem(&chain).map_err(unusable("host.pem"))?;
        let authority = Fingerprint::of_pem(&authority).map_err(unusable("ca.pem"))?;
        if shown.host.as_deref() != Some(host) {
            tracing::warn!(host, has = ?shown.host, "the certificate is for another name");
            return Ok(None);
        }
        let by = chain.lines().next().and_then(|line| line.strip_prefix(BY));
        if token.is_some_and(|token| by != Some(token.id.as_str())) {
            return Ok(None);
        }
        match left(&shown) {
            None => {
                tracing::error!(host, "the certificate has expired");
                return Ok(None);
            }
            Some(left) if left < WARNING => {
                let days = left.as_secs() / (24 * 60 * 60);
                tracing::warn!(
                    host,
                    days,
                    "the certificate expires soon; start anew with a token of `netctl host token`"
                );
            }
            Some(_) => {}
        }
        let certificate = Certificate { chain, key };
        Ok(Some(Access::with_certificate(authority, certificate)))
    }

    /// The key of this host, made when there is none.
    fn key(&self) -> Result<HostKey, Error> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0);
        made.map_err(directory(&self.0))?;
        if let Some(pem) = self.read("host.key")? {
            return HostKey::from_pem(&pem).map_err(unusable("host.key"));
        }
        let key = HostKey::new().map_err(unusable("host.key"))?;
        self.write("host.key", &key.to_pem())?;
        Ok(key)
    }

    fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(directory(&path)(error)),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.0.join(name);
        write_private_file(&path, text).map_err(directory(&path))
    }
}

/// How long a certificate is still good for.
fn left(shown: &Presented) -> Option<Duration> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let until = Duration::from_millis(shown.until);
    until.checked_sub(now.unwrap_or_default())
}

fn directory(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Directory { path, source }
}

fn unusable(what: &str) -> impl FnOnce(contiv_identity::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Unusable { what, source }
}

#[cfg(test)]
mod tests;
