//! What happens to agents, as server-sent events (WHATWG HTML, "Server-sent events"), from looking at the store.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use serde_json::{Value, json};

use super::{Api, blocking};
use crate::agent::Store;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What is seen of an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    created: u64,
    running: bool,
    exit_code: Option<u8>,
    restarts: u32,
}

type Sight = BTreeMap<String, Seen>;

/// From now on: `started`, `restarted`, `ended`, `removed`, each with the agent's name.
pub async fn events(State(api): State<Api>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let sight = look(&api.store).await;
    let events = stream::unfold((api, sight, VecDeque::new()), |(api, mut sight, mut pending)| async move {
        loop {
            if let Some((kind, data)) = pending.pop_front() {
                let event = Event::default().event::<&str>(kind).data(Value::to_string(&data));
                return Some((Ok(event), (api, sight, pending)));
            }
            tokio::time::sleep(LOOK).await;
            let now = look(&api.store).await;
            pending.extend(changes(&sight, &now));
            sight = now;
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn look(store: &Store) -> Sight {
    let store = store.clone();
    let seen = blocking(move || {
        let all = store.all().into_iter().map(|(_, agent)| {
            let running = agent.is_running();
            let seen = Seen { created: agent.created, running, exit_code: agent.exit_code, restarts: agent.restarts };
            (agent.name, seen)
        });
        Ok(all.collect())
    });
    seen.await.unwrap_or_default()
}

/// What happened between two looks. One that is made and not yet started is not told of.
fn changes(before: &Sight, now: &Sight) -> Vec<(&'static str, Value)> {
    let mut changes = Vec::new();
    for (name, old) in before {
        if now.get(name).is_none_or(|new| new.created != old.created) {
            changes.push(("removed", json!({ "agent": name })));
        }
    }
    for (name, new) in now {
        let old = before.get(name).filter(|old| old.created == new.created).copied().unwrap_or_default();
        let ended = !new.running && new.exit_code.is_some();
        let was_on = old.running || old.exit_code.is_some();
        if new.running && !old.running || ended && !was_on {
            changes.push(("started", json!({ "agent": name })));
        }
        if new.restarts > old.restarts {
            changes.push(("restarted", json!({ "agent": name, "restarts": new.restarts })));
        }
        if ended && (old.running || !was_on) {
            changes.push(("ended", json!({ "agent": name, "exitCode": new.exit_code })));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(running: bool, exit_code: Option<u8>, restarts: u32) -> Sight {
        [("a".to_owned(), Seen { created: 1, running, exit_code, restarts })].into()
    }

    fn kinds(before: &Sight, now: &Sight) -> Vec<&'static str> {
        changes(before, now).into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let (none, made, runs) = (Sight::new(), sight(false, None, 0), sight(true, None, 0));
        let (again, ended) = (sight(true, None, 2), sight(false, Some(3), 2));
        assert!(kinds(&none, &made).is_empty() && kinds(&runs, &runs).is_empty() && kinds(&ended, &ended).is_empty());
        assert_eq!(kinds(&made, &runs), ["started"]);
        assert_eq!(kinds(&runs, &again), ["restarted"]);
        assert_eq!(kinds(&again, &ended), ["ended"]);
        assert_eq!(kinds(&ended, &none), ["removed"]);
        assert_eq!(kinds(&none, &ended), ["started", "restarted", "ended"]);
    }
}
