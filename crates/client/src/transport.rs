//! Requests and answers: masters in order, one deadline, JSON only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::access::Access;
use crate::address::{MasterAddress, masters};
use crate::answer::Answer;
use crate::connections::{Connections, NoAnswer};
use crate::dial::Dial;
use crate::error::{Attempt, Error, too_slow};
use crate::silence::Missed;
use crate::timeouts::Timeouts;

/// A client of one netmaster, or of several that serve the same store.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    masters: Vec<MasterAddress>,
    /// The master that answered last; the next call starts with it.
    preferred: AtomicUsize,
    /// Seconds by which the oldest answer was old.
    age: AtomicU64,
    timeouts: Timeouts,
    missed: Missed,
    /// `Bearer …`, for masters that are known by their certificate.
    authorization: Option<HeaderValue>,
    http: Connections,
}

/// How old an answer is whose master cannot hear its store.
const STATE_AGE: &str = "contiv-state-age";

impl Shared {
    fn note_age(&self, headers: &HeaderMap) {
        let age = headers.get(STATE_AGE).and_then(|age| age.to_str().ok());
        if let Some(age) = age.and_then(|age| age.parse().ok()) {
            self.age.fetch_max(age, Ordering::Relaxed);
        }
    }
}

impl Client {
    /// A client of the masters of a comma-separated list, all on the loopback.
    pub fn new(list: &str, timeouts: Timeouts) -> Result<Client, Error> {
        Client::of(masters(list)?, timeouts, &Access::default())
    }

    /// A client of these masters. Must be called inside a Tokio runtime.
    pub fn of(
        masters: Vec<MasterAddress>,
        timeouts: Timeouts,
        access: &Access,
    ) -> Result<Client, Error> {
        if masters.is_empty() {
            return Err(Error::NoMaster);
        }
        access.check(&masters)?;
        let http = Connections::new(access.config()?, timeouts.connect);
        Client::with(masters, timeouts, access, http)
    }

    /// A client of these masters by connections of another making, without encryption.
    pub fn through(
        dial: Dial,
        masters: Vec<MasterAddress>,
        timeouts: Timeouts,
    ) -> Result<Client, Error> {
        if masters.is_empty() {
            return Err(Error::NoMaster);
        }
        let http = Connections::dialed(dial);
        Client::with(masters, timeouts, &Access::default(), http)
    }

    fn with(
        masters: Vec<MasterAddress>,
        timeouts: Timeouts,
        access: &Access,
        http: Connections,
    ) -> Result<Client, Error> {
        let shared = Shared {
            masters,
            preferred: AtomicUsize::new(0),
            age: AtomicU64::new(0),
            timeouts,
            missed: Missed::default(),
            authorization: access.authorization()?,
            http,
        };
        Ok(Client {
            shared: Arc::new(shared),
        })
    }

    /// The masters, for messages.
    pub fn masters(&self) -> &[MasterAddress] {
        &self.shared.masters
    }

    /// One client per master, for what each of them is to hear. They share this one's
    /// connections.
    pub fn each(&self) -> Vec<Client> {
        let of = |master: &MasterAddress| Client {
            shared: Arc::new(Shared {
                masters: vec![master.clone()],
                preferred: AtomicUsize::new(0),
                age: AtomicU64::new(0),
                timeouts: self.shared.timeouts,
                missed: self.shared.missed.clone(),
                authorization: self.shared.authorization.clone(),
                http: self.shared.http.clone(),
            }),
        };
        self.shared.masters.iter().map(of).collect()
    }

    pub(crate) fn missed(&self) -> &Missed {
        &self.shared.missed
    }

    /// How old the oldest answer so far was: none when all of them were of the present.
    pub fn state_age(&self) -> Option<Duration> {
        match self.shared.age.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.shared.timeouts
    }

    /// Asks for the document at `path`.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.call(Method::GET, path, Bytes::new()).await?;
        answer.json(path).await
    }

    /// Asks for what is at `path`, as it is.
    pub async fn get_text(&self, path: &str) -> Result<String, Error> {
        let answer = self.call(Method::GET, path, Bytes::new()).await?;
        let (_, body) = answer.success().await?.body().await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn put_json<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        let answer = self.call(Method::PUT, path, written(path, body)?).await?;
        answer.json(path).await
    }

    pub(crate) async fn post_json<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        let answer = self.call(Method::POST, path, written(path, body)?).await?;
        answer.json(path).await
    }

    pub(crate) async fn delete_at(&self, path: &str) -> Result<(), Error> {
        let answer = self.call(Method::DELETE, path, Bytes::new()).await?;
        if answer.repeated && answer.response.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        answer.json::<serde_json::Value>(path).await.map(drop)
    }

    /// Sends one request without a condition.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, Error> {
        self.call_if(method, path, body, None).await
    }

    /// Sends one request, with the header of a condition, to the first master that answers it.
    ///
    /// 1. Begin with the master that answered last; each of those left may use
    ///    an equal share of what is left of the deadline.
    /// 2. A kept connection that turns out to be closed is replaced once.
    /// 3. A master that answers 503 cannot serve now: the next one is asked. If
    ///    nobody serves, the error has the words of each.
    /// 4. Every call of the API may be repeated, so a lost answer is no obstacle.
    pub(crate) async fn call_if(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        condition: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Answer, Error> {
        let Shared {
            masters,
            preferred,
            timeouts,
            ..
        } = &*self.shared;
        let deadline = Instant::now() + timeouts.call;
        let first = preferred.load(Ordering::Relaxed);
        let (mut tried, mut unavailable, mut repeated) = (Vec::new(), false, false);
        for step in 0..masters.len() {
            let index = (first + step) % masters.len();
            let master = &masters[index];
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(masters.len() - step).unwrap_or(u32::MAX);
            let by = Instant::now() + share;
            let mut request = request(&method, master, path, &body)?;
            let headers = request.headers_mut();
            if let Some((name, value)) = &condition {
                headers.insert(name, value.clone());
            }
            if let Some(authorization) = self.shared.authorization.as_ref()
                && master.is_secure()
            {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
            let why = match self.send(request, share).await {
                Ok((response, again)) => {
                    repeated |= again;
                    let status = response.status();
                    self.shared.note_age(response.headers());
                    let mut answer = Answer {
                        master: master.to_string(),
                        response,
                        repeated,
                        deadline,
                    };
                    if status != StatusCode::SERVICE_UNAVAILABLE {
                        preferred.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    // Its store may have done it, and not have said so.
                    (repeated, unavailable) = (true, true);
                    answer.deadline = by;
                    answer.why_not().await
                }
                Err(failure) => {
                    repeated |= failure.maybe_done;
                    self.shared.missed.note(&master.to_string());
                    failure.why
                }
            };
            let master = master.to_string();
            tried.push(Attempt { master, why });
        }
        Err(match unavailable {
            true => Error::Unavailable { tried },
            false => Error::Unreachable { tried },
        })
    }

    /// The answer of one master, and whether an earlier try at it got lost.
    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        share: Duration,
    ) -> Result<(Response<Incoming>, bool), Failure> {
        let by = Instant::now() + share;
        let mut lost = None;
        for _ in 0..2 {
            match timeout_at(by, self.shared.http.ask(request.clone())).await {
                Ok(Ok(response)) => return Ok((response, lost.is_some())),
                Ok(Err(NoAnswer { why, is_unsent })) => {
                    if is_unsent {
                        return Err(Failure {
                            why,
                            maybe_done: lost.is_some(),
                        });
                    }
                    lost = Some(why);
                }
                Err(_) => {
                    return Err(Failure {
                        why: too_slow(share),
                        maybe_done: true,
                    });
                }
            }
        }
        Err(Failure {
            why: lost.unwrap_or_default(),
            maybe_done: true,
        })
    }
}

/// One failed try at one master.
struct Failure {
    why: String,
    /// The master may have done what it was asked for.
    maybe_done: bool,
}

fn request(
    method: &Method,
    master: &MasterAddress,
    path: &str,
    body: &Bytes,
) -> Result<Request<Full<Bytes>>, Error> {
    let mut builder = Request::builder()
        .method(method)
        .uri(master.uri(path)?)
        .header(ACCEPT, "application/json")
        .header(
            USER_AGENT,
            concat!("contiv-client/", env!("CARGO_PKG_VERSION")),
        );
    if !body.is_empty() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    Ok(builder
        .body(Full::new(body.clone()))
        .expect("method, address and headers are valid"))
}

pub(crate) fn written<B: Serialize + ?Sized>(path: &str, body: &B) -> Result<Bytes, Error> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|source| Error::Unwritable {
            path: path.to_owned(),
            source,
        })
}
