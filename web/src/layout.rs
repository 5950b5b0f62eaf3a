//! What stands around every page: title, top bar, theme, assets.

use http::HeaderMap;
use http::header::COOKIE;

use crate::assets;

/// Name of the cookie that keeps the choice between light and dark. It is set only when somebody chooses.
pub(crate) const THEME_COOKIE: &str = "theme";

/// Items of the top bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// `/`
    NorthStar,
    /// `/teams`
    Teams,
    /// `/services`
    Services,
    /// `/events`
    Events,
    /// `/bots`
    Bots,
    /// `/subscriptions`
    Subscriptions,
    /// `/sources`
    Sources,
    /// Any page that is under none of them.
    None,
}

/// The items in order: tab, address, name.
const TABS: [(Tab, &str, &str); 7] = [
    (Tab::NorthStar, "/", "North Star"),
    (Tab::Teams, "/teams", "Teams"),
    (Tab::Services, "/services", "Services"),
    (Tab::Events, "/events", "Events"),
    (Tab::Bots, "/bots", "Bots"),
    (Tab::Subscriptions, "/subscriptions", "Subscriptions"),
    (Tab::Sources, "/sources", "Sources"),
];

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The choice that a request carries.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == THEME_COOKIE).map_or(Self::System, |(_, value)| Self::parse(value))
    }

    /// Reads `light` or `dark`; anything else is the system's choice.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// As in the cookie and in the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// What the layout template needs.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Of the page.
    pub(crate) title: String,
    /// Where it belongs.
    pub(crate) tab: Tab,
    /// Light or dark.
    pub(crate) theme: Theme,
    /// Path and query of the page.
    pub(crate) here: String,
    /// Filters that go along from tab to tab, such as `?range=13w`; empty if there are none.
    pub(crate) carried: String,
    /// Time of the newest event, in words.
    pub(crate) data_through: Option<String>,
}

impl Layout {
    pub(crate) fn tabs(&self) -> &'static [(Tab, &'static str, &'static str)] {
        &TABS
    }

    pub(crate) fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }

    /// Where a click on a theme leads to.
    pub(crate) fn theme_address(&self, to: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("to", to)
            .append_pair("back", &self.here)
            .finish();
        format!("/theme?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_is_read_from_its_cookie_alone() {
        let theme = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            Theme::of(&headers)
        };
        assert_eq!(theme("a=b; theme=dark"), Theme::Dark);
        assert_eq!(theme("theme=light"), Theme::Light);
        assert_eq!(theme("nottheme=dark"), Theme::System);
        assert_eq!(theme("theme=<script>"), Theme::System);
    }
}
