//! Questions to a cluster within a budget: what could not be had, or was not asked any more, is noted with its reason.

use serde_json::Value;

use super::super::json::{items, named, number, owner, text, time};
use super::super::quantity::parse;
use super::super::subject::{CONTAINER_LISTS, Subject};
use super::{Log, Measured};
use crate::lookups::{LogName, Lookups, ObjectFilter, ObjectName, Unavailable};

/// Requests for one report: a storm must not make the API server's day worse.
pub(super) const CALLS_MAX: u32 = 12;
/// A report that takes longer than this is told with what is known by then.
pub(super) const MILLIS_MAX: u32 = 2_000;
/// Enough for a stack trace and what led to it.
const LOG_LINES_MAX: u32 = 200;
/// What the record of a run keeps whole.
const LOG_BYTES_MAX: u32 = 64 * 1024;
/// Events about one object: the server keeps an hour of them.
const EVENTS_MAX: u32 = 100;
/// Objects of a list: a deployment keeps 10 old replica sets unless told otherwise.
const LIST_MAX: u32 = 50;

/// Asks, as long as the budget lasts, and notes what could not be had.
pub(super) struct Ask<'a> {
    pub(super) subject: &'a Subject,
    pub(super) lookups: &'a Lookups<'a>,
    pub(super) gaps: Vec<String>,
}

impl Ask<'_> {
    fn within_budget(&self) -> Result<(), Unavailable> {
        let cost = self.lookups.cost();
        if cost.calls >= CALLS_MAX {
            return Err(Unavailable::for_now(format!("not asked, the {CALLS_MAX} requests of a report were spent")));
        }
        if cost.millis >= MILLIS_MAX {
            return Err(Unavailable::for_now(format!("not asked, the {} s of a report were over", MILLIS_MAX / 1000)));
        }
        Ok(())
    }

    fn note<T>(&mut self, what: &str, answer: Result<T, Unavailable>) -> Result<T, String> {
        answer.map_err(|unavailable| {
            self.gaps.push(format!("{what}: {unavailable}"));
            unavailable.reason
        })
    }

    pub(super) fn object(
        &mut self,
        what: &str,
        (api, resource): (&str, &str),
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, String> {
        let asked = ObjectName {
            cluster: self.subject.cluster.clone(),
            api: api.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let answer = self.within_budget().and_then(|()| self.lookups.object(asked));
        self.note(what, answer)
    }

    pub(super) fn list(
        &mut self,
        what: &str,
        (api, resource): (&str, &str),
        namespace: &str,
        labels: Option<String>,
    ) -> Vec<Value> {
        let filter = ObjectFilter {
            cluster: self.subject.cluster.clone(),
            api: api.to_owned(),
            resource: resource.to_owned(),
            namespace: Some(namespace.to_owned()),
            labels,
            fields: None,
            limit: LIST_MAX,
        };
        let answer = self.within_budget().and_then(|()| self.lookups.objects(filter));
        self.note(what, answer).unwrap_or_default()
    }

    pub(super) fn events(&mut self, what: &str, namespace: &str, fields: &str) -> Vec<Value> {
        let filter = ObjectFilter {
            cluster: self.subject.cluster.clone(),
            api: "v1".to_owned(),
            resource: "events".to_owned(),
            namespace: Some(namespace.to_owned()),
            labels: None,
            fields: Some(fields.to_owned()),
            limit: EVENTS_MAX,
        };
        let answer = self.within_budget().and_then(|()| self.lookups.objects(filter));
        self.note(what, answer).unwrap_or_default()
    }

    /// What controls an object, if it is of a kind that the bot may read.
    pub(super) fn owner_of(&mut self, object: &Value) -> Option<Value> {
        let (kind, name) = owner(object)?;
        let resource = match kind {
            "ReplicaSet" => ("apps/v1", "replicasets"),
            "Deployment" => ("apps/v1", "deployments"),
            "StatefulSet" => ("apps/v1", "statefulsets"),
            "DaemonSet" => ("apps/v1", "daemonsets"),
            "Job" => ("batch/v1", "jobs"),
            "CronJob" => ("batch/v1", "cronjobs"),
            _ => return None,
        };
        let (what, name) = (format!("{kind} {name}"), name.to_owned());
        let namespace = self.subject.namespace.clone();
        self.object(&what, resource, Some(&namespace), &name).ok().flatten()
    }

    /// The log of the run that died. Asked for as the last run but one if the watch saw a newer run, and else as the
    /// newest; if it was restarted since, the newest run is not the one that died.
    pub(super) fn log(&mut self) -> Log {
        let subject = self.subject;
        let container = subject.container_name().filter(|_| !subject.cannot_start);
        let Some(container) = container else { return Log::Gone };
        let restarts = text(&subject.object, "/spec/restartPolicy") != Some("Never") && !subject.evicted;
        let previous = !subject.is_newest_run() || (restarts && self.was_restarted(container));
        let asked = |previous| LogName {
            cluster: subject.cluster.clone(),
            namespace: subject.namespace.clone(),
            pod: subject.pod.clone(),
            container: container.to_owned(),
            previous,
            lines_max: LOG_LINES_MAX,
            bytes_max: LOG_BYTES_MAX,
        };
        let mut read = |previous| {
            let answer = self.within_budget().and_then(|()| self.lookups.logs(asked(previous)));
            let text = self.note("the log", answer)?;
            Ok::<_, String>(text.filter(|text| !text.trim().is_empty()))
        };
        match read(previous) {
            Ok(Some(text)) => Log::Text(text),
            // While the container waits to be started again, its newest log is that of the run that died.
            Ok(None) if previous && subject.looping => read(false).ok().flatten().map_or(Log::Gone, Log::Text),
            Ok(None) if previous => read(false).ok().flatten().map_or(Log::Gone, Log::Next),
            Ok(None) => Log::Gone,
            Err(reason) => Log::Unavailable(reason),
        }
    }

    /// Whether the container runs again since the watch saw it end.
    fn was_restarted(&mut self, container: &str) -> bool {
        let subject = self.subject;
        let now = self.object("the pod as it is now", ("v1", "pods"), Some(&subject.namespace), &subject.pod);
        let Ok(Some(pod)) = now else { return false };
        let same_pod = text(&pod, "/metadata/uid").is_none_or(|uid| uid == subject.uid);
        let statuses = CONTAINER_LISTS.iter().flat_map(|(statuses, _)| items(&pod, statuses));
        let mut statuses = statuses.filter(|status| text(status, "/name") == Some(container));
        same_pod && statuses.any(|status| number(status, "/restartCount") > subject.restarts())
    }

    /// What the container uses, where the cluster measures it.
    pub(super) fn usage(&mut self) -> Result<Measured, String> {
        let subject = self.subject;
        if subject.cannot_start {
            return Err("it never ran".to_owned());
        }
        let what = ("metrics.k8s.io/v1beta1", "pods");
        let pod = self.object("memory in use", what, Some(&subject.namespace), &subject.pod)?;
        let pod = pod.ok_or_else(|| "the cluster has no measurement of this pod".to_owned())?;
        let container = subject.container_name().unwrap_or_default();
        let used = named(&pod, "/containers", container).and_then(|found| text(found, "/usage/memory"));
        let bytes = used.and_then(parse).ok_or_else(|| format!("no measurement of container {container}"))?;
        Ok(Measured { working_set_bytes: bytes, at: time(&pod, "/timestamp") })
    }
}
