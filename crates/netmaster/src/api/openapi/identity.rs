//! Who may ask, and the paths that make tokens.

use contiv_model::identity::{AdminTokenAnswer, JoinTokenAnswer, JoinTokenRequest};
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Paths, Ref, Required};

use super::parts::{Schemas, answer, component, content, get_operation, refusal};

const BEARER: &str = "bearer";

/// The administrator's token, as every path takes it beyond the loopback.
pub(super) fn scheme() -> (&'static str, SecurityScheme) {
    let http = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The administrator's token, asked for at every address but the plain ones of the \
             loopback; a request without it is answered with 401.",
        ))
        .build();
    (BEARER, SecurityScheme::Http(http))
}

/// The loopback wants nothing, the network the token.
pub(super) fn requirements() -> [SecurityRequirement; 2] {
    let nothing = SecurityRequirement::default();
    [SecurityRequirement::new(BEARER, [""; 0]), nothing]
}

/// Describes `POST /api/v1/tokens/…`.
pub(super) fn identity(schemas: &mut Schemas, paths: &mut Paths) {
    component::<JoinTokenRequest>(schemas);
    component::<JoinTokenAnswer>(schemas);
    component::<AdminTokenAnswer>(schemas);
    let body = RequestBodyBuilder::new()
        .content(
            "application/json",
            content(Ref::from_schema_name("JoinTokenRequest").into()),
        )
        .required(Some(Required::True));
    let made = Ref::from_schema_name("JoinTokenAnswer").into();
    let join = get_operation("Make a token that lets one host join, once")
        .operation_id(Some("makeJoinToken"))
        .request_body(Some(body.build()))
        .response("200", answer(made, "The token, which is told only now."))
        .response("400", refusal("The request cannot be read."))
        .response("409", refusal("No master listens beyond its loopback."))
        .response("503", refusal("Nothing can be changed now."));
    let made = Ref::from_schema_name("AdminTokenAnswer").into();
    let admin = get_operation("Replace the administrator's token")
        .operation_id(Some("rotateAdminToken"))
        .response("200", answer(made, "The token, which is told only now."))
        .response("503", refusal("Nothing can be changed now."));
    for (path, operation) in [
        ("/api/v1/tokens/join/", join),
        ("/api/v1/tokens/admin/", admin),
    ] {
        let item = PathItem::new(HttpMethod::Post, operation);
        paths.paths.insert(path.to_owned(), item);
    }
}
