//! The document of the API and a page to read it with, both from inside the binary: nothing is loaded from elsewhere.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa::openapi::OpenApi;

use super::{etag::ETag, headers::PAGE_POLICY, openapi, problem::Problem};

const PAGE: &str = include_str!("docs_page/page.html");
const SCRIPT: &str = include_str!("docs_page/page.js");
const STYLE: &str = include_str!("docs_page/page.css");

pub(super) fn routes(document: &OpenApi) -> Router {
    let written = openapi::write(document).map(Bytes::from).map_err(|error| error.to_string());
    let show_document = move |headers: HeaderMap| async move {
        match &written {
            Ok(json) => show("application/json", json.clone(), &headers),
            Err(error) => Problem::internal(error).into_response(),
        }
    };
    let page = |media_type: &'static str, text: &'static str| {
        get(move |headers: HeaderMap| async move { show(media_type, Bytes::from_static(text.as_bytes()), &headers) })
    };
    Router::new()
        .route("/openapi.json", get(show_document))
        .route("/docs", page("text/html; charset=utf-8", PAGE))
        .route("/docs/page.js", page("text/javascript", SCRIPT))
        .route("/docs/page.css", page("text/css", STYLE))
}

fn show(media_type: &'static str, text: Bytes, request: &HeaderMap) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    ETag::of_bytes(&text).answer(request, (headers, text))
}
