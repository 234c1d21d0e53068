//! Delivers an event where the CAD would: to the server's hub session, else to its HTTP destination.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fault::PushTrouble;
use super::handle::CadSim;
use super::options::{PayloadAs, Recipient};
use super::outbox::HttpPush;
use super::record;
use super::seen::{Pushed, Seen};
use super::session::{Out, Session};
use super::shared::{Inner, Shared};
use super::values::random_hex;

/// Posts one server's events, one after the other, once each.
pub(super) async fn drain(inner: Arc<Inner>, server: i64, mut pushes: mpsc::Receiver<HttpPush>) {
    while let Some(push) = pushes.recv().await {
        let request = inner.http.post(&push.url).header(header::CONTENT_TYPE, "application/json").body(push.body);
        let status = request.send().await.ok().map(|response| response.status().as_u16());
        inner.change(|shared| {
            shared.unanswered = shared.unanswered.saturating_sub(1);
            shared.note(Seen::HttpPush { server, kind: push.kind, status });
        });
    }
}

impl CadSim {
    /// From now on, the events of all servers go here, as `(server, body)`, and nowhere else: the receiver plays the network.
    #[must_use]
    pub fn tap(&self) -> mpsc::UnboundedReceiver<(i64, Value)> {
        let (tap, events) = mpsc::unbounded_channel();
        self.inner.change(|shared| shared.tap = Some(tap));
        events
    }

    /// Until switched off again, changes of a server raise no event, like changes by the API.
    pub fn silently(&self, on: bool) {
        self.inner.change(|shared| shared.silently = on);
    }

    /// Raises an event with these data, changing no state. Null data are left out.
    pub fn push(&self, server: i64, kind: &str, data: Value) -> Pushed {
        self.inner.change(|shared| self.inner.raise(shared, server, kind, data))
    }

    /// Sends this body unchanged, whatever key, type and top-level fields it has. A text is sent as text.
    pub fn push_body(&self, server: i64, body: &Value) -> Pushed {
        self.inner.change(|shared| self.inner.raise_body(shared, server, body))
    }

    /// Calls a client method with an invocation id, as if the hub wanted a result, on the session that gets the server's events.
    /// Returns the id, or `None` without a session; the answer is a [`Seen::Completion`].
    pub fn call_client(&self, server: i64, target: &str, argument: &Value) -> Option<String> {
        let id = random_hex(4);
        let text = record::invocation(target, Some(&id), argument);
        self.inner.change(|shared| {
            let recipients = recipients(shared, server, Recipient::Newest);
            recipients.first().map(|session| session.send(Out::Text(text)))
        })?;
        Some(id)
    }
}

impl Inner {
    /// [`CadSim::push`] for callers that hold the lock already, so that events leave in the order of their changes.
    pub(super) fn raise(self: &Arc<Self>, shared: &mut Shared, server: i64, kind: &str, data: Value) -> Pushed {
        let mut body = json!({"key": self.options.api_key, "type": kind});
        if let Some(fields) = body.as_object_mut()
            && !data.is_null()
        {
            fields.insert("data".to_owned(), data);
        }
        self.raise_body(shared, server, &body)
    }

    fn raise_body(self: &Arc<Self>, shared: &mut Shared, server: i64, body: &Value) -> Pushed {
        let kind = body.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if shared.silently {
            return Pushed::default();
        }
        if let Some(tap) = &shared.tap {
            return Pushed { hub: usize::from(tap.send((server, body.clone())).is_ok()), http: false };
        }
        let hub = self.to_hub(shared, server, body);
        let http = self.to_http(shared, server, &kind, hub, body);
        let to = Pushed { hub, http };
        shared.note(Seen::Push { server, kind, to });
        to
    }

    fn to_hub(self: &Arc<Self>, shared: &mut Shared, server: i64, body: &Value) -> usize {
        let count = recipients(shared, server, self.options.recipient).len();
        if count == 0 {
            return 0;
        }
        let mut body = body.clone();
        if !self.options.key_on_hub
            && let Some(fields) = body.as_object_mut()
        {
            fields.remove("key");
        }
        let argument = match (self.options.payload_as, &body) {
            (PayloadAs::String, Value::Object(_)) => Value::String(record::escape_like_dotnet(&body.to_string())),
            _ => body,
        };
        let text = record::invocation("pushEvent", None, &argument);
        match shared.faults.push() {
            Some(PushTrouble::Lost) => {}
            Some(PushTrouble::Late(late)) => {
                let recipient = self.options.recipient;
                self.later(shared, late, move |shared| {
                    recipients(shared, server, recipient).iter().for_each(|session| session.send(Out::Text(text.clone())));
                });
            }
            trouble @ (None | Some(PushTrouble::Twice)) => {
                for session in recipients(shared, server, self.options.recipient) {
                    for _ in 0..times(trouble) {
                        session.send(Out::Text(text.clone()));
                    }
                }
            }
        }
        count
    }

    /// A push that arrives late: until then it counts as unanswered.
    fn later(self: &Arc<Self>, shared: &mut Shared, late: Duration, push: impl FnOnce(&mut Shared) + Send + 'static) {
        let inner = Arc::clone(self);
        shared.unanswered += 1;
        self.spawn(async move {
            tokio::time::sleep(late).await;
            inner.change(|shared| {
                shared.unanswered = shared.unanswered.saturating_sub(1);
                push(shared);
            });
        });
    }

    fn to_http(self: &Arc<Self>, shared: &mut Shared, server: i64, kind: &str, hub: usize, body: &Value) -> bool {
        let Some(destination) = shared.servers.get(&server).and_then(|server| server.http.clone()) else { return false };
        if !shared.outboxes.contains_key(&server) || (hub > 0 && !destination.forward) {
            return false;
        }
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let push = HttpPush { kind: kind.to_owned(), url: destination.url, body };
        match shared.faults.push() {
            // Sent; the CAD can't know whether it arrives.
            Some(PushTrouble::Lost) => true,
            Some(PushTrouble::Late(late)) => {
                self.later(shared, late, move |shared| {
                    queue(shared, server, push);
                });
                true
            }
            trouble @ (None | Some(PushTrouble::Twice)) => (0..times(trouble)).all(|_| queue(shared, server, push.clone())),
        }
    }
}

fn times(trouble: Option<PushTrouble>) -> usize {
    if trouble == Some(PushTrouble::Twice) { 2 } else { 1 }
}

/// False if the queue is full.
fn queue(shared: &mut Shared, server: i64, push: HttpPush) -> bool {
    let kind = push.kind.clone();
    let queued = shared.outboxes.get(&server).is_some_and(|outbox| outbox.queue.try_send(push).is_ok());
    if queued {
        shared.unanswered += 1;
    } else {
        shared.note(Seen::HttpPush { server, kind, status: None });
    }
    queued
}

fn recipients(shared: &Shared, server: i64, rule: Recipient) -> Vec<&Session> {
    let mut sessions: Vec<&Session> = shared.sessions.values().filter(|session| session.server == Some(server)).collect();
    sessions.sort_by_key(|session| session.order);
    match rule {
        Recipient::All => sessions,
        Recipient::Newest => sessions.into_iter().next_back().into_iter().collect(),
        Recipient::Oldest => sessions.into_iter().next().into_iter().collect(),
    }
}
