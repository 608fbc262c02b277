//! The certificate of a master over time.

use std::sync::Arc;
use std::time::Duration;

use contiv_identity::{Authority, Lifetimes, Presented};
use rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use super::certificate::ServerCertificate;
use super::names::Names;
use crate::clock::now;

fn certificate(server: Duration) -> ServerCertificate {
    let lifetimes = Lifetimes {
        server,
        ..Lifetimes::default()
    };
    let authority = Authority::new(now(), &lifetimes).unwrap();
    let listen = ["https://127.0.0.1:1".parse().unwrap()];
    let names = Names::new(&listen, &["m1".into()]);
    ServerCertificate::new(Arc::new(authority), lifetimes, names).unwrap()
}

fn shown(certificate: &ServerCertificate) -> CertificateDer<'static> {
    certificate.certified().cert[0].clone()
}

#[test]
fn it_is_made_anew_in_time_and_not_before() {
    let server = certificate(Duration::from_secs(900));
    let (first, begin) = (shown(&server), now());
    assert!(server.names().contains(&"m1".to_owned()));
    assert!(!server.look(begin + 590_000).unwrap());
    assert_eq!(shown(&server), first);
    assert!(server.look(begin + 610_000).unwrap());
    let second = shown(&server);
    let until = |der: &CertificateDer<'_>| Presented::read(der).unwrap().until;
    assert!(until(&second) > until(&first));
    assert!(!server.look(begin + 620_000).unwrap());
}

#[tokio::test]
async fn a_short_life_is_kept_up() {
    let server = Arc::new(certificate(Duration::from_secs(3)));
    let (first, stop) = (shown(&server), CancellationToken::new());
    let keeping = tokio::spawn({
        let (server, stop) = (Arc::clone(&server), stop.clone());
        async move { server.keep(stop).await }
    });
    let renewed = async {
        while shown(&server) == first {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed)
        .await
        .unwrap();
    let until = Presented::read(&first).unwrap().until;
    assert!(now() < until, "the first one was still good");
    stop.cancel();
    keeping.await.unwrap();
}
