//! The rules that an organisation may set: section `[rules]` of the settings. Whatever is not set has the default.
//!
//! It must not know how a metric uses a rule, nor where the settings are read from.

use chrono::Duration;
use serde::{Deserialize, Serialize};

/// Fewer distinct people than this would let a reader tell who is meant.
pub const PEOPLE_MIN_LOWEST: u64 = 3;

/// Windows longer than a quarter would blame a deployment for whatever happens later.
pub const WINDOW_HOURS_MAX: u32 = 24 * 92;

/// More size buckets than this do not fit beside each other.
pub const SIZE_EDGES_MAX: usize = 12;

/// A rule that cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rules.{key}: {problem}; {remedy}")]
pub struct InvalidRule {
    /// Key in the section `[rules]`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// The rules of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Change and review statistics need so many distinct people, at least 3.
    pub people_min: u64,
    /// A rollback, hotfix or revert within so many hours makes a deployment a failed one.
    pub remediation_window_hours: u32,
    /// An incident within so many hours of a deployment is blamed on it, where the sender names none.
    pub incident_window_hours: u32,
    /// The same deployment told by several tools within so many minutes is one.
    pub duplicate_window_minutes: u32,
    /// Whether the first deployment of a service, whose base is unknown, contributes lead times.
    pub first_deployment_has_lead_times: bool,
    /// Whether rollbacks and hotfixes stand in the denominator of the change failure rate.
    pub remediations_in_denominator: bool,
    /// Upper edges, in lines, of the size buckets; what is larger than the last is a bucket of its own.
    pub size_edges: Vec<u64>,
    /// Handles that are bots though their tool does not say so; a `*` stands for any text.
    pub bots: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            people_min: 5,
            remediation_window_hours: 24,
            incident_window_hours: 24,
            duplicate_window_minutes: 10,
            first_deployment_has_lead_times: false,
            remediations_in_denominator: false,
            size_edges: vec![10, 50, 200, 500, 1_000],
            bots: vec!["*[bot]".to_owned()],
        }
    }
}

impl Rules {
    /// Checks that the rules can hold.
    ///
    /// # Errors
    /// The first rule that cannot, with what to write instead.
    pub fn validate(&self) -> Result<(), InvalidRule> {
        if self.people_min < PEOPLE_MIN_LOWEST {
            let problem = format!("{} people would let a reader tell who is meant", self.people_min);
            return Err(InvalidRule { key: "people_min", problem, remedy: "write 3 or more".to_owned() });
        }
        check_window("remediation_window_hours", self.remediation_window_hours)?;
        check_window("incident_window_hours", self.incident_window_hours)?;
        self.check_size_edges()?;
        match self.bots.iter().find(|bot| bot.trim_matches('*').is_empty()) {
            None => Ok(()),
            Some(bot) => Err(InvalidRule {
                key: "bots",
                problem: format!("{bot:?} would make everybody a bot"),
                remedy: "write a handle, such as \"release-robot\" or \"*-bot\"".to_owned(),
            }),
        }
    }

    /// The time in which a rollback, hotfix or revert makes a deployment a failed one.
    #[must_use]
    pub fn remediation_window(&self) -> Duration {
        Duration::hours(i64::from(self.remediation_window_hours))
    }

    /// The time after a deployment in which an incident is blamed on it.
    #[must_use]
    pub fn incident_window(&self) -> Duration {
        Duration::hours(i64::from(self.incident_window_hours))
    }

    /// The time within which two tools tell of the same deployment.
    #[must_use]
    pub fn duplicate_window(&self) -> Duration {
        Duration::minutes(i64::from(self.duplicate_window_minutes))
    }

    fn check_size_edges(&self) -> Result<(), InvalidRule> {
        let ascending = self.size_edges.iter().zip(self.size_edges.iter().skip(1)).all(|(left, right)| left < right);
        let problem = if self.size_edges.is_empty() || self.size_edges.first() == Some(&0) {
            "the first bucket would be empty".to_owned()
        } else if self.size_edges.len() > SIZE_EDGES_MAX {
            format!("{} buckets are more than {SIZE_EDGES_MAX}", self.size_edges.len())
        } else if ascending {
            return Ok(());
        } else {
            format!("{:?} do not ascend", self.size_edges)
        };
        let remedy = "write upper edges in ascending order, such as [10, 50, 200, 500, 1000]".to_owned();
        Err(InvalidRule { key: "size_edges", problem, remedy })
    }
}

fn check_window(key: &'static str, hours: u32) -> Result<(), InvalidRule> {
    if (1..=WINDOW_HOURS_MAX).contains(&hours) {
        return Ok(());
    }
    let remedy = format!("write 1 to {WINDOW_HOURS_MAX} hours");
    Err(InvalidRule { key, problem: format!("{hours} hours is no window"), remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &Rules) -> String {
        rules.validate().map_or_else(|why| why.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn the_defaults_hold() {
        insta::assert_snapshot!(check(&Rules::default()), @"fine");
    }

    #[test]
    fn a_rule_that_cannot_hold_is_told_with_its_key_and_remedy() {
        let default = Rules::default();
        let wrong = [
            Rules { people_min: 2, ..default.clone() },
            Rules { incident_window_hours: 0, ..default.clone() },
            Rules { size_edges: vec![10, 10], ..default.clone() },
            Rules { size_edges: vec![], ..default.clone() },
            Rules { bots: vec!["**".to_owned()], ..default },
        ];
        insta::assert_snapshot!(wrong.iter().map(check).collect::<Vec<_>>().join("\n"), @r#"
        rules.people_min: 2 people would let a reader tell who is meant; write 3 or more
        rules.incident_window_hours: 0 hours is no window; write 1 to 2208 hours
        rules.size_edges: [10, 10] do not ascend; write upper edges in ascending order, such as [10, 50, 200, 500, 1000]
        rules.size_edges: the first bucket would be empty; write upper edges in ascending order, such as [10, 50, 200, 500, 1000]
        rules.bots: "**" would make everybody a bot; write a handle, such as "release-robot" or "*-bot"
        "#);
    }

    #[test]
    fn an_unknown_rule_is_an_error_that_names_it() {
        let error = serde_json::from_str::<Rules>(r#"{"people_minimum": 4}"#).unwrap_err();
        assert!(error.to_string().contains("people_minimum"), "{error}");
    }
}
