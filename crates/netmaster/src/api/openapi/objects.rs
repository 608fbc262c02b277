//! The paths of configuration objects.

use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, ParameterBuilder, ParameterIn, PathItem, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Paths, Ref, Required, Schema};

use super::parts::{
    Schemas, answer, component, content, get_operation, header, list, paged, refusal, text,
};
use crate::api::kind::Kind;

/// The refusals that a change may meet, with their reasons.
pub(super) const REFUSALS: [(&str, &str); 6] = [
    (
        "400",
        "The request cannot be read, or has a field that there is not.",
    ),
    ("404", "There is no such object."),
    ("409", "It stands against what exists."),
    ("412", "The object is not the one that was seen."),
    ("422", "A field cannot be accepted."),
    ("503", "It cannot be served now; try again."),
];

/// The paths of one kind of objects.
pub(super) fn of<K: Kind>(schemas: &mut Schemas, paths: &mut Paths) {
    component::<K>(schemas);
    component::<K::Oper>(schemas);
    let inspection = format!("{}Inspect", K::name());
    schemas.push((inspection.clone(), inspect::<K>().into()));
    let (noun, object) = (K::NOUN, Ref::from_schema_name(K::name()));

    let operation = get_operation(&format!("List every {noun}, in the order of keys"))
        .operation_id(Some(format!("list{}", K::name())))
        .response("200", list(object.clone().into(), "The objects."))
        .response("400", refusal(REFUSALS[0].1));
    let path = PathItem::new(HttpMethod::Get, paged(operation));
    paths.paths.insert(format!("/api/v1/{}/", K::PLURAL), path);

    let body = || {
        RequestBodyBuilder::new()
            .content("application/json", content(object.clone().into()))
            .required(Some(Required::True))
            .build()
    };
    let change = |verb: &str, id: &str| {
        let operation = get_operation(&format!("{verb} a {noun}"))
            .operation_id(Some(format!("{id}{}", K::name())))
            .parameter(key::<K>())
            .parameter(header("If-Match", "The ETag of the object that is meant."))
            .parameter(header(
                "If-None-Match",
                "`*`: only if there is no such object.",
            ));
        REFUSALS.iter().fold(operation, |operation, (status, why)| {
            operation.response(*status, refusal(why))
        })
    };
    let stored = || {
        answer(
            object.clone().into(),
            "The object as stored; ETag is its version.",
        )
    };
    let put = |id: &str| {
        change("Create, or change,", id)
            .request_body(Some(body()))
            .response("200", stored())
    };
    let gone = answer(text().into(), "The key of what was deleted.");
    let show = get_operation(&format!("Show a {noun}"))
        .operation_id(Some(format!("get{}", K::name())))
        .parameter(key::<K>())
        .response("200", stored())
        .response("404", refusal(REFUSALS[1].1));
    let path = PathItemBuilder::new()
        .operation(HttpMethod::Get, show)
        .operation(HttpMethod::Put, put("put"))
        .operation(HttpMethod::Post, put("post"))
        .operation(
            HttpMethod::Delete,
            change("Delete", "delete").response("200", gone),
        );
    let at = format!("/api/v1/{}/{{key}}/", K::PLURAL);
    paths.paths.insert(at, path.build());

    let operation = get_operation(&format!("Show a {noun} with its state"))
        .operation_id(Some(format!("inspect{}", K::name())))
        .parameter(key::<K>())
        .response(
            "200",
            answer(Ref::from_schema_name(inspection).into(), "Config and Oper."),
        )
        .response("404", refusal(REFUSALS[1].1));
    let at = format!("/api/v1/inspect/{}/{{key}}/", K::PLURAL);
    let path = PathItem::new(HttpMethod::Get, operation);
    paths.paths.insert(at, path);
}

fn inspect<K: Kind>() -> Schema {
    let document = ObjectBuilder::new()
        .property("Config", Ref::from_schema_name(K::name()))
        .property("Oper", Ref::from_schema_name(K::Oper::name()))
        .required("Config")
        .required("Oper");
    document.build().into()
}

fn key<K: Kind>() -> ParameterBuilder {
    ParameterBuilder::new()
        .name("key")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(format!("`{}`", K::KEY_FIELDS.join(":"))))
        .schema(Some(text()))
}
