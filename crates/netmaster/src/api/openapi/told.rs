//! The paths that tell what hosts have seen.

use contiv_model::agent::FabricEvent;
use contiv_model::inspect::HitsDocument;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem};
use utoipa::openapi::{Content, Paths, Ref, ResponseBuilder};

use super::objects::REFUSALS;
use super::parts::{Schemas, answer, component, get_operation, list, query, refusal, text};

const ASKED: [(&str, &str); 5] = [
    ("tenant", "Only events of this tenant."),
    ("kind", "Only `drop`, `log`, `staged` or `repair`."),
    ("host", "Only events that happened on this host."),
    (
        "endpoint",
        "Only events of this endpoint, at either end: its container's name, or a part of its id.",
    ),
    (
        "since",
        "Only events that are not older, in milliseconds since 1970.",
    ),
];

/// Describes `/api/v1/hits/` and `/api/v1/events/`.
pub(super) fn told(schemas: &mut Schemas, paths: &mut Paths) {
    component::<HitsDocument>(schemas);
    component::<FabricEvent>(schemas);
    let mut add = |path: &str, id: &str, operation: OperationBuilder| {
        let item = PathItem::new(HttpMethod::Get, operation.operation_id(Some(id)));
        paths.paths.insert(path.to_owned(), item);
    };
    let document = Ref::from_schema_name("HitsDocument").into();
    let hits = get_operation("Tell what rules have decided")
        .parameter(query("tenant", "Only rules of this tenant.", text()))
        .parameter(query(
            "policy",
            "Only rules of policies of this name.",
            text(),
        ))
        .response(
            "200",
            answer(document, "Rules, and what they have decided."),
        )
        .response("404", refusal(REFUSALS[1].1));
    add("/api/v1/hits/", "hits", hits);

    let filtered = |operation: OperationBuilder| {
        ASKED.iter().fold(operation, |operation, (name, what)| {
            operation.parameter(query(name, what, text()))
        })
    };
    let event = || Ref::from_schema_name("FabricEvent");
    let events = get_operation("List the events that this master remembers, the oldest first")
        .parameter(query("limit", "At most so many of the newest.", text()))
        .response("200", list(event().into(), "Events."))
        .response("400", refusal(REFUSALS[0].1));
    add("/api/v1/events/", "listEvent", filtered(events));

    let stream = Content::builder().schema(Some(event()));
    let stream = ResponseBuilder::new()
        .description(
            "Server-sent events `event`, each with a FabricEvent, and `reset` before all that is \
             remembered, for a client whose Last-Event-ID is not of this master.",
        )
        .content("text/event-stream", stream.build());
    let watch = get_operation("Follow events; with `since`, after those that are remembered")
        .response("200", stream.build())
        .response("400", refusal(REFUSALS[0].1));
    add("/api/v1/events/watch/", "watchEvents", filtered(watch));
}
