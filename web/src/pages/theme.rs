//! `/theme`: keeps the choice between light and dark in a cookie and goes back. Works without a script.

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};

use crate::layout::{THEME_COOKIE, Theme};

/// A year: nobody wants to choose again.
const SECONDS_KEPT: u32 = 31_536_000;

pub(crate) async fn choose(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let cookie = match Theme::parse(&value("to")) {
        Theme::System => format!("{THEME_COOKIE}=; Path=/; Max-Age=0; SameSite=Lax"),
        theme @ (Theme::Light | Theme::Dark) => {
            format!("{THEME_COOKIE}={}; Path=/; Max-Age={SECONDS_KEPT}; SameSite=Lax", theme.name())
        }
    };
    let back = value("back");
    let back = if is_local(&back) { back } else { "/".to_owned() };
    let Ok(location) = HeaderValue::try_from(back) else { return StatusCode::BAD_REQUEST.into_response() };
    let Ok(cookie) = HeaderValue::try_from(cookie) else { return StatusCode::BAD_REQUEST.into_response() };
    let headers = [(LOCATION, location), (SET_COOKIE, cookie), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// True for a path of this site: `//other` and `/\other` lead elsewhere.
fn is_local(address: &str) -> bool {
    let mut chars = address.chars();
    chars.next() == Some('/')
        && !matches!(chars.next(), Some('/' | '\\'))
        && address.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_back_to() {
        for good in ["/", "/teams/shop?range=13w"] {
            assert!(is_local(good), "{good}");
        }
        for bad in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nx: y"] {
            assert!(!is_local(bad), "{bad:?}");
        }
    }
}
