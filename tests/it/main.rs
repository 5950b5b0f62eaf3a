//! Tests through the front door: a webhook goes in, a page comes out.

mod tidy;
