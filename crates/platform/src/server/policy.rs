//! What a route costs, takes and needs, as its handler says in the document: what is documented is what is enforced.

use std::{collections::HashMap, time::Duration};

use axum::http::{HeaderName, Method};
use serde_json::Value;
use utoipa::openapi::{
    HttpMethod, OpenApi, RefOr,
    path::{Operation, ParameterIn},
    security::SecurityRequirement,
};

/// Units that a request costs: `"x-cost"` of an operation.
pub const COST: &str = "x-cost";
/// Bytes that a body may have: `"x-max-body-bytes"`.
pub const MAX_BODY_BYTES: &str = "x-max-body-bytes";
/// Seconds that an answer may take; 0 for as long as it takes: `"x-time-limit-s"`.
pub const TIME_LIMIT_S: &str = "x-time-limit-s";

/// Bounds of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePolicy {
    /// Units of the rate limits that a request spends.
    pub cost: u32,
    /// Bytes that a body may have.
    pub max_body_bytes: u64,
    /// How long the answer may take to begin; nothing for as long as it takes.
    pub time_limit: Option<Duration>,
    /// Whether it is there for strangers, so that a credential that has run out does not matter.
    pub is_open: bool,
    /// Headers that are parameters: what is asked for stands in them too.
    pub headers: Vec<HeaderName>,
}

/// The bounds of every route of a document.
#[derive(Debug)]
pub struct RoutePolicies {
    default: RoutePolicy,
    routes: HashMap<String, HashMap<Method, RoutePolicy>>,
}

impl RoutePolicies {
    /// The bounds that `document` names, and `default` for everything it does not.
    pub fn of(document: &OpenApi, default: RoutePolicy) -> Self {
        let mut routes = HashMap::<String, HashMap<Method, RoutePolicy>>::new();
        for (method, path, operation) in operations(document) {
            routes.entry(path.to_owned()).or_default().insert(method_of(&method), policy_of(operation, &default));
        }
        Self { default, routes }
    }

    /// The bounds of the route whose template is `path`.
    pub fn find(&self, method: &Method, path: Option<&str>) -> &RoutePolicy {
        let Some(path) = path else { return &self.default };
        // Who asks for the head of an answer is bound like who asks for all of it.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.routes.get(path).and_then(|of_path| of_path.get(method)).unwrap_or(&self.default)
    }
}

/// Every operation of a document, with its method and the template of its path.
pub fn operations(document: &OpenApi) -> impl Iterator<Item = (HttpMethod, &str, &Operation)> {
    document.paths.paths.iter().flat_map(|(path, item)| {
        let of_method = [
            (HttpMethod::Get, &item.get),
            (HttpMethod::Put, &item.put),
            (HttpMethod::Post, &item.post),
            (HttpMethod::Delete, &item.delete),
            (HttpMethod::Patch, &item.patch),
            (HttpMethod::Options, &item.options),
        ];
        of_method.into_iter().filter_map(move |(method, operation)| Some((method, path.as_str(), operation.as_ref()?)))
    })
}

fn policy_of(operation: &Operation, default: &RoutePolicy) -> RoutePolicy {
    let number = |name: &str| operation.extensions.as_ref().and_then(|found| found.get(name)).and_then(Value::as_u64);
    let time_limit = match number(TIME_LIMIT_S) {
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => default.time_limit,
    };
    RoutePolicy {
        cost: number(COST).and_then(|cost| u32::try_from(cost).ok()).unwrap_or(default.cost),
        max_body_bytes: number(MAX_BODY_BYTES).unwrap_or(default.max_body_bytes),
        time_limit,
        is_open: operation
            .security
            .as_ref()
            .is_none_or(|needed| needed.is_empty() || needed.contains(&SecurityRequirement::default())),
        headers: headers_of(operation),
    }
}

fn headers_of(operation: &Operation) -> Vec<HeaderName> {
    let parameters = operation.parameters.iter().flatten();
    let named = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Header => Some(parameter.name.as_str()),
        _ => None,
    });
    named.filter_map(|name| HeaderName::try_from(name).ok()).collect()
}

fn method_of(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}
