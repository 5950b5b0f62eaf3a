//! `devhose rebuild`: computes events and facts anew from the deliveries.

use crate::cli::Rebuild;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

pub(super) async fn run(_args: Rebuild, _context: Context) -> Ended {
    Err(Failure::new(Exit::Failed, "not yet"))
}
