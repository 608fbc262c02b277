//! The path that changes many objects at once.

use contiv_model::manifest::{AppliedPlan, Apply};
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{Paths, Ref, Required};

use super::objects::REFUSALS;
use super::parts::{Schemas, answer, component, content, get_operation, refusal};

/// Describes `POST /api/v1/apply/`.
pub(super) fn changes(schemas: &mut Schemas, paths: &mut Paths) {
    component::<Apply>(schemas);
    component::<AppliedPlan>(schemas);
    let body = RequestBodyBuilder::new()
        .content(
            "application/json",
            content(Ref::from_schema_name("Apply").into()),
        )
        .required(Some(Required::True));
    let plan = Ref::from_schema_name("AppliedPlan").into();
    let operation = get_operation("Make what there is what is declared, in one revision")
        .operation_id(Some("apply"))
        .request_body(Some(body.build()))
        .response("200", answer(plan, "What was done, or would be."));
    let refusals = REFUSALS.iter().filter(|(status, _)| *status != "412");
    let operation = refusals.fold(operation, |operation, (status, why)| {
        operation.response(*status, refusal(why))
    });
    let path = PathItem::new(HttpMethod::Post, operation);
    paths.paths.insert("/api/v1/apply/".to_owned(), path);
}
