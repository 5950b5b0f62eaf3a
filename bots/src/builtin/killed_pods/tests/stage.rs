//! A stage for the bot: a world out of a file, a clock, and the runtime's part: state is kept, reminders come due,
//! messages of a group replace each other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use bus::data::Data;
use bus::event::{Event, Origin, Recorded};
use bus::ids::{DeliveryOffset, EventId, EventOffset, OrderKey};
use bus::kind::Kind;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::KilledPods;
use crate::action::{Action, Audience};
use crate::contract::{Bot, Decision};
use crate::given::{Answers, Scene};
use crate::lookups::{Happened, Lookups, Question, Reminder, Told, Unavailable, World};
use crate::message::Message;

/// A kill out of a file.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Kill {
    pub(super) kind: String,
    pub(super) told: Value,
    pub(super) pod: Value,
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    logs: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<Happened>,
    #[serde(default)]
    owner: Option<crate::lookups::Owner>,
}

impl Kill {
    pub(super) fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/killed-pods-worlds");
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Forgets all events of a kind on the bus but the first so many.
    pub(super) fn forget_events(&mut self, kind: &str, keep: usize) {
        let mut seen = 0;
        self.events.retain(|event| {
            seen += usize::from(event.kind.name() == kind);
            event.kind.name() != kind || seen <= keep
        });
    }

    /// The same kill of the next run of its container, so much later.
    pub(super) fn again(&self, run: u32, later: TimeDelta) -> Self {
        let mut next = self.clone();
        let at = at(self.told["killedAt"].as_str().unwrap()) + later;
        let id = format!("containerd://again-{run}");
        next.told["killedAt"] = json!(at);
        next.told["id"] = json!(format!("eu-1/{}/app/{id}", self.told["uid"].as_str().unwrap()));
        next.told["restarts"] = json!(run);
        let status = &mut next.pod["status"]["containerStatuses"][0];
        status["restartCount"] = json!(run);
        status["lastState"]["terminated"]["containerID"] = json!(id);
        status["lastState"]["terminated"]["finishedAt"] = json!(at);
        next
    }
}

/// A message as it stands in chat.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) to: Audience,
    pub(super) message: Message,
    pub(super) thread: Option<String>,
    pub(super) versions: usize,
}

/// The world, with what it may not tell and what it was asked.
struct Counted<'a> {
    scene: &'a Scene,
    forbidden: &'a [&'static str],
    asked: RefCell<Vec<String>>,
    millis_per_call: u32,
}

impl World for Counted<'_> {
    fn answer(&self, question: &Question) -> Told {
        let (resource, asked) = if let Question::Object(name) = question {
            (name.resource.as_str(), format!("{} {}", name.resource, name.name))
        } else if let Question::Objects(filter) = question {
            let which = filter.fields.as_ref().or(filter.labels.as_ref());
            (filter.resource.as_str(), format!("{} {}", filter.resource, which.map_or("", String::as_str)))
        } else if let Question::Logs(name) = question {
            ("pods/log", if name.previous { "previous log" } else { "log" }.to_owned())
        } else {
            return self.scene.answer(question);
        };
        self.asked.borrow_mut().push(asked);
        let answer = if self.forbidden.contains(&resource) {
            Err(Unavailable::for_good(format!("{resource} forbidden")))
        } else {
            self.scene.answer(question).answer
        };
        Told { answer, calls: 1, millis: self.millis_per_call }
    }
}

/// The stage.
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) forbidden: Vec<&'static str>,
    /// Messages by their group; those of threads by their number.
    pub(super) chat: BTreeMap<String, Posted>,
    /// Requests to the cluster in the last run.
    pub(super) calls: u32,
    /// What the cluster was asked in the last run, in order.
    pub(super) asked: Vec<String>,
    /// How long the cluster takes to answer.
    pub(super) millis_per_call: u32,
    /// The last decision, in words.
    pub(super) because: String,
    /// How often the bot was reminded of one event at most.
    pub(super) rounds_max: u32,
    reminders: Vec<(DateTime<Utc>, Recorded, Value, Reminder)>,
    told: i64,
}

impl Stage {
    pub(super) fn new(kill: &Kill) -> Self {
        let settings =
            [("base_url", "https://devhose.example/"), ("platform_channel", "#platform"), ("default_channel", "#ops")];
        let answers = Answers {
            objects: kill.objects.clone(),
            logs: kill.logs.clone(),
            events: Some(kill.events.clone()),
            owner: kill.owner.clone(),
            settings: settings.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect(),
            ..Answers::default()
        };
        Self {
            scene: Scene { delivery: None, answers, now: at("2026-11-20T03:02:13Z") },
            forbidden: Vec::new(),
            chat: BTreeMap::new(),
            calls: 0,
            asked: Vec::new(),
            millis_per_call: 20,
            because: String::new(),
            rounds_max: 0,
            reminders: Vec::new(),
            told: 0,
        }
    }

    /// A kill happens, and the bot hears of it two seconds later.
    pub(super) fn kill(&mut self, kill: &Kill) {
        self.put_on_the_bus(kill);
        let event = self.event(&kill.kind, &kill.told);
        self.run(&event, &json!({"type": "MODIFIED", "object": kill.pod}), None);
    }

    /// A kill is on the bus; the bot has not heard of it yet.
    pub(super) fn put_on_the_bus(&mut self, kill: &Kill) {
        let killed_at = kill.told["killedAt"].as_str().map(at).unwrap_or(self.scene.now);
        self.scene.now = self.scene.now.max(killed_at + TimeDelta::seconds(2));
        self.told += 1;
        let happened = Happened {
            id: id(self.told),
            kind: Kind::from(kill.kind.as_str()),
            time: killed_at,
            subject: "Pod".to_owned(),
            data: kill.told.clone(),
        };
        self.scene.answers.events.as_mut().unwrap().push(happened);
    }

    /// Somebody presses a button.
    pub(super) fn press(&mut self, button: &str, value: &str) {
        self.told += 1;
        let answer = json!({"button": button, "value": value, "author": {"handle": "U024BE7LH"}});
        let event = self.event("message.answered", &answer);
        self.run(&event, &json!({}), None);
    }

    /// Time passes, and the bot is reminded of what it wanted to be.
    pub(super) fn pass(&mut self, duration: TimeDelta) {
        let end = self.scene.now + duration;
        while let Some(next) = self.next_due(end) {
            let (due, event, delivery, reminder) = self.reminders.remove(next);
            self.scene.now = self.scene.now.max(due);
            self.run(&event, &delivery, Some(reminder));
        }
        self.scene.now = end;
    }

    pub(super) fn only(&self) -> &Posted {
        let mut messages = self.chat.values().filter(|posted| posted.thread.is_none());
        let first = messages.next().unwrap_or_else(|| panic!("a message, for {}", self.because));
        assert!(messages.next().is_none(), "one message: {:?}", self.chat.keys());
        first
    }

    pub(super) fn thread(&self) -> Vec<String> {
        self.chat.values().filter(|posted| posted.thread.is_some()).map(|posted| posted.message.to_text()).collect()
    }

    fn next_due(&self, end: DateTime<Utc>) -> Option<usize> {
        let due = self.reminders.iter().enumerate().filter(|(_, (due, ..))| *due <= end);
        due.min_by_key(|(index, (due, ..))| (*due, *index)).map(|(index, _)| index)
    }

    fn event(&self, kind: &str, data: &Value) -> Recorded {
        let kind = Kind::from(kind);
        let data = Data::from_json(&kind, Some(&data.to_string())).unwrap();
        let origin = Origin { source: "test".parse().unwrap(), delivery: DeliveryOffset(self.told), index: 0 };
        let key = OrderKey(data.order_key().unwrap_or_default());
        let killed_at = if let Data::Pod(pod) = &data { pod.killed_at } else { None };
        let time = killed_at.unwrap_or(self.scene.now);
        let event =
            Event { id: id(self.told), kind, source: "/test".to_owned(), subject: "test".to_owned(), time, key, data };
        Recorded { offset: EventOffset(self.told), recorded_at: self.scene.now, revision: 0, origin, event }
    }

    fn run(&mut self, event: &Recorded, delivery: &Value, reminder: Option<Reminder>) {
        self.scene.delivery = Some(delivery.clone());
        self.rounds_max = self.rounds_max.max(reminder.as_ref().map_or(0, |reminder| reminder.round));
        let round = reminder.as_ref().map_or(0, |reminder| reminder.round);
        let (scene, forbidden, millis_per_call) = (&self.scene, self.forbidden.as_slice(), self.millis_per_call);
        let world = Counted { scene, forbidden, millis_per_call, asked: RefCell::default() };
        let decision = KilledPods.handle(event, &Lookups::new(&world, self.scene.now, reminder));
        self.asked = world.asked.take();
        self.calls = u32::try_from(self.asked.len()).unwrap();
        assert!(self.calls <= 12, "at most 12 calls, not {}", self.calls);
        let Decision::Act { actions, because } = decision else { panic!("{decision:?}") };
        self.because = because;
        let outward = actions.iter().filter(|action| action.is_outward()).count();
        assert!(outward <= KilledPods.manifest().actions_per_event_max, "{outward} actions");
        self.scene.keep_state(&actions);
        for action in actions {
            if let Action::Remind { after, note } = &action {
                let due = self.scene.now + TimeDelta::from_std(*after).unwrap();
                let reminder = Reminder { note: note.clone(), round: round + 1 };
                self.reminders.push((due, event.clone(), delivery.clone(), reminder));
            }
            if let Action::PostMessage { audience, message, group, in_thread_of } = action {
                self.post(audience, message, group, in_thread_of);
            }
        }
    }

    fn post(&mut self, to: Audience, message: Message, group: Option<String>, thread: Option<String>) {
        let key = group.unwrap_or_else(|| format!("thread {:03}", self.chat.len()));
        if let Some(thread) = &thread {
            assert!(self.chat.contains_key(thread), "there is a message to reply to");
        }
        let versions = self.chat.get(&key).map_or(0, |posted| posted.versions) + 1;
        self.chat.insert(key, Posted { to, message, thread, versions });
    }
}

pub(super) fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn id(number: i64) -> EventId {
    EventId::derive(&"test".parse().unwrap(), &number.to_string().parse().unwrap(), 0)
}
