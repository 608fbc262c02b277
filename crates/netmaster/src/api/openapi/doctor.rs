//! The path that tells what is not well.

use contiv_model::doctor::{Diagnosis, DoctorRequest};
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{Paths, Ref, Required};

use super::objects::REFUSALS;
use super::parts::{Schemas, answer, component, content, get_operation, refusal};

/// Describes `/api/v1/doctor/`.
pub(super) fn doctor(schemas: &mut Schemas, paths: &mut Paths) {
    component::<DoctorRequest>(schemas);
    component::<Diagnosis>(schemas);
    let body = RequestBodyBuilder::new()
        .content(
            "application/json",
            content(Ref::from_schema_name("DoctorRequest").into()),
        )
        .required(Some(Required::True))
        .build();
    let told = answer(
        Ref::from_schema_name("Diagnosis").into(),
        "What was found, the worst first.",
    );
    let operation = get_operation("Examine the fabric and its hosts")
        .operation_id(Some("doctor"))
        .request_body(Some(body))
        .response("200", told);
    let refusals = REFUSALS.iter().filter(|(status, _)| *status != "412");
    let operation = refusals.fold(operation, |operation, (status, why)| {
        operation.response(*status, refusal(why))
    });
    let path = PathItem::new(HttpMethod::Post, operation);
    paths.paths.insert("/api/v1/doctor/".to_owned(), path);
}
