//! The example of CONTRIBUTING.md, "Add a bot": it compiles, it does what it says, and it is what stands there.

// The example says `crate::`, as a bot in `bots/src/builtin/` does.
use bots::{action, contract, given, lookups, message};

#[path = "example/failed_deployments.rs"]
pub mod failed_deployments;

#[test]
fn contributing_shows_the_example_as_it_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = std::fs::read_to_string(root.join("../CONTRIBUTING.md")).unwrap();
    let example = std::fs::read_to_string(root.join("tests/example/failed_deployments.rs")).unwrap();
    assert!(shown.contains(&format!("```rust\n{example}```")), "CONTRIBUTING.md shows another example");
}
