//! Who may speak to masters: the authority, the administrator, hosts that join.

use crate::decision::{Decided, Draft, settled};
use crate::identity::{AdminRecord, AuthorityRecord, CertificateRecord, Place, TokenRecord, Used};
use crate::image::Image;
use crate::key::Key;
use crate::refusal::Refusal;

/// How a host that has no token gets one; the end of refusals.
const ANOTHER: &str = "`netctl host token` makes another";

/// A host that asks to join.
#[derive(Clone, Debug)]
pub struct Join<'a> {
    pub host: &'a str,
    /// The id of its token.
    pub token: &'a str,
    /// The certificate that it would get.
    pub certificate: &'a CertificateRecord,
}

/// Gives the store this authority, unless it has one: the first master's stands.
pub fn found_authority(image: &Image, proposed: &AuthorityRecord) -> Decided<AuthorityRecord> {
    if let Some(known) = image.identity().authority() {
        return Ok(settled(known.clone()));
    }
    let mut draft = Draft::new(image);
    draft.put(&Key::Identity(Place::Authority), proposed);
    Ok(draft.answer(proposed.clone()))
}

/// Gives the store its first administrator's token; true when it had none.
pub fn found_admin(image: &Image, proposed: &AdminRecord) -> Decided<bool> {
    if let Some(known) = image.identity().admin() {
        return Ok(settled(known == proposed));
    }
    rotate_admin(image, proposed).map(|decision| {
        let transaction = decision.transaction;
        crate::Decision {
            transaction,
            answer: true,
        }
    })
}

/// Puts another administrator's token in place of the one there is.
pub fn rotate_admin(image: &Image, admin: &AdminRecord) -> Decided<()> {
    let mut draft = Draft::new(image);
    draft.put(&Key::Identity(Place::Admin), admin);
    Ok(draft.answer(()))
}

/// Takes a new join token, and forgets those whose time is over.
pub fn put_token(image: &Image, now: u64, id: &str, token: &TokenRecord) -> Decided<()> {
    if image.identity().authority().is_none() {
        let message = "no master listens beyond its loopback, so that no host can join; give \
                       netmaster a --listen-url that others reach";
        return Err(Refusal::conflict("", message));
    }
    let mut draft = Draft::new(image);
    let old = image.identity().tokens.iter();
    for (id, _) in old.filter(|(_, token)| token.until <= now) {
        draft.delete(&Key::Identity(Place::Token(id.clone())));
    }
    draft.put(&Key::Identity(Place::Token(id.to_owned())), token);
    Ok(draft.answer(()))
}

/// Lets a host join, and uses its token up in the same transaction.
///
/// 1. The token must be one of ours, in its time; `proved` compares the secret's hash.
/// 2. A token that names a host is for that host alone.
/// 3. A token is used once. The host that used it may ask again, since an answer can get lost:
///    it has the same key then, and gets the same certificate.
/// 4. A name is one host's: while its certificate lives, another key gets the name only by a token
///    that names the host.
pub fn join(
    image: &Image,
    now: u64,
    request: &Join<'_>,
    proved: impl Fn(&str) -> bool,
) -> Decided<CertificateRecord> {
    let Join {
        host,
        token: id,
        certificate,
    } = *request;
    let known = image.identity().tokens.get(id);
    let Some(token) = known.filter(|token| proved(&token.hash)) else {
        let message = format!("the join token is not known, or no longer; {ANOTHER}");
        return Err(Refusal::denied("token", message));
    };
    if token.until <= now {
        let message = format!("the join token has expired; {ANOTHER}");
        return Err(Refusal::denied("token", message));
    }
    if let Some(named) = token.host.as_ref().filter(|named| *named != host) {
        let message = format!(
            "the join token is for host {named}, not for {host}; `netctl host token --host {host}` \
             makes one"
        );
        return Err(Refusal::denied("token", message));
    }
    let used = Used {
        host: host.to_owned(),
        public_key: certificate.public_key.clone(),
    };
    let living = image.identity().certificate(host);
    let living = living.filter(|known| known.until > now);
    if let Some(before) = &token.used {
        return match living {
            Some(known) if *before == used && known.public_key == used.public_key => {
                Ok(settled(known.clone()))
            }
            _ => {
                let message = format!(
                    "the join token was used by host {} already; {ANOTHER}",
                    before.host
                );
                Err(Refusal::denied("token", message))
            }
        };
    }
    let another = living.is_some_and(|known| known.public_key != used.public_key);
    if another && token.host.is_none() {
        let message = format!(
            "a host {host} has joined already; give this one another name by --host-label, or, if \
             it is the same and has lost its key, join with a token of `netctl host token --host \
             {host}`"
        );
        return Err(Refusal::conflict("host", message));
    }
    let mut draft = Draft::new(image);
    let token = TokenRecord {
        used: Some(used),
        ..token.clone()
    };
    draft.put(&Key::Identity(Place::Token(id.to_owned())), &token);
    let place = Place::Certificate(host.to_owned());
    draft.put(&Key::Identity(place), certificate);
    Ok(draft.answer(certificate.clone()))
}

/// Forgets the certificate of a host, which cannot speak until it joins anew.
pub fn expel(image: &Image, host: &str) -> Decided<()> {
    let mut draft = Draft::new(image);
    forget_certificate(&mut draft, image, host);
    Ok(draft.answer(()))
}

/// What the removal of a host does to its certificate.
pub(crate) fn forget_certificate(draft: &mut Draft<'_>, image: &Image, host: &str) {
    if image.identity().certificate(host).is_some() {
        let place = Place::Certificate(host.to_owned());
        draft.delete(&Key::Identity(place));
    }
}
