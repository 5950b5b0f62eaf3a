//! Questions in words, for the page of a run and the command line.

use std::fmt;

use super::Question;

/// In one line, without what is only for the tool.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!(" {name} {value}"));
        let words = match self {
            Question::Delivery => "The delivery that the event was read from".to_owned(),
            Question::State { key } => format!("Its own state {key}"),
            Question::Setting { name } => format!("Its setting {name}"),
            Question::Owner(thing) => {
                let parts = [
                    part("team", &thing.team),
                    part("service", &thing.service),
                    part("repository", &thing.repository),
                    part("namespace", &thing.namespace),
                ];
                format!("Who owns{}", parts.into_iter().flatten().collect::<Vec<_>>().join(","))
            }
            Question::Events { query, limit, .. } => format!("The newest {limit} events of {query}"),
            Question::File { repository, path, at } => {
                format!("The file {path} of {repository}{}", part("at", at).unwrap_or_default())
            }
            Question::ChangedFiles { repository, number } => format!("The files that {repository}#{number} touches"),
            Question::Change { repository, number } => format!("The change {repository}#{number} as it is now"),
            Question::OpenReviews { repository } => format!("Open reviews in {repository}"),
            Question::Object(name) => {
                let namespace = part("in", &name.namespace).unwrap_or_default();
                format!("{}/{}{namespace} of cluster {}", name.resource, name.name, name.cluster)
            }
            Question::Objects(filter) => {
                let namespace = part("in", &filter.namespace).unwrap_or_default();
                let labels = part("with labels", &filter.labels).unwrap_or_default();
                let fields = part("where", &filter.fields).unwrap_or_default();
                format!("{}{namespace}{labels}{fields} of cluster {}", filter.resource, filter.cluster)
            }
            Question::Logs(name) => {
                let run = if name.previous { ", its run before" } else { "" };
                format!("The log of {}/{}/{}{run}", name.namespace, name.pod, name.container)
            }
        };
        f.write_str(&words)
    }
}
