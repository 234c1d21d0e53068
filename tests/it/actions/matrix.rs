//! One case of the matrix: an action, prepared so that one press does it; its result in the CAD; and whether its card says what the CAD
//! says.

use std::time::Duration;

use serde_json::{Value, json};
use tenfour::clock::{Clock, UnixMs};
use tenfour::ids::{CommunityId, ServerId};
use tenfour::refresh::Part;
use tenfour_sim::cad::{Account, CadOptions, CallSpec, DispatchSpec, Seen, UnitSpec};
use tenfour_sim::discord::{DiscordOptions, Pending};

use super::{Officer, Scene, button};
use crate::test_bot::{PATIENCE, Setup, field, title, until};

/// Discord's time limit for a press.
pub(crate) const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// A button, list or form of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    RespondCall,
    Respond911,
    NoteCall,
    Note911,
    Take911,
    TakePanic,
    TakePage,
    OwnPanic,
    OthersPanic,
    More,
    Leave,
    Priority,
    Primary,
    Postal,
    Close,
    Dismiss,
}

impl Action {
    pub(crate) const ALL: [Self; 16] = [
        Self::RespondCall,
        Self::Respond911,
        Self::NoteCall,
        Self::Note911,
        Self::Take911,
        Self::TakePanic,
        Self::TakePage,
        Self::OwnPanic,
        Self::OthersPanic,
        Self::More,
        Self::Leave,
        Self::Priority,
        Self::Primary,
        Self::Postal,
        Self::Close,
        Self::Dismiss,
    ];

    fn verb(self) -> &'static str {
        match self {
            Self::RespondCall | Self::Respond911 => "respond",
            Self::NoteCall | Self::Note911 => "note",
            Self::Take911 | Self::TakePanic | Self::TakePage => "take",
            Self::OwnPanic | Self::OthersPanic => "over",
            Self::More => "more",
            Self::Leave => "detach",
            Self::Priority => "priority",
            Self::Primary => "primary",
            Self::Postal => "postal",
            Self::Close => "close",
            Self::Dismiss => "dismiss",
        }
    }

    fn on_panel(self) -> bool {
        matches!(self, Self::Leave | Self::Priority | Self::Primary | Self::Postal | Self::Close | Self::Dismiss)
    }

    /// Whether it needs the CAD at all.
    pub(crate) fn is_sent(self) -> bool {
        !matches!(self, Self::Note911 | Self::Take911 | Self::TakePanic | Self::TakePage | Self::More)
    }

    /// Whether its request may be repeated automatically.
    pub(crate) fn is_repeated(self) -> bool {
        !matches!(self, Self::Respond911 | Self::NoteCall)
    }

    /// Requests that change the CAD if everything works.
    pub(crate) fn requests(self) -> usize {
        match self {
            Self::Respond911 => 2,
            other => usize::from(other.is_sent()),
        }
    }

    /// The reply if everything works.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::RespondCall => "is attached to call #",
            Self::Respond911 => "It is call #",
            Self::NoteCall => "Noted on call #",
            Self::Note911 => "Noted on the card",
            Self::Take911 | Self::TakePanic | Self::TakePage => "It is yours",
            Self::OwnPanic | Self::OthersPanic => "is over.",
            Self::More => "Only you can see this.",
            Self::Leave => "You left call #",
            Self::Priority => "is changed.",
            Self::Primary => "is the primary unit of call #",
            Self::Postal => "has its new postal.",
            Self::Close => "is closed.",
            Self::Dismiss => "is dismissed.",
        }
    }
}

/// The subject of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Call(i64),
    Emergency(i64),
    Panic(i64),
    Page,
}

/// An action that takes one press.
pub(crate) struct Staged {
    pub(crate) action: Action,
    pub(crate) about: About,
    pub(crate) actor: Officer,
    /// A unit that is on duty too.
    other: i64,
    /// The message with the button.
    pub(crate) source: Value,
    before: Value,
}

impl Staged {
    /// One press, with the text or choice after it.
    pub(crate) async fn press(&self, scene: &Scene) -> Pending {
        let (message, user) = (self.source["id"].as_str().unwrap(), Some(self.actor.user.as_str()));
        // For another's panic, the bot asks first, and refuses those who may not end it before that.
        let is_asked = self.action == Action::OthersPanic && self.source["flags"].as_u64().unwrap_or(0) & 64 == 64;
        let id = button(&self.source, if is_asked { "over-sure" } else { self.action.verb() });
        let discord = &scene.bot.discord;
        let typed = match self.action {
            Action::NoteCall | Action::Note911 => "gate 4 is open",
            Action::Postal => "7007",
            Action::Priority => return discord.select(message, user, &id, &["1"]).unwrap(),
            Action::Primary => return discord.select(message, user, &id, &[&self.other.to_string()]).unwrap(),
            _ => return discord.click(message, user, &id).unwrap(),
        };
        let form = discord.click(message, user, &id).unwrap();
        form.reply(ANSWERED_WITHIN).await.unwrap();
        discord.submit(&form, json!({ "typed": typed })).unwrap()
    }

    /// The CAD's state of the subject, without the times.
    pub(crate) fn state(&self, scene: &Scene) -> Value {
        let open = scene.bot.cad.open_state(1);
        let find = |list: &str, key: &str, id: i64| {
            let mut found = open[list].as_array().unwrap().iter().find(|one| one[key] == id).cloned().unwrap_or_default();
            found.as_object_mut().map(|fields| fields.remove("updated"));
            found
        };
        match self.about {
            About::Call(id) => find("activeCalls", "callId", id),
            About::Emergency(id) => json!([find("emergencyCalls", "callId", id), made_of(&open, id).len()]),
            About::Panic(ident) => find("units", "id", ident)["isPanic"].clone(),
            About::Page => Value::Null,
        }
    }

    /// Records the CAD's current state.
    pub(crate) fn remember(&mut self, scene: &Scene) {
        self.before = self.state(scene);
    }

    pub(crate) fn is_unchanged(&self, scene: &Scene) -> bool {
        self.state(scene) == self.before
    }

    /// How often it was done in the CAD.
    pub(crate) fn times(&self, scene: &Scene) -> usize {
        let now = self.state(scene);
        let count = |list: &Value, fits: &dyn Fn(&Value) -> bool| list.as_array().unwrap().iter().filter(|one| fits(one)).count();
        match self.action {
            Action::RespondCall => count(&now["idents"], &|ident| *ident == self.actor.ident),
            Action::Respond911 => usize::try_from(now[1].as_u64().unwrap()).unwrap(),
            Action::NoteCall => count(&now["notes"], &|note| note["content"] == "gate 4 is open"),
            Action::Leave => usize::from(count(&now["idents"], &|ident| *ident == self.actor.ident) == 0),
            Action::Priority => usize::from(now["priority"] == 1),
            Action::Primary => usize::from(now["primary"] == self.other),
            Action::Postal => usize::from(now["postal"] == "7007"),
            Action::Close => usize::from(now.is_null()),
            Action::Dismiss => usize::from(now[0].is_null()),
            Action::OwnPanic | Action::OthersPanic => usize::from(now == json!(false)),
            Action::Note911 | Action::Take911 | Action::TakePanic | Action::TakePage | Action::More => 0,
        }
    }

    /// Requests of this case that change the CAD.
    pub(crate) fn requests(&self, scene: &Scene) -> usize {
        let ours = |seen: &Seen| {
            let Seen::Rest { method, path, body, .. } = seen else { return false };
            let named = |list: &str, id: i64| body[list].as_array().is_some_and(|ids| ids.contains(&json!(id)));
            let about = match self.about {
                About::Call(id) => path.contains(&format!("/dispatch-calls/{id}")) || named("callIds", id),
                About::Emergency(id) => {
                    path.ends_with(&format!("/calls/911/{id}")) || body["metaData"]["origin911"] == json!(id.to_string())
                }
                About::Panic(ident) => path.ends_with("/units/panic") && named("identIds", ident),
                About::Page => false,
            };
            let left = self.action == Action::Leave && path.ends_with("/dispatch-calls/attachments") && named("identIds", self.actor.ident);
            method != "GET" && (about || left)
        };
        scene.bot.cad.count(ours)
    }
}

fn made_of(open: &Value, emergency: i64) -> Vec<i64> {
    let calls = open["activeCalls"].as_array().unwrap().iter();
    calls
        .filter(|call| call["metaData"]["origin911"] == json!(emergency.to_string()))
        .map(|call| call["callId"].as_i64().unwrap())
        .collect()
}

/// A scene in which the clock stands still, the CAD is read on request, and every endpoint has its whole limit.
pub(crate) async fn quiet_scene(more: Vec<(&'static str, String)>) -> Scene {
    quiet_scene_on(more, None).await
}

/// … with a given Discord.
pub(crate) async fn quiet_scene_on(more: Vec<(&'static str, String)>, discord: Option<DiscordOptions>) -> Scene {
    let mut settings: Vec<(&'static str, String)> = [
        ("SONORAN_RECONCILE_SECONDS", "600"),
        ("SONORAN_CALLS_PER_MINUTE", "5"),
        ("SONORAN_UNITS_PER_MINUTE", "3"),
        ("SONORAN_ACTION_SHARE", "100"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec();
    settings.extend(more);
    // Discord's own limits need a running clock.
    let clock = discord.is_none().then(|| Clock::manual(Clock::system().now()));
    let cad = CadOptions { rate_limits: false, ..CadOptions::default() };
    Scene::start_with(Setup { settings, clock, cad: Some(cad), discord }).await
}

/// Every permission a member can have.
pub(crate) const ALL_PERMISSIONS: [&str; 3] = ["police", "selfDispatch", "dispatch"];

impl Scene {
    /// Creates members with every permission, on duty, known to the bot, which is restarted for that.
    pub(crate) async fn crew(&mut self, count: usize) -> Vec<Officer> {
        let mut crew = Vec::new();
        for n in 0..count {
            let name = format!("P{n:02}");
            let mut officer = self.civilian(&name, &ALL_PERMISSIONS);
            self.duty(&mut officer, &name);
            crew.push(officer);
        }
        for officer in &crew {
            self.known_at(officer, &ALL_PERMISSIONS, self.bot.clock.now()).await;
        }
        self.bot.caught_up().await;
        assert!(self.bot.halt().await);
        self.bot.boot().await;
        crew
    }

    /// A member goes on duty as `A-name`.
    pub(crate) fn duty(&self, officer: &mut Officer, name: &str) {
        let spec = UnitSpec {
            num: format!("A-{name}"),
            name: name.to_owned(),
            status: 2,
            account: officer.account.clone(),
            ..UnitSpec::default()
        };
        officer.ident = self.bot.cad.login(1, &spec).unwrap();
    }

    /// A member without any account.
    pub(crate) fn stranger(&self, name: &str) -> Officer {
        let user = self.bot.discord.add_member(&self.bot.guild, name, 0, &[]);
        Officer { user, account: String::new(), ident: 0 }
    }

    /// A member with an account of this status, off duty.
    pub(crate) fn of_status(&self, name: &str, status: i64, permissions: &[&str]) -> Officer {
        let user = self.bot.discord.add_member(&self.bot.guild, name, 0, &[]);
        let account = Account {
            username: name.to_owned(),
            discord: Some(user.clone()),
            status,
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
            ..Account::default()
        };
        let account = self.bot.cad.add_account(account);
        Officer { user, account, ident: 0 }
    }

    pub(crate) async fn known_at(&self, officer: &Officer, permissions: &[&str], at: UnixMs) {
        let permissions = permissions.iter().map(|p| p.to_lowercase()).collect();
        let member = tenfour::authorization::Member { account: officer.account.clone(), name: String::new(), status: 1, permissions };
        let community = CommunityId::new(&CadOptions::default().community);
        let user = tenfour::ids::UserId(officer.user.parse().unwrap());
        self.bot.app().store.put_member(&community, user, &member, at).await.unwrap();
    }

    /// Prepares an action for `actor`; `other` is on duty too. Everything happens on the CAD's own pages.
    pub(crate) async fn stage(&self, action: Action, actor: &Officer, other: &Officer) -> Staged {
        let (cad, word) = (&self.bot.cad, format!("{action:?}"));
        let call = |idents: Vec<i64>| {
            let spec =
                DispatchSpec { status: 1, priority: 2, title: word.clone(), postal: "9001".into(), idents, ..DispatchSpec::default() };
            About::Call(cad.dispatch_new(1, &spec).unwrap())
        };
        let about = match action {
            Action::RespondCall | Action::NoteCall | Action::More | Action::Priority | Action::Postal | Action::Close => {
                call(vec![other.ident])
            }
            Action::Leave => call([other.ident, actor.ident].into_iter().filter(|ident| *ident > 0).collect()),
            Action::Primary => {
                let third = cad.login(1, &UnitSpec { num: "B-1".into(), status: 2, ..UnitSpec::default() }).unwrap();
                call(vec![third, other.ident])
            }
            Action::Respond911 | Action::Note911 | Action::Take911 | Action::Dismiss => {
                let spec = CallSpec { emergency: true, description: word.clone(), location: "Alta St".into(), ..CallSpec::default() };
                About::Emergency(cad.place_911(1, &spec).unwrap())
            }
            Action::TakePanic | Action::OwnPanic | Action::OthersPanic => {
                let ident = if action == Action::OwnPanic && actor.ident > 0 { actor.ident } else { other.ident };
                assert!(cad.panic(1, &[ident], true));
                About::Panic(ident)
            }
            Action::TakePage => {
                assert!(cad.pager(1, &["ENGINE 1"], &[], "Emergency", "TakePage"));
                About::Page
            }
        };
        let card = self.bot.message(&self.channel, |m| self.is_of(about, m)).await;
        let source = if action.on_panel() {
            let panel = self.press(&card, "more", &actor.user).reply(PATIENCE).await.unwrap();
            assert_eq!(panel["flags"].as_u64().unwrap_or(0) & 64, 64, "{action:?}: {panel:#}");
            panel
        } else if action == Action::OthersPanic {
            let asked = self.press(&card, "over", &actor.user).reply(PATIENCE).await.unwrap();
            if asked["components"].as_array().is_some_and(|rows| !rows.is_empty()) { asked } else { card }
        } else {
            card
        };
        let mut staged = Staged { action, about, actor: actor.clone(), other: other.ident, source, before: Value::Null };
        staged.remember(self);
        staged
    }

    fn callsign(&self, ident: i64) -> String {
        let open = self.bot.cad.open_state(1);
        let unit = open["units"].as_array().unwrap().iter().find(|unit| unit["id"] == ident).unwrap().clone();
        unit["data"]["unitNum"].as_str().unwrap().to_owned()
    }

    fn is_of(&self, about: About, message: &Value) -> bool {
        let footer = |text: String| message["embeds"][0]["footer"]["text"] == text;
        match about {
            About::Call(id) => footer(format!("Server 1 · Call #{id}")),
            About::Emergency(id) => footer(format!("Server 1 · 911 #{id}")),
            About::Panic(ident) => {
                let (title, callsign) = (title(message), self.callsign(ident));
                // The line that a panic is over is below its card, for those who saw the ping.
                let card = (title.starts_with("🆘") || title.starts_with("✅")) && !title.contains(" · after ");
                card && title.split(['·', ' ']).any(|word| word == callsign)
            }
            About::Page => message.to_string().contains("TakePage"),
        }
    }

    /// Why the cards don't say what the CAD says; `None` if they do.
    pub(crate) fn wrong(&self, about: About) -> Option<String> {
        let messages: Vec<Value> = self.bot.discord.messages(&self.channel).into_iter().filter(|m| self.is_of(about, m)).collect();
        let [card] = messages.as_slice() else { return Some(format!("{} cards of {about:?}", messages.len())) };
        let open = self.bot.cad.open_state(1);
        let find = |list: &str, key: &str, id: i64| open[list].as_array().unwrap().iter().find(|one| one[key] == id).cloned();
        let (title, has_buttons) = (title(card), card["components"].as_array().is_some_and(|rows| !rows.is_empty()));
        let mut wrong = Vec::new();
        let mut must = |what: &str, holds: bool| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        match about {
            About::Call(id) => match find("activeCalls", "callId", id) {
                None => must("is closed in the CAD", title.starts_with("⬛ Closed") && !has_buttons),
                Some(call) => {
                    must("is open in the CAD", !title.starts_with('⬛') && has_buttons);
                    let units = field(card, "Units");
                    let idents: Vec<i64> = call["idents"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
                    for unit in open["units"].as_array().unwrap() {
                        let (ident, callsign) = (unit["id"].as_i64().unwrap(), unit["data"]["unitNum"].as_str().unwrap());
                        must(&format!("units are {idents:?}, {callsign} is {ident}"), units.contains(callsign) == idents.contains(&ident));
                        if idents.len() > 1 && call["primary"] == ident {
                            must(&format!("{callsign} is primary"), units.contains(&format!("{callsign} ★")));
                        }
                    }
                    must("postal", field(card, "Postal") == call["postal"].as_str().unwrap());
                    must("priority", field(card, "Priority") == format!("P{}", call["priority"]));
                    // The CAD may order notes written at the same moment differently.
                    let notes: Vec<&str> = call["notes"].as_array().unwrap().iter().filter_map(|note| note["content"].as_str()).collect();
                    // None of them twice.
                    let shown =
                        field(card, &if notes.len() > 1 { format!("Last of {} notes", notes.len()) } else { "Last note".to_owned() });
                    must(&format!("last note {shown:?} of {notes:?}"), notes.is_empty() || notes.iter().any(|note| shown.contains(note)));
                }
            },
            About::Emergency(id) => match (find("emergencyCalls", "callId", id), made_of(&open, id).first()) {
                // Or there were two, and the call was closed since.
                (Some(_), None) => must("waits in the CAD", has_buttons || title.starts_with("➡️ 911 became Call #")),
                (None, Some(call)) => must("became a call", title.starts_with(&format!("➡️ 911 became Call #{call}")) && !has_buttons),
                (None, None) => must("is removed in the CAD", !has_buttons),
                // There are two: the person was told so, and the card names the call.
                (Some(_), Some(call)) => must("stands twice", title.contains(&format!("Call #{call}"))),
            },
            About::Panic(ident) => {
                let on = find("units", "id", ident).is_some_and(|unit| unit["isPanic"] == true);
                must("panic", title.starts_with(if on { "🆘" } else { "✅" }) && has_buttons == on);
            }
            About::Page => {}
        }
        (!wrong.is_empty()).then(|| format!("{wrong:?}: {card:#}"))
    }

    /// Every call and 911 of the CAD has one card, and every card says what the CAD says.
    pub(crate) fn all_wrong(&self, staged: &[Staged]) -> Vec<String> {
        let open = self.bot.cad.open_state(1);
        let ids = |list: &str| open[list].as_array().unwrap().iter().map(|call| call["callId"].as_i64().unwrap()).collect::<Vec<_>>();
        let calls = ids("activeCalls").into_iter().map(About::Call);
        let mut all: Vec<About> = calls.chain(ids("emergencyCalls").into_iter().map(About::Emergency)).collect();
        for one in staged.iter().map(|staged| staged.about) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        let mut wrong: Vec<String> = all.iter().filter_map(|about| self.wrong(*about).map(|why| format!("{about:?} {why}"))).collect();
        let is_card = |m: &Value| m["flags"].as_u64().unwrap_or(0) & 64 == 0 && !title(m).contains(" · after ");
        let cards = self.bot.discord.messages(&self.channel).into_iter().filter(is_card).count();
        // Closed calls are among them only if they were staged.
        if !staged.is_empty() && cards != all.len() {
            wrong.push(format!("{cards} cards of {} subjects: {:#?}", all.len(), self.bot.titles(&self.channel)));
        }
        wrong
    }

    /// The CAD is read, and everything found is on Discord.
    pub(crate) async fn read_cad(&self) {
        // A read leaves recent events alone.
        self.bot.clock.advance(10_000);
        let now = self.bot.clock.now();
        let sessions = || self.bot.cad.count(|seen| matches!(seen, Seen::Auth { success: Some(true), .. }));
        let before = sessions();
        self.bot.cad.drop_all();
        until("the next session", async || sessions() > before).await;
        until("a reading of the CAD", async || {
            let facts = self.bot.app().status.server(ServerId(1));
            Part::ALL.iter().all(|part| facts.readings.get(part).and_then(|reading| reading.at).is_some_and(|at| at >= now))
        })
        .await;
        self.bot.caught_up().await;
    }
}
