//! What an event says beyond its kind: one plain struct per family of kinds.
//!
//! Fields are what readers need, in the field's terms, whatever the sender calls them. A value that the sender
//! does not give stays absent; nothing is ever invented.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod ci;
pub mod forge;
pub mod runtime;
pub mod work;

use crate::kind::{Family, Kind};
use ci::{Analysis, Artifact, Build, Coverage, PipelineRun, TaskRun, Test};
use forge::{Branch, Change, Comment, Push, Release, Repository, Review};
use runtime::{Deployment, Environment, Incident, Node, Pod, Vulnerability};
use work::{Action, Message, Ticket};

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Success,
    /// It did its work and the answer is no.
    Failure,
    /// Somebody or something stopped it.
    Cancelled,
    /// It could not do its work.
    Error,
}

impl Outcome {
    /// The stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may be merged.
    Approved,
    /// It may not be merged as it is.
    ChangesRequested,
    /// Remarks without a decision.
    Commented,
    /// Taken back.
    Dismissed,
}

/// A deployment that is more than a step forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// Back to an earlier version.
    Rollback,
    /// A fix that does not wait for the usual way.
    Hotfix,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

/// The particulars of an event; which variant it is follows from [`Kind::family`].
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Of the family [`Family::Action`].
    Action(Action),
    /// Of the family [`Family::Analysis`].
    Analysis(Analysis),
    /// Of the family [`Family::Artifact`].
    Artifact(Artifact),
    /// Of the family [`Family::Branch`].
    Branch(Branch),
    /// Of the family [`Family::Build`].
    Build(Build),
    /// Of the family [`Family::Change`].
    Change(Box<Change>),
    /// Of the family [`Family::Comment`].
    Comment(Box<Comment>),
    /// Of the family [`Family::Coverage`].
    Coverage(Coverage),
    /// Of the family [`Family::Deployment`].
    Deployment(Box<Deployment>),
    /// Of the family [`Family::Environment`].
    Environment(Environment),
    /// Of the family [`Family::Incident`].
    Incident(Box<Incident>),
    /// Of the family [`Family::Message`].
    Message(Message),
    /// Of the family [`Family::Node`].
    Node(Node),
    /// Of the family [`Family::PipelineRun`].
    PipelineRun(Box<PipelineRun>),
    /// Of the family [`Family::Pod`].
    Pod(Box<Pod>),
    /// Of the family [`Family::Push`].
    Push(Box<Push>),
    /// Of the family [`Family::Release`].
    Release(Release),
    /// Of the family [`Family::Repository`].
    Repository(Repository),
    /// Of the family [`Family::Review`].
    Review(Box<Review>),
    /// Of the family [`Family::TaskRun`].
    TaskRun(Box<TaskRun>),
    /// Of the family [`Family::Test`].
    Test(Box<Test>),
    /// Of the family [`Family::Ticket`].
    Ticket(Box<Ticket>),
    /// Of the family [`Family::Vulnerability`].
    Vulnerability(Vulnerability),
    /// The body of the delivery is the data: it is read from there, not stored twice.
    AsReceived,
    /// Data of a sender's own type that is only a part of its delivery, such as one event of a batch.
    Other(Value),
}

impl Data {
    /// Reads the stored JSON of an event of that kind.
    ///
    /// # Errors
    /// If the JSON is not of the shape that goes with the kind.
    pub fn from_json(kind: &Kind, json: Option<&str>) -> Result<Self, serde_json::Error> {
        let Some(json) = json else { return Ok(Self::AsReceived) };
        Ok(match kind.family() {
            Family::Action => Self::Action(serde_json::from_str(json)?),
            Family::Analysis => Self::Analysis(serde_json::from_str(json)?),
            Family::Artifact => Self::Artifact(serde_json::from_str(json)?),
            Family::Branch => Self::Branch(serde_json::from_str(json)?),
            Family::Build => Self::Build(serde_json::from_str(json)?),
            Family::Change => Self::Change(serde_json::from_str(json)?),
            Family::Comment => Self::Comment(serde_json::from_str(json)?),
            Family::Coverage => Self::Coverage(serde_json::from_str(json)?),
            Family::Deployment => Self::Deployment(serde_json::from_str(json)?),
            Family::Environment => Self::Environment(serde_json::from_str(json)?),
            Family::Incident => Self::Incident(serde_json::from_str(json)?),
            Family::Message => Self::Message(serde_json::from_str(json)?),
            Family::Node => Self::Node(serde_json::from_str(json)?),
            Family::PipelineRun => Self::PipelineRun(serde_json::from_str(json)?),
            Family::Pod => Self::Pod(serde_json::from_str(json)?),
            Family::Push => Self::Push(serde_json::from_str(json)?),
            Family::Release => Self::Release(serde_json::from_str(json)?),
            Family::Repository => Self::Repository(serde_json::from_str(json)?),
            Family::Review => Self::Review(serde_json::from_str(json)?),
            Family::TaskRun => Self::TaskRun(serde_json::from_str(json)?),
            Family::Test => Self::Test(serde_json::from_str(json)?),
            Family::Ticket => Self::Ticket(serde_json::from_str(json)?),
            Family::Vulnerability => Self::Vulnerability(serde_json::from_str(json)?),
            Family::Other => Self::Other(serde_json::from_str(json)?),
        })
    }

    /// The JSON to store; none where the delivery's body is the data.
    ///
    /// # Errors
    /// Never for the structs of this file; only a number that JSON cannot write would be one.
    pub fn to_json(&self) -> Result<Option<String>, serde_json::Error> {
        match self {
            Self::Action(data) => serde_json::to_string(data),
            Self::Analysis(data) => serde_json::to_string(data),
            Self::Artifact(data) => serde_json::to_string(data),
            Self::Branch(data) => serde_json::to_string(data),
            Self::Build(data) => serde_json::to_string(data),
            Self::Change(data) => serde_json::to_string(data),
            Self::Comment(data) => serde_json::to_string(data),
            Self::Coverage(data) => serde_json::to_string(data),
            Self::Deployment(data) => serde_json::to_string(data),
            Self::Environment(data) => serde_json::to_string(data),
            Self::Incident(data) => serde_json::to_string(data),
            Self::Message(data) => serde_json::to_string(data),
            Self::Node(data) => serde_json::to_string(data),
            Self::PipelineRun(data) => serde_json::to_string(data),
            Self::Pod(data) => serde_json::to_string(data),
            Self::Push(data) => serde_json::to_string(data),
            Self::Release(data) => serde_json::to_string(data),
            Self::Repository(data) => serde_json::to_string(data),
            Self::Review(data) => serde_json::to_string(data),
            Self::TaskRun(data) => serde_json::to_string(data),
            Self::Test(data) => serde_json::to_string(data),
            Self::Ticket(data) => serde_json::to_string(data),
            Self::Vulnerability(data) => serde_json::to_string(data),
            Self::AsReceived => return Ok(None),
            Self::Other(value) => serde_json::to_string(value),
        }
        .map(Some)
    }

    /// The same as a JSON value; null where the delivery's body is the data.
    ///
    /// # Errors
    /// As [`Data::to_json`].
    pub fn to_value(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::Action(data) => serde_json::to_value(data),
            Self::Analysis(data) => serde_json::to_value(data),
            Self::Artifact(data) => serde_json::to_value(data),
            Self::Branch(data) => serde_json::to_value(data),
            Self::Build(data) => serde_json::to_value(data),
            Self::Change(data) => serde_json::to_value(data),
            Self::Comment(data) => serde_json::to_value(data),
            Self::Coverage(data) => serde_json::to_value(data),
            Self::Deployment(data) => serde_json::to_value(data),
            Self::Environment(data) => serde_json::to_value(data),
            Self::Incident(data) => serde_json::to_value(data),
            Self::Message(data) => serde_json::to_value(data),
            Self::Node(data) => serde_json::to_value(data),
            Self::PipelineRun(data) => serde_json::to_value(data),
            Self::Pod(data) => serde_json::to_value(data),
            Self::Push(data) => serde_json::to_value(data),
            Self::Release(data) => serde_json::to_value(data),
            Self::Repository(data) => serde_json::to_value(data),
            Self::Review(data) => serde_json::to_value(data),
            Self::TaskRun(data) => serde_json::to_value(data),
            Self::Test(data) => serde_json::to_value(data),
            Self::Ticket(data) => serde_json::to_value(data),
            Self::Vulnerability(data) => serde_json::to_value(data),
            Self::AsReceived => Ok(Value::Null),
            Self::Other(value) => Ok(value.clone()),
        }
    }

    /// The repository it happened in: `host/owner/name`.
    #[must_use]
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Branch(data) => Some(&data.repository),
            Self::Change(data) => Some(&data.repository),
            Self::Comment(data) => Some(&data.repository),
            Self::Push(data) => Some(&data.repository),
            Self::Release(data) => Some(&data.repository),
            Self::Repository(data) => Some(&data.repository),
            Self::Review(data) => Some(&data.repository),
            Self::Action(data) => data.repository.as_deref(),
            Self::Analysis(data) => data.repository.as_deref(),
            Self::Artifact(data) => data.repository.as_deref(),
            Self::Build(data) => data.repository.as_deref(),
            Self::Coverage(data) => data.repository.as_deref(),
            Self::Deployment(data) => data.repository.as_deref(),
            Self::Incident(data) => data.repository.as_deref(),
            Self::PipelineRun(data) => data.repository.as_deref(),
            Self::TaskRun(data) => data.repository.as_deref(),
            Self::Ticket(data) => data.repository.as_deref(),
            Self::Vulnerability(data) => data.repository.as_deref(),
            Self::Environment(_)
            | Self::Message(_)
            | Self::Node(_)
            | Self::Pod(_)
            | Self::Test(_)
            | Self::AsReceived
            | Self::Other(_) => None,
        }
    }

    /// The service, where the sender names one.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Action(data) => data.service.as_deref(),
            Self::Analysis(data) => data.service.as_deref(),
            Self::Coverage(data) => data.service.as_deref(),
            Self::Deployment(data) => data.service.as_deref(),
            Self::Incident(data) => data.service.as_deref(),
            Self::Pod(data) => data.service.as_deref(),
            Self::Artifact(_)
            | Self::Branch(_)
            | Self::Build(_)
            | Self::Change(_)
            | Self::Comment(_)
            | Self::Environment(_)
            | Self::Message(_)
            | Self::Node(_)
            | Self::PipelineRun(_)
            | Self::Push(_)
            | Self::Release(_)
            | Self::Repository(_)
            | Self::Review(_)
            | Self::TaskRun(_)
            | Self::Test(_)
            | Self::Ticket(_)
            | Self::Vulnerability(_)
            | Self::AsReceived
            | Self::Other(_) => None,
        }
    }

    /// The environment, in the sender's word.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        match self {
            Self::Deployment(data) => data.environment.as_deref(),
            Self::Incident(data) => data.environment.as_deref(),
            Self::Pod(data) => data.environment.as_deref(),
            Self::Test(data) => data.environment.as_deref(),
            Self::Action(_)
            | Self::Analysis(_)
            | Self::Artifact(_)
            | Self::Branch(_)
            | Self::Build(_)
            | Self::Change(_)
            | Self::Comment(_)
            | Self::Coverage(_)
            | Self::Environment(_)
            | Self::Message(_)
            | Self::Node(_)
            | Self::PipelineRun(_)
            | Self::Push(_)
            | Self::Release(_)
            | Self::Repository(_)
            | Self::Review(_)
            | Self::TaskRun(_)
            | Self::Ticket(_)
            | Self::Vulnerability(_)
            | Self::AsReceived
            | Self::Other(_) => None,
        }
    }

    /// The entity whose order matters: the repository in forge and CI, service and environment for a deployment, the
    /// incident, the ticket, the workload. None if the data names none: the event's own source then serves.
    #[must_use]
    pub fn order_key(&self) -> Option<String> {
        let repository = self.repository().filter(|text| !text.is_empty());
        let key = match self {
            Self::Deployment(data) => {
                let what = data.service.as_deref().or(repository).unwrap_or(&data.id);
                return joined([Some(what), data.environment.as_deref()]);
            }
            Self::Pod(data) => match &data.workload {
                Some(workload) => {
                    return joined([data.cluster.as_deref(), data.namespace.as_deref(), Some(workload)]);
                }
                None => Some(data.id.as_str()),
            },
            Self::Action(data) => repository.or(data.service.as_deref()).or(data.bot.as_deref()),
            Self::Analysis(data) => repository.or(data.service.as_deref()),
            Self::Artifact(data) => repository.or(Some(&data.id)),
            Self::Build(data) => repository.or(Some(&data.id)),
            Self::Coverage(data) => repository.or(data.service.as_deref()),
            Self::Environment(data) => Some(data.id.as_str()),
            Self::Incident(data) => Some(data.id.as_str()),
            Self::Message(data) => data.channel.as_deref(),
            Self::Node(data) => Some(data.id.as_str()),
            Self::PipelineRun(data) => repository.or(Some(&data.id)),
            Self::TaskRun(data) => repository.or(data.run.as_deref()).or(Some(&data.id)),
            Self::Test(data) => data.suite_run.as_deref().or(Some(&data.id)),
            Self::Ticket(data) => Some(data.id.as_str()),
            Self::Vulnerability(data) => repository.or(Some(&data.id)),
            Self::Branch(_)
            | Self::Change(_)
            | Self::Comment(_)
            | Self::Push(_)
            | Self::Release(_)
            | Self::Repository(_)
            | Self::Review(_) => repository,
            Self::AsReceived | Self::Other(_) => None,
        };
        joined([key])
    }

    /// How it ended, for kinds that end.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Action(data) => data.outcome,
            Self::Deployment(data) => data.outcome,
            Self::PipelineRun(data) => data.outcome,
            Self::TaskRun(data) => data.outcome,
            Self::Test(data) => data.outcome,
            Self::Analysis(_)
            | Self::Artifact(_)
            | Self::Branch(_)
            | Self::Build(_)
            | Self::Change(_)
            | Self::Comment(_)
            | Self::Coverage(_)
            | Self::Environment(_)
            | Self::Incident(_)
            | Self::Message(_)
            | Self::Node(_)
            | Self::Pod(_)
            | Self::Push(_)
            | Self::Release(_)
            | Self::Repository(_)
            | Self::Review(_)
            | Self::Ticket(_)
            | Self::Vulnerability(_)
            | Self::AsReceived
            | Self::Other(_) => None,
        }
    }
}

/// The parts that are there, joined by slashes.
fn joined<const N: usize>(parts: [Option<&str>; N]) -> Option<String> {
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_key_is_the_entity_whose_order_matters() {
        let key = |kind: &str, data: Value| {
            Data::from_json(&Kind::from(kind), Some(&data.to_string())).unwrap().order_key().unwrap_or_default()
        };
        assert_eq!(key("change.merged", json!({"repository": "h/o/n", "number": 1})), "h/o/n");
        assert_eq!(key("pipelinerun.finished", json!({"repository": "h/o/n", "id": "run"})), "h/o/n");
        assert_eq!(key("pipelinerun.finished", json!({"id": "run"})), "run");
        let deployment = json!({"id": "d", "repository": "h/o/n", "service": "shop", "environment": "prod"});
        assert_eq!(key("service.deployed", deployment), "shop/prod");
        assert_eq!(key("deployment.failed", json!({"id": "d", "repository": "h/o/n"})), "h/o/n");
        assert_eq!(key("service.removed", json!({"id": "d"})), "d");
        assert_eq!(key("incident.detected", json!({"id": "i", "repository": "h/o/n"})), "i");
        assert_eq!(key("ticket.closed", json!({"id": "h/o/n#1", "repository": "h/o/n"})), "h/o/n#1");
        let pod = json!({"id": "p", "cluster": "c", "namespace": "n", "workload": "Deployment/shop"});
        assert_eq!(key("pod.killed", pod), "c/n/Deployment/shop");
        assert_eq!(key("pod.killed", json!({"id": "p", "namespace": "n"})), "p");
        assert_eq!(key("message.posted", json!({})), "", "the event's source serves");
    }
}
