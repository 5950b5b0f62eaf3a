//! Which events somebody asks for: the query text of the explorer, parsed.
//!
//! `type:service.* service:checkout outcome:failed since:2h text:"timeout"`: terms are joined by *and*; a term that
//! stands twice with the same key is joined by *or*; a `-` before a term excludes. Keys: `type`, `source`, `repo`,
//! `service`, `env`, `outcome`, `subject`, `id`, `delivery`, `since`, `before`, `text`.

/// A parsed query. The default matches every event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {}
