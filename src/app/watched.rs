//! How watches stand, in the words of the page of sources.

use std::sync::Arc;

use ingest::watch::kubernetes::states::{Standing, States, Watched};

/// What the page asks for again and again.
pub(super) fn shown(states: Arc<States>) -> web::Watches {
    Arc::new(move || states.all().into_iter().map(row).collect())
}

fn row(watched: Watched) -> web::Watched {
    let (reason, remedy) = match &watched.standing {
        Standing::BackingOff { reason, remedy, .. } => (Some(reason.clone()), remedy.clone()),
        Standing::Off { reason } => (Some(reason.clone()), None),
        Standing::Connecting | Standing::Listing | Standing::Watching | Standing::Stopped => (None, None),
    };
    let name = watched.standing.name();
    web::Watched {
        name: watched.cluster,
        resource: match watched.namespace {
            Some(namespace) => format!("{} of {namespace}", watched.resource),
            None => watched.resource.to_owned(),
        },
        state: reason.as_ref().map_or_else(|| name.to_owned(), |reason| format!("{name}: {reason}")),
        well: !matches!(watched.standing, Standing::BackingOff { .. }),
        since: Some(watched.since),
        last_change: watched.last_change,
        objects: u64::try_from(watched.objects).ok(),
        relists: watched.relists,
        remedy,
    }
}
