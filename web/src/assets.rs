//! The few static files, held in the program. Their address carries a hash of their content, so they never go stale.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

/// A year: the address changes whenever the content does.
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Characters of the hash in an address: 40 bits, which no two versions of one file share by chance.
const HASH_CHARACTERS: usize = 10;

struct Asset {
    name: &'static str,
    address: String,
    content_type: HeaderValue,
    body: &'static [u8],
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        asset("app.css", "text/css; charset=utf-8", include_bytes!("../assets/app.css")),
        asset("app.js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js")),
        asset("icons.svg", "image/svg+xml", include_bytes!("../assets/icons.svg")),
        asset("favicon.svg", "image/svg+xml", include_bytes!("../assets/favicon.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, body: &'static [u8]) -> Asset {
    let hash: String = blake3::hash(body).to_hex().chars().take(HASH_CHARACTERS).collect();
    let (stem, suffix) = name.split_once('.').unwrap_or((name, ""));
    let address = format!("/a/{stem}.{hash}.{suffix}");
    Asset { name, address, content_type: HeaderValue::from_static(content_type), body }
}

/// Address of a file by its name; empty if there is none.
pub(crate) fn address(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.address.as_str())
}

/// Answers `/a/{file}`.
pub(crate) async fn serve(Path(file): Path<String>) -> Response {
    let found = ASSETS.iter().find(|asset| asset.address.strip_prefix("/a/") == Some(file.as_str()));
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    ([(CONTENT_TYPE, asset.content_type.clone()), (CACHE_CONTROL, FOREVER)], asset.body).into_response()
}
