//! Every button, list and form of a card in every situation: the press is acknowledged in time, the reply says what happened and what to
//! do, the CAD is changed once or not at all, and the card says what the CAD says, also after the CAD was read.

use std::ops::RangeInclusive;

use futures_util::future::join_all;
use serde_json::Value;
use tenfour::render::button::PICK;
use tenfour_sim::cad::DispatchSpec;
use tenfour_sim::discord::{Bucket, DiscordOptions, DiscordSim, RateLimits};
use tokio::time::Instant;

use super::matrix::{ANSWERED_WITHIN, About, Action, Staged, quiet_scene, quiet_scene_on};
use super::{Officer, Scene, told};
use crate::test_bot::PATIENCE;

/// A situation that a press can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    Allowed,
    NotLinked,
    NotValidated,
    NoPermission,
    OffDuty,
    /// Somebody else with the API key was quicker, and there was no event.
    ClosedUnheard,
    /// The bot knows, but the person still saw the button.
    ClosedHeard,
    Limited,
    /// Right after [`Situation::Limited`]: it waits for the limit and succeeds.
    Spent,
    /// 503 to every request.
    Failing,
    /// The connection breaks, nothing is done.
    Dropped,
    /// The connection breaks, it is done.
    DoneThenDropped,
    /// The address refuses connections.
    Unreachable,
    /// 401: the operator's fault.
    KeyRefused,
    Slow,
}

use Situation::{
    Allowed, ClosedHeard, ClosedUnheard, DoneThenDropped, Dropped, Failing, KeyRefused, Limited, NoPermission, NotLinked, NotValidated,
    OffDuty, Slow, Spent, Unreachable,
};

/// The expected result of a case.
struct Expected {
    /// All of these are in the reply.
    words: &'static [&'static str],
    /// Requests that change the CAD.
    requests: RangeInclusive<usize>,
    /// How often it is done in the CAD.
    times: usize,
}

fn refused(words: &'static [&'static str]) -> Expected {
    Expected { words, requests: 0..=0, times: 0 }
}

/// An action that works.
fn well(action: Action) -> Expected {
    let done: &'static [&'static str] = Vec::leak(vec![action.done()]);
    Expected { words: done, requests: action.requests()..=action.requests(), times: usize::from(action.is_sent()) }
}

/// Sent, with unknown outcome.
fn doubt(action: Action, requests: RangeInclusive<usize>, times: usize) -> Expected {
    if !action.is_sent() {
        return well(action);
    }
    Expected { words: &["did not confirm", "look in the CAD"], requests, times }
}

fn expected(situation: Situation, action: Action) -> Expected {
    let needs_dispatch =
        matches!(action, Action::Priority | Action::Primary | Action::Postal | Action::Close | Action::Dismiss | Action::OthersPanic);
    match situation {
        Allowed | Slow => well(action),
        _ if action == Action::More && situation != ClosedHeard => well(action),
        NotLinked => refused(&["not linked", "/unit link"]),
        NotValidated => refused(&["still waits for approval", "ask your community's staff"]),
        NoPermission if action == Action::OwnPanic => well(action),
        NoPermission if needs_dispatch => refused(&["lacks the permission Dispatch:", "ask your community's staff"]),
        NoPermission => refused(&["lacks the permission Self-Dispatch or Dispatch", "ask your community's staff"]),
        OffDuty if matches!(action, Action::Take911 | Action::TakePanic | Action::TakePage) => well(action),
        OffDuty => refused(&["not on duty on server 1", "go on duty there, then try again"]),
        ClosedHeard => match action {
            // A page is never over.
            Action::TakePage => well(action),
            _ => refused(&["is over", "nothing was changed", "look at its card"]),
        },
        ClosedUnheard => match action {
            Action::Respond911 => {
                Expected { words: &["is call #", "removed in the CAD meanwhile", "close one"], requests: 2..=2, times: 1 }
            }
            // Ending it again changes nothing.
            Action::OwnPanic | Action::OthersPanic => well(action),
            Action::Leave => Expected { times: 0, ..well(action) },
            Action::Close | Action::Dismiss => Expected { words: &["is over"], requests: 1..=1, times: 1 },
            Action::RespondCall => Expected { words: &["no longer knows call #", "nothing was changed"], requests: 1..=1, times: 0 },
            action if action.is_sent() => Expected { words: &["is over", "nothing was changed"], requests: 1..=1, times: 0 },
            _ => well(action),
        },
        Spent => well(action),
        Limited if action.is_sent() => Expected { words: &["a minute", "so nothing was", "try again in"], requests: 0..=1, times: 0 },
        // Asked twice where that is safe.
        Failing => doubt(action, if action.is_repeated() { 2..=2 } else { 1..=1 }, 0),
        Dropped => doubt(action, 1..=1, 0),
        DoneThenDropped => doubt(action, 1..=1, 1),
        Unreachable if action.is_sent() => {
            Expected { words: &["could not be reached", "nothing was changed", "try again in a minute"], requests: 0..=0, times: 0 }
        }
        KeyRefused if action.is_sent() => Expected { words: &["tell this bot's operator", "SONORAN_API_KEY"], requests: 1..=1, times: 0 },
        Limited | Unreachable | KeyRefused => well(action),
    }
}

/// Words that no reply may contain.
const JARGON: [&str; 6] = ["HTTP", "detail", "JSON", "REST", "null", "status code"];

/// Presses everything at once, and judges each case.
async fn press_all(scene: &Scene, situation: Situation, staged: &[&Staged]) {
    let pressed = join_all(staged.iter().map(|one| async move {
        let before = one.requests(scene);
        let pending = one.press(scene).await;
        let at = Instant::now();
        let acknowledged = pending.acknowledged(ANSWERED_WITHIN).await;
        let took = at.elapsed();
        (before, acknowledged, took, told(&pending).await)
    }))
    .await;
    for (one, (before, acknowledged, took, said)) in staged.iter().zip(pressed) {
        let case = format!("{:?} × {situation:?}", one.action);
        let Expected { words, requests, times } = expected(situation, one.action);
        assert!(acknowledged.is_ok() && took < ANSWERED_WITHIN, "{case}: acknowledged {acknowledged:?} after {took:?}");
        for word in words {
            assert!(said.contains(word), "{case}: no {word:?} in: {said}");
        }
        assert!(JARGON.iter().all(|word| !said.contains(word)), "{case}: {said}");
        let sent = one.requests(scene) - before;
        assert!(requests.contains(&sent), "{case}: {sent} changing requests, expected {requests:?}: {said}\n{:#?}", scene.changes());
        if times == 0 {
            assert!(one.is_unchanged(scene), "{case}: changed in the CAD: {}", one.state(scene));
        } else {
            assert_eq!(one.times(scene), times, "{case}: done so often in the CAD: {}", one.state(scene));
        }
    }
}

/// The cards say what the CAD says, once everything is settled.
async fn cards_are_right(scene: &Scene, when: &str, situation: Situation, staged: &[Staged]) {
    scene.bot.settled().await;
    let wrong = scene.all_wrong(staged);
    assert!(wrong.is_empty(), "{situation:?}, {when}: {wrong:#?}");
}

/// Who presses, by situation.
fn presser(situation: Situation, crew: &[Officer], nth: usize, strange: &Officer) -> Officer {
    match situation {
        NotLinked | NotValidated | OffDuty => strange.clone(),
        _ => crew[nth + 1].clone(),
    }
}

async fn column(situation: Situation) {
    let window = if situation == ClosedHeard { "10000" } else { "0" };
    let mut scene = quiet_scene(vec![("DISCORD_EDIT_WINDOW_MS", window.to_owned())]).await;
    let mut crew = scene.crew(Action::ALL.len() + 3).await;
    let strange = match situation {
        NotLinked => scene.stranger("Strange"),
        NotValidated => scene.of_status("Strange", 0, &["dispatch"]),
        OffDuty => scene.of_status("Strange", 1, &["dispatch"]),
        _ => scene.stranger("Nobody"),
    };
    if situation == NoPermission {
        // One member, on duty, without permissions.
        let mut plain = scene.of_status("Plain", 1, &["police"]);
        scene.duty(&mut plain, "Plain");
        scene.bot.caught_up().await;
        crew.iter_mut().skip(1).take(Action::ALL.len()).for_each(|one| *one = plain.clone());
    }
    let mut staged = Vec::new();
    for (nth, action) in Action::ALL.into_iter().enumerate() {
        let actor = presser(situation, &crew, nth, &strange);
        // Each panic is of another unit.
        let other = match action {
            Action::TakePanic => &crew[0],
            Action::OwnPanic => &crew[Action::ALL.len() + 1],
            _ => &crew[Action::ALL.len() + 2],
        };
        staged.push(scene.stage(action, &actor, other).await);
    }
    let cad = scene.bot.cad.clone();
    match situation {
        ClosedUnheard | ClosedHeard => {
            let quiet = if situation == ClosedUnheard { cad.through_api() } else { cad.clone() };
            for one in &mut staged {
                match one.about {
                    About::Call(id) => assert!(quiet.close(1, &[id])),
                    About::Emergency(id) => assert!(quiet.remove_911(1, &[id])),
                    About::Panic(ident) => assert!(quiet.panic(1, &[ident], false)),
                    About::Page => {}
                }
                one.remember(&scene);
            }
        }
        Limited => cad.rest_status("", 429, u32::MAX, Some(4)),
        Failing => cad.rest_status("", 503, u32::MAX, None),
        KeyRefused => cad.rest_status("", 401, u32::MAX, None),
        Dropped => cad.rest_drop("", u32::MAX),
        DoneThenDropped => cad.rest_do_then_drop("", u32::MAX),
        Slow => cad.rest_delay("", 5_000, u32::MAX),
        Unreachable => {
            assert!(scene.bot.halt().await);
            let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            scene.bot.set("SONORAN_HUB_URL", format!("{}/apiWsHub", cad.api_url()));
            scene.bot.set("SONORAN_API_URL", format!("http://{closed}"));
            scene.bot.boot().await;
        }
        Allowed | NotLinked | NotValidated | NoPermission | OffDuty | Spent => {}
    }
    if situation == ClosedHeard {
        // The event has arrived, but the cards haven't changed yet: they wait for their window.
        let mark = || scene.bot.send_event("GET_LOGS", serde_json::json!({}));
        mark().await;
        until_events_processed(&scene).await;
    }
    press_all(&scene, situation, &staged.iter().collect::<Vec<_>>()).await;
    if situation == Limited {
        cad.heal();
        press_all(&scene, Spent, &staged.iter().filter(|one| one.action.is_sent()).collect::<Vec<_>>()).await;
    }
    cad.heal();
    scene.bot.clock.advance(10_000);
    if !matches!(situation, ClosedUnheard | DoneThenDropped) {
        cards_are_right(&scene, "at once", situation, &staged).await;
    }
    if situation == Unreachable {
        assert!(scene.bot.halt().await);
        scene.bot.set("SONORAN_API_URL", cad.api_url());
        scene.bot.boot().await;
    }
    scene.read_cad().await;
    cards_are_right(&scene, "after a reading", situation, &staged).await;
    scene.bot.finish().await;
}

/// Waits until every event so far was processed, whatever is left to send.
async fn until_events_processed(scene: &Scene) {
    let mark = format!("EVENT_MARK_{:08X}", fastrand::u32(..));
    scene.bot.cad.push(1, &mark, serde_json::json!({}));
    crate::test_bot::until("the hub's mark", async || scene.bot.app().status.snapshot().unknown.contains_key(&mark)).await;
    scene.bot.send_event("GET_LOGS", serde_json::json!({})).await;
}

/// Cards that share their message have one list; a choice opens a panel, and the shared card is updated.
#[tokio::test]
async fn a_card_that_shares_its_message() {
    let message_bucket = Bucket { limit: 3, window_ms: 1_500 };
    let discord = DiscordOptions { rate_limits: RateLimits::Real, message_bucket, ..DiscordOptions::default() };
    let mut scene = quiet_scene_on(Vec::new(), Some(discord)).await;
    let crew = scene.crew(2).await;
    let stranger = scene.stranger("Strange");
    // More cards than messages may be created.
    for n in 0..12 {
        let spec = DispatchSpec { status: 1, priority: 2, title: format!("Call {n}"), ..DispatchSpec::default() };
        scene.bot.cad.dispatch_new(1, &spec).unwrap();
    }
    let shared = scene.bot.message(&scene.channel, |m| DiscordSim::custom_ids(m).contains(&PICK.to_owned())).await;
    scene.bot.settled().await;
    let shared = scene.settled(&shared).await;
    let (message, values) = (shared["id"].as_str().unwrap(), &shared["components"][0]["components"][0]["options"]);
    let value = values.as_array().unwrap().last().unwrap()["value"].as_str().unwrap();
    let footer = shared["embeds"].as_array().unwrap().last().unwrap()["footer"]["text"].as_str().unwrap();
    let last: i64 = footer.trim_start_matches("Server 1 · Call #").parse().unwrap();
    let pick = async |user: &str| {
        let picked = scene.bot.discord.select(message, Some(user), PICK, &[value]).unwrap();
        picked.acknowledged(ANSWERED_WITHIN).await.unwrap();
        picked.reply(PATIENCE).await.unwrap()
    };
    let panel = pick(&stranger.user).await;
    assert!(scene.pressed(&panel, "respond", &stranger.user).await.contains("/unit link"));
    assert_eq!(scene.changes(), Vec::<String>::new());
    let panel = pick(&crew[0].user).await;
    assert_eq!(scene.pressed(&panel, "respond", &crew[0].user).await, format!("🚓 A-P00 P00 is attached to call #{last}."));
    assert_eq!(scene.changes().len(), 1);
    let shown = scene.settled(&shared).await;
    let embed = shown["embeds"].as_array().unwrap().iter().find(|e| e["footer"]["text"] == format!("Server 1 · Call #{last}")).unwrap();
    assert!(embed.to_string().contains("A-P00"), "{shown:#}");
    assert!(scene.pressed(&panel, "close", &crew[0].user).await.contains("is closed."));
    let said = scene.pressed(&panel, "respond", &crew[0].user).await;
    assert!(said.contains("is over") && said.contains("nothing was changed"), "{said}");
    let over = pick_again(&scene, &shared, value, &crew[1]).await;
    assert!(over.is_none_or(|said| said.contains("is over")));
    scene.bot.finish().await;
}

/// Chooses from an old list; `None` if the person no longer sees it.
async fn pick_again(scene: &Scene, shared: &Value, value: &str, who: &Officer) -> Option<String> {
    scene.bot.settled().await;
    let picked = scene.bot.discord.select(shared["id"].as_str().unwrap(), Some(&who.user), PICK, &[value]).ok()?;
    Some(told(&picked).await)
}

macro_rules! columns {
    ($($name:ident: $situation:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            column($situation).await;
        })*
    };
}

columns! {
    allowed: Allowed;
    not_linked: NotLinked;
    not_validated: NotValidated;
    no_permission: NoPermission;
    off_duty: OffDuty;
    over_and_nobody_said_so: ClosedUnheard;
    over_and_the_card_is_late: ClosedHeard;
    limited_by_the_cad_then_by_ourselves: Limited;
    the_cad_fails: Failing;
    the_connection_breaks: Dropped;
    the_answer_is_lost: DoneThenDropped;
    nobody_listens: Unreachable;
    the_key_is_refused: KeyRefused;
    slow: Slow;
}
