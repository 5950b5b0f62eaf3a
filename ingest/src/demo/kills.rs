//! Pods of the invented organisation that are killed, in the last two weeks and from then on.
//!
//! Drawn apart from everything else, so that the rest of the year is the same with and without them. On purpose there:
//! the service with the open incident runs out of memory again and again, and three nights ago a node ran short of
//! memory and lost the pods of many teams at once.

use chrono::{DateTime, TimeDelta, Utc};

use super::organisation::{DemoService, SERVICES, WITH_OPEN_INCIDENT, WITHOUT_DEPLOYMENTS};
use super::random::{Random, whole};

/// How far back kills go.
const HISTORY: TimeDelta = TimeDelta::days(14);
/// Minutes between two kills somewhere in the organisation, on average.
const MINUTES_BETWEEN: f64 = 260.0;
/// On the stage, seconds between two kills: one happens while somebody looks around.
const STAGE_SECONDS: (f64, f64) = (45.0, 120.0);
/// When the node ran short of memory.
const STORM_BEFORE: TimeDelta = TimeDelta::hours(2 * 24 + 11);
/// Pods that it lost.
const STORM_PODS: usize = 14;

/// The nodes of the cluster.
const NODES: [&str; 4] = ["eu-1-pool-a-4kx2", "eu-1-pool-a-9vb7", "eu-1-pool-b-1qz8", "eu-1-pool-b-7mt3"];

/// How a pod was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It used more memory than its limit.
    OutOfMemory,
    /// Its program ended by itself with this code.
    Exit(i32),
    /// It did not answer its liveness probe.
    Unhealthy,
    /// Its node ran short of memory.
    Evicted,
}

/// A pod that was killed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kill {
    pub(crate) at: DateTime<Utc>,
    pub(crate) how: How,
    pub(crate) service: &'static DemoService,
    pub(crate) node: &'static str,
    pub(crate) uid: String,
    /// The end of its name, and of what it was made from.
    pub(crate) suffixes: (String, String),
    /// How often its container was restarted.
    pub(crate) restarts: u32,
    /// Id of the container's run that ended.
    pub(crate) container_id: String,
}

/// The kills of the last two weeks, in order of time.
pub(super) fn history(seed: u64, now: DateTime<Utc>) -> Vec<Kill> {
    let mut random = Random::new(seed ^ 0x006b_696c_6c73);
    let mut kills = Vec::new();
    let mut at = now - HISTORY;
    loop {
        at += minutes(random.log_normal(MINUTES_BETWEEN, 0.7));
        if at >= now - TimeDelta::hours(2) {
            break;
        }
        if let Some(service) = anybody(&mut random) {
            kills.push(kill(&mut random, at, service));
        }
    }
    kills.extend(again_and_again(&mut random, now));
    kills.extend(storm(&mut random, now - STORM_BEFORE));
    kills.sort_by_key(|kill| kill.at);
    kills
}

/// Kills from `now` on, without end.
pub(super) fn live(seed: u64, now: DateTime<Utc>) -> impl Iterator<Item = Kill> {
    let mut random = Random::new(!seed ^ 0x006b_696c_6c73);
    let mut at = now;
    std::iter::from_fn(move || {
        at += TimeDelta::seconds(seconds(random.between(STAGE_SECONDS.0, STAGE_SECONDS.1)));
        let service = anybody(&mut random)?;
        Some(kill(&mut random, at, service))
    })
}

/// The service with the open incident: one pod, restarted every few minutes.
fn again_and_again(random: &mut Random, now: DateTime<Utc>) -> Vec<Kill> {
    let Some(service) = SERVICES.iter().find(|service| service.name == WITH_OPEN_INCIDENT) else { return Vec::new() };
    let first = Kill { how: How::OutOfMemory, restarts: 0, ..kill(random, now, service) };
    (1..)
        .zip([101, 97, 88, 71, 45, 12])
        .map(|(restarts, minutes_ago)| Kill {
            at: now - TimeDelta::minutes(minutes_ago),
            restarts,
            container_id: random.sha(),
            ..first.clone()
        })
        .collect()
}

fn storm(random: &mut Random, at: DateTime<Utc>) -> Vec<Kill> {
    let node = NODES[0];
    let deployed = SERVICES.iter().filter(|service| service.name != WITHOUT_DEPLOYMENTS).take(STORM_PODS);
    deployed
        .zip(0..)
        .map(|(service, second)| Kill {
            how: How::Evicted,
            node,
            ..kill(random, at + TimeDelta::seconds(second), service)
        })
        .collect()
}

fn anybody(random: &mut Random) -> Option<&'static DemoService> {
    let deployed: Vec<_> = SERVICES.iter().filter(|service| service.name != WITHOUT_DEPLOYMENTS).collect();
    random.pick(&deployed)
}

fn kill(random: &mut Random, at: DateTime<Utc>, service: &'static DemoService) -> Kill {
    let how = match random.below(10) {
        0..4 => How::OutOfMemory,
        4..8 => How::Exit(if random.chance(0.7) { 1 } else { 139 }),
        _ => How::Unhealthy,
    };
    let tail = |text: String, length: usize| text.chars().take(length).collect::<String>();
    let suffixes = (tail(random.sha(), 9), tail(random.sha(), 5));
    let node = random.pick(&NODES).unwrap_or(NODES[0]);
    let restarts = u32::try_from(random.below(4) + 1).unwrap_or(1);
    Kill { at, how, service, node, uid: random.uuid(), suffixes, restarts, container_id: random.sha() }
}

fn minutes(minutes: f64) -> TimeDelta {
    TimeDelta::seconds(seconds(minutes * 60.0))
}

fn seconds(seconds: f64) -> i64 {
    whole(seconds).try_into().unwrap_or_default()
}
