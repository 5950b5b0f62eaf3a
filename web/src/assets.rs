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

#[cfg(test)]
mod tests {
    const CSS: &str = include_str!("../assets/app.css");

    /// Light and dark value of a token.
    fn token(name: &str) -> [String; 2] {
        let (_, rest) = CSS.split_once(&format!("--{name}: light-dark(")).unwrap();
        let (pair, _) = rest.split_once(')').unwrap();
        let (light, dark) = pair.split_once(", ").unwrap();
        [light.to_owned(), dark.to_owned()]
    }

    /// Relative luminance, WCAG 2.2.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(colour.get(at..at + 2).unwrap(), 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_marks_stand_out_from_every_ground() {
        // WCAG 2.2: 4.5 for text, 3 for marks and borders of controls.
        let texts = ["text", "muted", "link", "ok", "fail", "warn"].map(|name| (name, 4.5));
        for (name, least) in texts.into_iter().chain([("bar", 3.0), ("edge", 3.0)]) {
            for ground in ["page", "card", "range"] {
                for (colour, behind) in token(name).iter().zip(token(ground)) {
                    let found = contrast(colour, &behind);
                    assert!(found >= least, "{name} {colour} on {ground} {behind}: {found:.2}");
                }
            }
        }
    }
}
