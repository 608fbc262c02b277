//! The paths that only tell.

use contiv_model::inspect::{Condition, EndpointOper};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathItemBuilder,
};
use utoipa::openapi::{Content, Paths, Ref, Required, ResponseBuilder};

use super::parts::{Schemas, answer, component, get_operation, list, paged, query, refusal, text};
use crate::api::fabric::{AddressDocument, EndpointInspect};
use crate::api::hosts::HostDocument;
use crate::api::service::{Health, Info, Version};
use crate::api::watch::WatchEvent;

const UNREADABLE: &str = "The request cannot be read.";
const MISSING: &str = "There is no such object.";

/// Describes hosts, endpoints, addresses, changes, and the master itself.
pub(super) fn facts(schemas: &mut Schemas, paths: &mut Paths) {
    component::<HostDocument>(schemas);
    component::<EndpointOper>(schemas);
    component::<EndpointInspect>(schemas);
    component::<AddressDocument>(schemas);
    component::<WatchEvent>(schemas);
    component::<Version>(schemas);
    component::<Info>(schemas);
    component::<Health>(schemas);
    component::<Condition>(schemas);
    let mut add = |path: &str, id: &str, operation: OperationBuilder| {
        let item = PathItem::new(HttpMethod::Get, operation.operation_id(Some(id)));
        paths.paths.insert(path.to_owned(), item);
    };
    for (path, id, name, what) in [
        (
            "/api/v1/hosts/",
            "listHost",
            "HostDocument",
            "List the hosts that have registered",
        ),
        (
            "/api/v1/endpoints/",
            "listEndpoint",
            "EndpointOper",
            "List every endpoint",
        ),
        (
            "/api/v1/addresses/",
            "listAddress",
            "AddressDocument",
            "List every address in use, and its owner",
        ),
    ] {
        let items = Ref::from_schema_name(name).into();
        let operation = get_operation(what)
            .response("200", list(items, "All of them."))
            .response("400", refusal(UNREADABLE));
        add(path, id, paged(operation));
    }
    let name = || {
        ParameterBuilder::new()
            .name("name")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The host's name."))
            .schema(Some(text()))
    };
    let document = || Ref::from_schema_name("HostDocument").into();
    let force = query("force", "`true`: even if the host is live.", text());
    let item = PathItemBuilder::new()
        .operation(
            HttpMethod::Get,
            get_operation("Show a host")
                .operation_id(Some("getHost"))
                .parameter(name())
                .response("200", answer(document(), "It."))
                .response("404", refusal(MISSING)),
        )
        .operation(
            HttpMethod::Delete,
            get_operation("Remove a host that is no more, with its endpoints")
                .operation_id(Some("deleteHost"))
                .parameter(name())
                .parameter(force)
                .response("200", ResponseBuilder::new().description("It is gone."))
                .response("404", refusal(MISSING))
                .response("409", refusal("The host is live.")),
        );
    let path = "/api/v1/hosts/{name}/".to_owned();
    paths.paths.insert(path, item.build());
    let mut add = |path: &str, id: &str, operation: OperationBuilder| {
        let item = PathItem::new(HttpMethod::Get, operation.operation_id(Some(id)));
        paths.paths.insert(path.to_owned(), item);
    };
    let part = ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(
            "Part of the endpoint's id, of its container's id or of its name.",
        ))
        .schema(Some(text()));
    let inspection = Ref::from_schema_name("EndpointInspect").into();
    add(
        "/api/v1/inspect/endpoints/{id}/",
        "inspectEndpoint",
        get_operation("Show an endpoint")
            .parameter(part)
            .response("200", answer(inspection, "The first that fits."))
            .response("404", refusal(MISSING)),
    );
    let events = Content::builder().schema(Some(Ref::from_schema_name("WatchEvent")));
    let events = ResponseBuilder::new()
        .description("Server-sent events `put`, `delete` and `reset`, each with a WatchEvent.")
        .content("text/event-stream", events.build());
    add(
        "/api/v1/watch/",
        "watch",
        get_operation("Follow changes")
            .parameter(query(
                "after",
                "Begin after this revision, `EPOCH.NUMBER`.",
                text(),
            ))
            .response("200", events.build())
            .response("400", refusal(UNREADABLE)),
    );
    for (path, id, name, what) in [
        (
            "/version/",
            "version",
            "Version",
            "Tell the master's version",
        ),
        ("/info/", "info", "Info", "Tell the members of the fabric"),
        (
            "/healthz/",
            "health",
            "Health",
            "Tell whether requests are served",
        ),
    ] {
        let document = Ref::from_schema_name(name).into();
        add(
            path,
            id,
            get_operation(what).response("200", answer(document, "It.")),
        );
    }
}
