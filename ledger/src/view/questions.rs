//! What the questions to a view share: which metric, which places, which rows, and what is withheld.

use std::collections::{BTreeSet, HashMap};

use bus::ids::EventId;

use super::{AskError, View};
use crate::aggregate::{self, Answer, Question};
use crate::catalog::{ServiceName, Unknown};
use crate::frames::{Frame, Span, Within};
use crate::metrics::{LIST, Metric};
use crate::report::{Ask, BucketPoint, Figure, Group, Point, Scope, Withheld};
use crate::window::Bucket;

impl View {
    pub(super) fn metric(&self, name: &str) -> Result<(&'static Metric, &Frame), AskError> {
        let number = LIST.iter().position(|metric| metric.definition.name == name);
        let no_metric = || AskError::NoMetric(name.to_owned());
        let number = number.ok_or_else(no_metric)?;
        let metric = LIST.get(number).ok_or_else(no_metric)?;
        let frame = self.frames.get(number).ok_or_else(no_metric)?;
        frame.as_ref().map(|frame| (metric, frame)).map_err(|why| AskError::Computation(why.clone()))
    }

    pub(super) fn frame(&self, number: usize) -> Option<&Frame> {
        self.frames.get(number)?.as_ref().ok()
    }

    pub(super) fn answer(
        &self,
        metric: &'static Metric,
        frame: &Frame,
        ask: &Ask,
        buckets: &[Bucket],
    ) -> Result<Answer, AskError> {
        let span = span(ask, buckets);
        let selected = frame.select(&self.within(ask)?, &span);
        let question = Question {
            metric,
            frame,
            selected: &selected,
            span: &span,
            groups: (metric.groups)(&self.rules),
            calendar: ask.window.calendar,
            first_event_at: self.first_event_at(&ask.scope)?,
        };
        aggregate::answer(&question).map_err(|error| AskError::Computation(error.to_string()))
    }

    pub(super) fn nothing(&self, metric: &Metric, buckets: &[Bucket]) -> Answer {
        let point = || Point { figure: Figure::Withheld, n: 0, beside: Vec::new() };
        let groups = (metric.groups)(&self.rules);
        Answer {
            points: buckets.iter().map(|bucket| BucketPoint { bucket: bucket.clone(), point: point() }).collect(),
            total: point(),
            groups: groups.into_iter().map(|label| Group { label, point: point() }).collect(),
            notes: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) fn withheld(&self, metric: &Metric, ask: &Ask) -> Result<Option<Withheld>, AskError> {
        let services = self.services_of(&ask.scope)?;
        if !metric.definition.needs_group {
            return Ok(None);
        }
        let buckets = ask.window.buckets();
        let edges = buckets.first().zip(buckets.last()).map(|(first, last)| (first.from, last.to));
        let Some(edges) = edges else { return Ok(None) };
        let people_min = self.rules.people_min;
        let withheld = self.people.withheld(&self.catalog, &self.derived, people_min, edges);
        // A repository is one place however it is written, and a team without services has nobody to protect.
        let scope = match &ask.scope {
            Scope::Repository(name) => Scope::Repository(name.to_lowercase()),
            Scope::Company | Scope::Team(_) | Scope::Service(_) => ask.scope.clone(),
        };
        let reason = format!(
            "fewer than {people_min} people contributed, or what is shown elsewhere would tell of a group that small"
        );
        let is_withheld = !services.is_empty() && withheld.contains(&scope);
        Ok(is_withheld.then_some(Withheld { reason, people_min }))
    }

    pub(super) fn services_of(&self, scope: &Scope) -> Result<BTreeSet<&ServiceName>, AskError> {
        let no_scope = |unknown: Unknown| AskError::NoScope { kind: unknown.kind, name: unknown.name };
        self.catalog.services_of(scope).map_err(no_scope)
    }

    pub(super) fn within(&self, ask: &Ask) -> Result<Within, AskError> {
        Ok(Within { tier: self.derived.places.tier(&ask.environment), ..self.places_within(&ask.scope)? })
    }

    pub(super) fn places_within(&self, scope: &Scope) -> Result<Within, AskError> {
        let services = self.services_of(scope)?;
        let places = &self.derived.places;
        let mut flags = vec![false; places.service_count()];
        for code in services.iter().filter_map(|name| places.service(name.as_str())) {
            if let Some(flag) = flags.get_mut(code.0 as usize) {
                *flag = true;
            }
        }
        Ok(match scope {
            Scope::Company => Within { services: None, repository: None, tier: None },
            Scope::Team(_) | Scope::Service(_) => Within { services: Some(flags), repository: None, tier: None },
            Scope::Repository(name) => Within { services: None, repository: places.repository(name), tier: None },
        })
    }

    pub(super) fn index_uses(&self) -> HashMap<EventId, Vec<(usize, usize)>> {
        let mut uses: HashMap<EventId, Vec<(usize, usize)>> = HashMap::new();
        for number in 0..LIST.len() {
            let rows = self.frame(number).map_or(&[][..], Frame::rows);
            for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.in_points) {
                for event in std::iter::once(&row.event).chain(&row.also) {
                    uses.entry(*event).or_default().push((number, index));
                }
            }
        }
        uses
    }
}

pub(super) fn span<'b>(ask: &Ask, buckets: &'b [Bucket]) -> Span<'b> {
    let calendar = ask.window.calendar;
    let (from, to) = (calendar.day_start(ask.window.from), calendar.day_start(ask.window.to));
    Span { buckets, from, to, now: ask.window.now }
}
