//! `devhose listen PORT`: hands each event on to a program on this machine as it comes, and says what it answered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::events;
use crate::cli::Listen;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::follow::{self, Follow, Heard};
use crate::forward::{self, Forward};

/// Where places are kept by name, in the data directory.
const PLACES: &str = "listen";

pub(super) async fn run(args: Listen, context: Context) -> Ended {
    let place = Place::of(&args, &context)?;
    let forward = Forward::new(address(&args), args.secret.as_deref())?;
    let mut query = Vec::new();
    query.extend(args.which.filter()?.map(|filter| ("filter", filter.to_string())));
    let server = Server::find(&context).await?;
    let listening = listen(&server, &context, &args, Hand { forward, place, query });
    let ended = match args.timeout {
        None => listening.await,
        Some(seconds) => {
            tokio::time::timeout(Duration::from_secs(seconds), listening).await.unwrap_or(Ok(Exit::Timeout))
        }
    };
    server.close().await?;
    ended
}

fn address(args: &Listen) -> String {
    format!("http://127.0.0.1:{}/{}", args.port, args.path.trim_start_matches('/'))
}

/// What hands events on.
struct Hand {
    forward: Forward,
    place: Place,
    query: Vec<(&'static str, String)>,
}

async fn listen(server: &Server, context: &Context, args: &Listen, hand: Hand) -> Ended {
    let Hand { forward, place, query } = hand;
    let kept = place.read()?;
    // Whoever goes on where it was wants to know how much came meanwhile; whoever begins does not.
    let mut gap = kept.is_some().then_some(0_u64);
    let from = kept.or_else(|| args.since.clone()).unwrap_or_else(|| "latest".to_owned());
    context.output.tell(&format!("events go to {} from {from} on", address(args)));
    let mut follow = Follow::new(server, context.output, query, from);
    let mut handed = 0_u64;
    loop {
        match follow.next().await? {
            Heard::Event(offset, data) => {
                hand_on(context, &forward, &offset, &data).await?;
                place.write(&offset)?;
                gap = gap.map(|events| events + 1);
                handed += 1;
                if args.count.is_some_and(|count| handed >= count) {
                    return Ok(Exit::Ok);
                }
            }
            Heard::Place(offset) => place.write(&offset)?,
            Heard::CaughtUp(offset) => {
                place.write(&offset)?;
                if let Some(events) = gap.take() {
                    context.output.tell(&follow::filled(events));
                }
            }
            Heard::Lost => gap = Some(0),
        }
    }
}

async fn hand_on(context: &Context, forward: &Forward, offset: &str, data: &str) -> Result<(), Failure> {
    let event: Value = serde_json::from_str(data)?;
    let forwarded = forward.post(&forward::id(&event), data).await?;
    let millis = u64::try_from(forwarded.millis).unwrap_or(u64::MAX);
    if context.output.json {
        let (status, error) = match &forwarded.outcome {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error)),
        };
        let line = json!({
            "offset": offset.parse::<i64>().ok(),
            "id": event.get("id"),
            "type": event.get("type"),
            "subject": event.get("subject"),
            "status": status,
            "error": error,
            "millis": millis,
        });
        return context.output.line(&line.to_string());
    }
    let mut row = vec![forwarded.words(), format!("{millis} ms")];
    row.extend(events::row(&event));
    context.output.line(&row.join(if context.output.terminal { "  " } else { "\t" }))
}

/// Where the place in the log is kept over restarts; nowhere if nobody asked for it.
struct Place(Option<PathBuf>);

impl Place {
    fn of(args: &Listen, context: &Context) -> Result<Self, Failure> {
        let Some(name) = &args.name else { return Ok(Self(args.resume.clone())) };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if name.is_empty() || name.len() > 80 || !name.bytes().all(plain) {
            return Err(Failure::new(Exit::Usage, format!("--name {name:?} cannot be the name of a file"))
                .remedy("1 to 80 letters, digits and _ -"));
        }
        let directory = context.config.data.join(PLACES);
        std::fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        Ok(Self(Some(directory.join(name))))
    }

    fn read(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.0 else { return Ok(None) };
        match std::fs::read_to_string(file) {
            Ok(text) if text.trim().parse::<i64>().is_ok() => Ok(Some(text.trim().to_owned())),
            Ok(_) => Err(Failure::new(Exit::Usage, format!("{} holds no place in the log", file.display()))
                .remedy("remove it to begin anew")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(anyhow::Error::new(error).context(format!("{} cannot be read", file.display())).into()),
        }
    }

    /// Notes a place. It is there as a whole or not at all: a listener may be ended at any moment.
    fn write(&self, offset: &str) -> Result<(), Failure> {
        let Some(file) = &self.0 else { return Ok(()) };
        let fresh = fresh(file);
        std::fs::write(&fresh, offset).with_context(|| format!("{} cannot be written", fresh.display()))?;
        std::fs::rename(&fresh, file).with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(())
    }
}

fn fresh(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}
