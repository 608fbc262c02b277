//! Many objects at once.

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use contiv_fabric::record::Stamp;
use contiv_fabric::{self as fabric, Image};
use contiv_model::manifest::{AppliedPlan, Apply, Declared};

use super::answer::Problem;
use super::body::Document;
use super::kind::Kind;
use super::{Shared, both};

/// Room for tens of thousands of objects.
pub(super) const MAX_OBJECTS: usize = 64 << 20;

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let methods = post(apply).layer(DefaultBodyLimit::max(MAX_OBJECTS));
    both(router, "/api/v1/apply/", methods)
}

/// Makes what there is what is declared, in one revision; or tells what that would change.
async fn apply(
    State(shared): State<Shared>,
    Document(mut request): Document<Apply>,
) -> Result<Json<AppliedPlan>, Problem> {
    let stamps = complete(&shared, &mut request);
    let decide = |image: &Image| {
        let decide = |reports: &_| fabric::apply(image, reports, &stamps, &request);
        shared.hosts.read(decide)
    };
    let granted = shared.ledger.decide(decide).await?;
    let (plan, revision) = (granted.answer, granted.revision.to_string());
    let (steps, dry_run) = (plan.steps.len(), request.dry_run);
    tracing::info!(steps, dry_run, revision, "applied");
    Ok(Json(AppliedPlan { plan, revision }))
}

/// Fills in what the master decides for declared objects, and gives a stamp for each that is made.
pub(super) fn complete(shared: &Shared, request: &mut Apply) -> Vec<Stamp> {
    for object in &mut request.objects {
        if let Declared::Network(network) = object {
            network.complete(shared.netmode);
        }
    }
    let stamp = |_: &Declared| shared.clock.stamp();
    request.objects.iter().map(stamp).collect()
}
