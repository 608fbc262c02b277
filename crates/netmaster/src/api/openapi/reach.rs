//! The paths that tell who may reach whom.

use contiv_model::reach::{MatrixRequest, PolicyDiff, PolicyMatrix, Trace, TraceRequest};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Paths, Ref, Required};

use super::objects::REFUSALS;
use super::parts::{Schemas, answer, component, content, get_operation, query, refusal, text};

/// A parameter's name, and what it is about.
type Text = (&'static str, &'static str);

const TENANT: Text = ("tenantName", "`default` when absent.");
const FROM: Text = ("from", "An endpoint, a group, an address, or `host`.");
const TO: Text = ("to", "As `from`.");
const PROTOCOL: Text = ("protocol", "By name or number.");

/// Describes `/api/v1/trace/`, `/api/v1/matrix/` and `/api/v1/diff/`.
pub(super) fn reach(schemas: &mut Schemas, paths: &mut Paths) {
    component::<TraceRequest>(schemas);
    component::<Trace>(schemas);
    component::<MatrixRequest>(schemas);
    component::<PolicyMatrix>(schemas);
    component::<PolicyDiff>(schemas);
    let mut add = |name: &str, ids: [&str; 2], documents: [&str; 2], what: &str, texts: &[Text]| {
        let told = || {
            answer(
                Ref::from_schema_name(documents[1]).into(),
                "What was asked.",
            )
        };
        let asked = get_operation(what).operation_id(Some(ids[0]));
        let asked = numbers(texts.iter().fold(asked, |operation, (name, about)| {
            operation.parameter(query(name, about, text()))
        }));
        let posted = get_operation(what)
            .operation_id(Some(ids[1]))
            .request_body(Some(body(documents[0])));
        let path = PathItemBuilder::new()
            .operation(HttpMethod::Get, refused(asked.response("200", told())))
            .operation(HttpMethod::Post, refused(posted.response("200", told())));
        paths.paths.insert(format!("/api/v1/{name}/"), path.build());
    };
    add(
        "trace",
        ["trace", "postTrace"],
        ["TraceRequest", "Trace"],
        "Tell why a connection is allowed or denied",
        &[TENANT, FROM, TO, PROTOCOL],
    );
    add(
        "matrix",
        ["matrix", "postMatrix"],
        ["MatrixRequest", "PolicyMatrix"],
        "Tell who may reach whom on a port",
        &[TENANT, PROTOCOL],
    );
    let told = answer(
        Ref::from_schema_name("PolicyDiff").into(),
        "What would be opened and closed; nothing is changed.",
    );
    let operation = get_operation("Tell what applying would open and close")
        .operation_id(Some("diff"))
        .request_body(Some(body("Apply")))
        .response("200", told);
    let path = PathItem::new(HttpMethod::Post, refused(operation));
    paths.paths.insert("/api/v1/diff/".to_owned(), path);
}

fn body(document: &str) -> utoipa::openapi::request_body::RequestBody {
    RequestBodyBuilder::new()
        .content(
            "application/json",
            content(Ref::from_schema_name(document).into()),
        )
        .required(Some(Required::True))
        .build()
}

fn numbers(operation: OperationBuilder) -> OperationBuilder {
    let number = |last: i32| {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .minimum(Some(0))
            .maximum(Some(last))
    };
    operation
        .parameter(query("port", "With TCP and UDP.", number(65_535)))
        .parameter(query("icmpType", "With ICMP and ICMPv6.", number(255)))
        .parameter(query("icmpCode", "With a type.", number(255)))
}

fn refused(operation: OperationBuilder) -> OperationBuilder {
    let refusals = REFUSALS.iter().filter(|(status, _)| *status != "412");
    refusals.fold(operation, |operation, (status, why)| {
        operation.response(*status, refusal(why))
    })
}
