//! `/privacy`: what is kept and what can never be shown.

use askama::Template;

use crate::error::PageError;
use crate::layout::{Layout, Tab};
use crate::request::{Reply, Request};

#[derive(Debug, Template)]
#[template(path = "pages/privacy.html")]
struct Privacy {
    layout: Layout,
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    request.reply(&Privacy { layout: request.layout("Privacy", Tab::None) }, &[])
}
