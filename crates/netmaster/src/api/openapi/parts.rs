//! What descriptions of operations are put together from.

use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required, Response, ResponseBuilder, Schema};

pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

pub(super) fn component<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

pub(super) fn get_operation(summary: &str) -> OperationBuilder {
    OperationBuilder::new().summary(Some(summary))
}

pub(super) fn paged(operation: OperationBuilder) -> OperationBuilder {
    let number = ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::Integer))
        .minimum(Some(1));
    operation
        .parameter(query(
            "limit",
            "At most this many; Link then leads to the next.",
            number,
        ))
        .parameter(query("after", "Only what follows this key.", text()))
}

pub(super) fn query(
    name: &str,
    description: &str,
    schema: impl Into<RefOr<Schema>>,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
}

pub(super) fn header(name: &str, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(text()))
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String))
}

pub(super) fn content(schema: RefOr<Schema>) -> Content {
    Content::builder().schema(Some(schema)).build()
}

pub(super) fn answer(schema: RefOr<Schema>, description: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content(schema))
        .build()
}

pub(super) fn list(items: RefOr<Schema>, description: &str) -> Response {
    let array = ArrayBuilder::new().items(items).build();
    answer(RefOr::T(array.into()), description)
}

pub(super) fn refusal(description: &str) -> Response {
    answer(Ref::from_schema_name("ApiError").into(), description)
}
