//! What an operation answers when it fails, for the API document.
//!
//! Most of it follows from the shape of an operation: whoever reads an id out of the path can miss the thing, whoever
//! reads a body can refuse it. So it is added here by rules, and a handler documents only what is peculiar to it; what
//! a handler says of a status stays.
//!
//! To add a rule: a line in [`failures`].

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, HttpMethod, Object, OpenApi, Ref, RefOr, Response, Type,
        header::Header,
        path::{Operation, ParameterIn, PathItem},
    },
};

/// A failed request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the bodies that `ApiError` makes")]
pub struct ErrorBody {
    /// What went wrong: a text, or an object with `code` and `message` where a program has to know.
    #[schema(value_type = Value)]
    detail: String,
    /// A failed model call, and in chat completions every failure: `type`, `message` and more.
    #[schema(value_type = Option<Object>)]
    error: Option<String>,
}

/// A request with something wrong in it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the bodies that `ApiError` makes")]
pub struct ValidationErrorBody {
    /// One entry for each mistake; a text when the mistake lies in no single member.
    #[schema(value_type = Value)]
    detail: Vec<ValidationError>,
}

/// One mistake.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the bodies that `ApiError` makes")]
pub struct ValidationError {
    /// Kind of the mistake, `value_error`.
    r#type: String,
    /// Where it is: `body`, `query`, `path` or `header`, then names of members and indices.
    #[schema(value_type = Vec<Value>)]
    loc: Vec<String>,
    /// What was expected.
    msg: String,
    /// What came.
    #[schema(value_type = Value)]
    input: String,
}

/// Paths that are answered without a password.
const OPEN: [&str; 2] = ["/v1/health", "/v1/ready"];
/// Paths that are answered without the database.
const ALWAYS: [&str; 2] = ["/v1/health", "/metrics"];
/// Ends of the paths that begin a run and may wait for it.
const RUNS: [&str; 5] = ["/messages", "/messages/stream", "/messages/async", "/stream", "/chat/completions"];
/// Ends of the paths that call a model without a run.
const MODEL_CALLS: [&str; 2] = ["/summarize", "/compact"];

/// The statuses that an operation fails with, and when.
fn failures(method: &HttpMethod, path: &str, operation: &Operation) -> Vec<(u16, &'static str)> {
    let has = |place: ParameterIn| operation.parameters.iter().flatten().any(|p| p.parameter_in == place);
    let body = operation.request_body.is_some();
    let open = OPEN.contains(&path);
    let ends = |ends: &[&str]| *method == HttpMethod::Post && ends.iter().any(|end| path.ends_with(end));
    let run = ends(&RUNS) && !path.starts_with("/v1/runs/");
    let writes = !matches!(method, HttpMethod::Get | HttpMethod::Delete) && !path.ends_with("/search");
    let parameters = [ParameterIn::Path, ParameterIn::Query, ParameterIn::Header].into_iter().any(has);
    let model = run || ends(&MODEL_CALLS);
    [
        (body, 400, "The body could not be read, or the request makes no sense"),
        (!open, 401, "The server demands a password or an API key, and it is missing, wrong or revoked"),
        (model, 402, "The model's provider refuses: the account has no credit"),
        (model, 403, "The model's provider denies permission, or the API key does not have the scope"),
        (!open && !model, 403, "The API key does not have the scope that this needs, or a web page may not ask this"),
        (has(ParameterIn::Path), 404, "No such thing, or it belongs to somebody else"),
        (body, 408, "The body did not come in time"),
        (writes, 409, "It clashes with how things are now"),
        (body, 413, "The body is larger than the server accepts"),
        (body || parameters, 422, "A member, parameter or header is wrong"),
        (model, 429, "Too many runs wait in the conversation, or the model's provider wants fewer requests"),
        (model, 502, "The model's provider failed"),
        (
            !ALWAYS.contains(&path),
            503,
            "The database cannot be reached or takes too long, or the server is shutting down: try again",
        ),
        (model, 504, "The model did not answer in time"),
    ]
    .into_iter()
    .filter_map(|(applies, status, text)| applies.then_some((status, text)))
    .collect()
}

/// Adds what every operation fails with, and bodies to the failures that handlers describe by words only.
pub fn describe(document: &mut OpenApi) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    for (name, schema) in [
        (ErrorBody::name(), ErrorBody::schema()),
        (ValidationErrorBody::name(), ValidationErrorBody::schema()),
        (ValidationError::name(), ValidationError::schema()),
    ] {
        schemas.insert(name.into_owned(), schema);
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            for (status, text) in failures(&method, path, operation) {
                let added = || RefOr::T(Response::new(text));
                operation.responses.responses.entry(status.to_string()).or_insert_with(added);
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && status.starts_with(['4', '5'])
                {
                    complete(status, response);
                }
            }
        }
    }
}

/// The body and the headers of a failure.
fn complete(status: &str, response: &mut Response) {
    if response.content.is_empty() {
        let name = if status == "422" { ValidationErrorBody::name() } else { ErrorBody::name() };
        let content = Content::new(Some(Ref::from_schema_name(name)));
        response.content.insert("application/json".to_owned(), content);
    }
    if matches!(status, "429" | "503") {
        let mut header = Header::new(Object::with_type(Type::Integer));
        header.description = Some("Seconds after which to try again".to_owned());
        response.headers.entry("Retry-After".to_owned()).or_insert(header);
    }
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|o| (method, o)))
}
