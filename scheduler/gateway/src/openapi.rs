//! The routes, and the document that describes them: OpenAPI 3.1, made of the same code.
//!
//! A job and a result are described by their own schemas, as everywhere: nothing here may describe them again.

use std::sync::{Arc, LazyLock};

use axum::Router;
use glovebox_schemas::json_schemas;
use glovebox_schemas::language::Language;
use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Problem;
use crate::{batch, dify, events, info, jobs};

/// What any request to a job's endpoints may be answered with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it is read by utoipa alone")]
pub(crate) enum Refused {
    #[response(
        status = 400,
        description = "The request can't be read",
        content_type = "application/problem+json"
    )]
    BadRequest(Problem),
    #[response(
        status = 401,
        description = "No key, or a wrong one",
        content_type = "application/problem+json"
    )]
    Unauthorized(Problem),
    #[response(
        status = 403,
        description = "The job names another tenant than the key's",
        content_type = "application/problem+json"
    )]
    Forbidden(Problem),
    #[response(
        status = 408,
        description = "The body did not arrive in time",
        content_type = "application/problem+json"
    )]
    Slow(Problem),
    #[response(
        status = 413,
        description = "The body is too large",
        content_type = "application/problem+json"
    )]
    TooLarge(Problem),
    #[response(
        status = 415,
        description = "The body is no JSON",
        content_type = "application/problem+json"
    )]
    NotJson(Problem),
    #[response(
        status = 422,
        description = "It is no job, or nothing here can run it",
        content_type = "application/problem+json"
    )]
    Invalid(Problem),
    #[response(
        status = 429,
        description = "Too much at once: come again after `Retry-After` seconds",
        content_type = "application/problem+json"
    )]
    Limited(Problem),
    #[response(
        status = 503,
        description = "A server behind this one is away: come again after `Retry-After` seconds",
        content_type = "application/problem+json"
    )]
    Unavailable(Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Glovebox", description = "Runs code that nobody trusts.", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    modifiers(&Keys),
    security(("bearer" = []), ("key" = [])),
    tags(
        (name = "jobs", description = "Programs, and what became of them"),
        (name = "dify", description = "As DifySandbox has them"),
        (name = "operation", description = "This server itself; no key is asked for"),
    ),
)]
struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let key = ApiKey::Header(ApiKeyValue::new("X-Api-Key"));
        components.add_security_scheme("key", SecurityScheme::ApiKey(key));
    }
}

fn described() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(jobs::submit))
        .routes(routes!(batch::submit))
        .routes(routes!(jobs::get, jobs::cancel))
        .routes(routes!(events::follow))
        .routes(routes!(info::languages))
        .routes(routes!(info::healthz))
        .routes(routes!(info::readyz))
        .routes(routes!(info::metrics))
        .routes(routes!(info::openapi))
        .routes(routes!(dify::run))
        .routes(routes!(dify::list))
        .routes(routes!(dify::refresh))
        .routes(routes!(dify::update))
        .routes(routes!(dify::health))
}

/// Every route.
pub(crate) fn routes() -> Router<Arc<App>> {
    described().split_for_parts().0
}

/// The document, as pretty JSON.
#[must_use]
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let (_, document) = described().split_for_parts();
        let mut document = serde_json::to_value(&document).unwrap_or_default();
        if let Some(schemas) = document
            .pointer_mut("/components/schemas")
            .and_then(Value::as_object_mut)
        {
            add_contract(schemas);
        }
        format!("{document:#}\n")
    });
    &DOCUMENT
}

/// The schemas of the contract, with what they refer to beside them: references are to the whole document here.
fn add_contract(schemas: &mut Map<String, Value>) {
    let mut add = |name: &str, text: &str| {
        let text = text.replace("#/$defs/", "#/components/schemas/");
        let mut schema: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(fields) = schema.as_object_mut() else {
            return;
        };
        fields.remove("$schema");
        if let Some(Value::Object(parts)) = fields.remove("$defs") {
            schemas.extend(parts);
        }
        schemas.insert(name.to_owned(), schema);
    };
    for (file, text) in json_schemas() {
        match file {
            "job.v1.json" => add("Job", &text),
            "result.v1.json" => add("Result", &text),
            _ => {}
        }
    }
    let language = schemars::schema_for!(Language);
    add("Language", &language.as_value().to_string());
    let list = |of: &str| json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{of}") } });
    let object = |field: &str, list: Value| json!({ "type": "object", "required": [field], "properties": { field: list } });
    schemas.insert(
        "Languages".to_owned(),
        object("languages", list("Language")),
    );
    schemas.insert("Batch".to_owned(), object("jobs", list("Job")));
}
