//! Two faults before a master: what it refuses to an endpoint is done nevertheless.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use contiv_fabric::{Decision, Image, Key};
use contiv_model::agent::EndpointRequest;
use contiv_store::{Transaction, Write};
use http_body_util::BodyExt;
use netmaster::Ledger;

use crate::fault::Fault;

/// Sets the fault before a master, if it is one of these.
pub(crate) fn layer(router: Router, fault: Option<Fault>, ledger: &Arc<Ledger>) -> Router {
    let Some(fault @ (Fault::Takeover | Fault::Moved)) = fault else {
        return router;
    };
    let ledger = Arc::clone(ledger);
    router.layer(from_fn(move |request: Request, next: Next| {
        put(fault, Arc::clone(&ledger), request, next)
    }))
}

async fn put(fault: Fault, ledger: Arc<Ledger>, request: Request, next: Next) -> Response {
    if request.method() != Method::PUT || !request.uri().path().contains("/endpoints/") {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let bytes = bytes.unwrap_or_default();
    let asked = |bytes| Request::from_parts(head.clone(), Body::from(bytes));
    let answer = next.clone().run(asked(bytes.clone())).await;
    let wish = serde_json::from_slice::<EndpointRequest>(&bytes);
    let (StatusCode::CONFLICT, Ok(mut wish)) = (answer.status(), wish) else {
        return answer;
    };
    match fault {
        Fault::Takeover => free(&ledger, &wish).await,
        _ => wish.ipv4 = None,
    }
    wish.mac = None;
    next.run(asked(serde_json::to_vec(&wish).unwrap_or_default().into()))
        .await
}

/// Takes the address away from whoever has it.
async fn free(ledger: &Ledger, wish: &EndpointRequest) {
    let network = format!("{}:{}", wish.pool.tenant, wish.pool.network);
    let decide = |image: &Image| {
        let number = image.network(&network).map(|n| n.record.number);
        let address = wish.ipv4.map(IpAddr::from);
        let key = number
            .zip(address)
            .map(|(n, a)| Key::Address(n, a).to_string());
        let held = key.filter(|key| image.number_of(key) > 0);
        let writes = held.into_iter().map(|key| Write::Delete { key }).collect();
        Ok(Decision {
            transaction: Transaction {
                writes,
                ..Transaction::default()
            },
            answer: (),
        })
    };
    drop(ledger.decide(decide).await);
}
