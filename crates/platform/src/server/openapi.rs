//! The document of the API: what handlers say of themselves, completed with what holds for all of them.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ComponentsBuilder, Content, HttpMethod, InfoBuilder, LicenseBuilder, Object, ObjectBuilder, OpenApi, Ref,
        RefOr, Required, ResponseBuilder, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    idempotency,
    problem::{FieldFault, MEDIA_TYPE, ProblemBody},
};

/// A signed token or an API key in `Authorization: Bearer …`.
pub const BEARER: &str = "bearer";
/// The cookie of a browser.
pub const COOKIE: &str = "cookie";

const DESCRIPTION: &str = "Lists come in pages of `items` with a `next_cursor`. Errors are problem details (RFC 9457) whose \
`type` stays the same. Every POST takes an `Idempotency-Key`: the same key and body give the same answer again, and nothing \
is done twice. What is changed is named by its `ETag` in `If-Match`.";

/// A text that is one of these names, for the document.
pub fn one_of(names: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// Adds to `document` what holds for every operation.
pub(super) fn complete(document: &mut OpenApi) {
    document.info = InfoBuilder::new()
        .title("Pressroom")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").build()))
        .build();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The access token of a login, or an API key"))
        .build();
    let cookie = ApiKeyValue::with_description("pressroom_session", "The session of a browser, set by a login");
    let components = document.components.get_or_insert_with(|| ComponentsBuilder::new().build());
    components.security_schemes.insert(BEARER.to_owned(), SecurityScheme::Http(token).into());
    components.security_schemes.insert(COOKIE.to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into());
    components.schemas.insert("Problem".to_owned(), ProblemBody::schema());
    components.schemas.insert(FieldFault::name().into_owned(), FieldFault::schema());
    for item in document.paths.paths.values_mut() {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Options, &mut item.options),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                complete_operation(&method, operation);
            }
        }
    }
}

/// A document as it is served and kept: in one order, whatever the order of its making.
pub fn write(document: &OpenApi) -> Result<String, serde_json::Error> {
    // Objects of a value are sorted by their keys; those of the document come from hash tables.
    let value = serde_json::to_value(document)?;
    serde_json::to_string_pretty(&value).map(|text| text + "\n")
}

fn complete_operation(method: &HttpMethod, operation: &mut Operation) {
    let problem = ResponseBuilder::new()
        .description("A problem")
        .content(MEDIA_TYPE, Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem")))))
        .build();
    if let (Some(tag), Some(name)) = (operation.tags.iter().flatten().next(), &operation.operation_id) {
        // Handlers of different resources share their names; the names of operations are unique.
        operation.operation_id = Some(format!("{}_{name}", tag.replace('-', "_")));
    }
    operation.responses.responses.entry("default".to_owned()).or_insert_with(|| problem.into());
    if *method == HttpMethod::Post {
        operation.parameters.get_or_insert_default().push(idempotency_key().into());
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(idempotency::MAX_KEY_LENGTH));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("A name of your choice for this act, such as a UUID: repeated, it is done once"))
        .schema(Some(text.pattern(Some(r"^[\x21-\x7e]+$")).build()))
        .build()
}
