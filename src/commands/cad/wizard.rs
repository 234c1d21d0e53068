//! The steps of `/cad setup`, all in one message that changes. Each says what it is for; nothing is stored before the last.
//!
//! ```text
//! connection ⇄ servers ⇄ way ─┬─ fivem ─┬─▶ presets ⇄ place ─ make ─▶ done ─▶ test
//!                             └─ hub ───┘
//! ```

use serenity::all::{
    ButtonStyle, ChannelType, CreateActionRow, CreateButton, CreateSelectMenu, CreateSelectMenuKind, CreateSelectMenuOption,
};

use crate::cad::rest::{CadServer, RestError};
use crate::clock::UnixMs;
use crate::commands::context::{Asker, CommandContext};
use crate::commands::create_routes::{make, parts_of};
use crate::commands::custom_id::{CustomId, MAX_CHOSEN_SERVERS, SetupChoice, SetupStep};
use crate::commands::errors::Error;
use crate::commands::reply::{BLUE, GREEN, ReplyPage, YELLOW};
use crate::commands::route_wording::not_configured;
use crate::commands::wording::{and, counted};
use crate::commands::{alerts, audit_hook, checks};
use crate::community::Community;
use crate::event::{Source, Topic};
use crate::ids::{ChannelId, RoleId, ServerId};
use crate::render::text::{self, SafeText, safe};
use crate::route::{Listens, Preset};
use crate::status::{Link, contested};
use crate::store::StyleIs;

/// Discord's limit on the choices of a list.
const MAX_OPTIONS: usize = 25;
/// The choice that stands for every configured server.
const ALL: &str = "all";
/// The path that the game server forwards to.
const PATH: &str = "/sonorancad/event";

/// What was chosen from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Picked {
    Nothing,
    Words(Vec<String>),
    Role(Option<RoleId>),
    Channel(Option<ChannelId>),
}

/// One press.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Press {
    pub(in crate::commands) step: SetupStep,
    pub(in crate::commands) choice: SetupChoice,
    pub(in crate::commands) picked: Picked,
    pub(in crate::commands) asker: Asker,
    /// When the message with the button was created.
    pub(in crate::commands) shown_at: UnixMs,
}

/// The page that follows a press.
pub(in crate::commands) async fn turn(context: &CommandContext, press: Press) -> Result<ReplyPage, Error> {
    let Press { step, mut choice, picked, asker, shown_at } = press;
    match (step, picked) {
        (SetupStep::Connect, _) => Ok(connection(context, &*context.community(asker.guild)?, &choice).await),
        (SetupStep::Servers, _) => Ok(servers(context, &*context.community(asker.guild)?, &choice).await),
        (SetupStep::PickServers, Picked::Words(words)) => {
            choice.servers = chosen_servers(&words, &context.community(asker.guild)?.servers)?;
            Ok(way(&choice))
        }
        (SetupStep::Way, _) => Ok(way(&choice)),
        (SetupStep::Fivem, _) => Ok(fivem(context, &*context.community(asker.guild)?, &choice, shown_at)),
        (SetupStep::Hub, _) => Ok(hub(&*context.community(asker.guild)?, &choice)),
        (SetupStep::Presets, _) => Ok(presets(&choice)),
        (SetupStep::PickPreset, Picked::Words(words)) => {
            choice.preset = words.first().and_then(|word| Preset::parse(word));
            Ok(place(&choice, None))
        }
        (SetupStep::Place, _) => Ok(place(&choice, None)),
        (SetupStep::PickChannel, Picked::Channel(channel)) => {
            choice.channel = channel;
            Ok(place(&choice, None))
        }
        (SetupStep::PickRole, Picked::Role(role)) => {
            choice.role = role;
            Ok(match checks::not_everyone(asker.guild, role) {
                Ok(()) => place(&choice, None),
                Err(error) => {
                    choice.role = None;
                    place(&choice, Some(error.sentence("a role")))
                }
            })
        }
        (SetupStep::Make, _) => make_routes(context, &choice, asker).await,
        (SetupStep::Test, _) => test(context, &choice, asker).await,
        _ => Err(Error::refused("Discord sent no choice: run `/cad setup` again.")),
    }
}

fn button(step: SetupStep, choice: &SetupChoice, label: &str, style: ButtonStyle) -> CreateButton {
    CreateButton::new(CustomId::Setup(step, choice.clone()).to_string()).label(label).style(style)
}

fn next(step: SetupStep, choice: &SetupChoice, label: &str) -> CreateButton {
    button(step, choice, label, ButtonStyle::Primary)
}

fn back(step: SetupStep, choice: &SetupChoice) -> CreateButton {
    button(step, choice, "Back", ButtonStyle::Secondary)
}

fn list(step: SetupStep, choice: &SetupChoice, placeholder: &str, kind: CreateSelectMenuKind) -> CreateSelectMenu {
    CreateSelectMenu::new(CustomId::Setup(step, choice.clone()).to_string(), kind).placeholder(placeholder)
}

// ---- 1: the connection ----

/// Why the CAD doesn't answer as it should, for whoever sets the bot up. It may quote the CAD.
pub(super) fn of_the_cad(error: &RestError) -> SafeText {
    text::line(&error.to_string(), 400)
}

/// Asks the CAD who we are to it.
pub(super) async fn connection(context: &CommandContext, community: &Community, choice: &SetupChoice) -> ReplyPage {
    let title = "Set-up 1/5 · Connection to the CAD";
    let asked = async {
        let cad = community.cad.as_ref().ok_or(RestError::Network { cause: "there is no client for it" })?;
        let (version, info, servers) = tokio::join!(cad.version(), cad.info(), context.names.servers(community));
        // The name is a courtesy; what needs the key or the servers is not.
        Ok::<_, RestError>((version?, info.unwrap_or_default(), servers?))
    };
    match asked.await {
        Ok((version, info, servers)) => {
            let name = text::visible(info.name.as_deref())
                .map_or_else(|| safe!("`{}`", text::code(community.id.as_str())), |name| safe!("**{}**", text::line(name, 80)));
            let plan = text::visible(version.name.as_deref()).map(|plan| safe!(", plan {}", text::line(plan, 40))).unwrap_or_default();
            let servers = counted(servers.len(), "server", "servers");
            let text = safe!(
                "✅ The CAD knows this bot as part of {}{}, with {}.\n\nThe credentials come from the settings of whoever runs the bot; there is nothing to type in here.",
                name,
                plan,
                servers
            );
            let mut page = ReplyPage::new(title, text, BLUE);
            page.rows = vec![CreateActionRow::Buttons(vec![next(SetupStep::Servers, choice, "Continue")])];
            page
        }
        Err(error) => {
            let text = safe!(
                "❌ {}\n\nThe settings are read when the bot starts: after a change, restart it and press **Check again**.",
                of_the_cad(&error)
            );
            let mut page = ReplyPage::new(title, text, YELLOW);
            page.rows = vec![CreateActionRow::Buttons(vec![next(SetupStep::Connect, choice, "Check again")])];
            page
        }
    }
}

// ---- 2: servers ----

async fn servers(context: &CommandContext, community: &Community, choice: &SetupChoice) -> ReplyPage {
    let configured = &community.servers;
    let (known, trouble) = match context.names.servers(community).await {
        Ok(known) => (known.to_vec(), None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut said = vec!["Which of the community's CAD servers should this Discord server get alerts from?".into()];
    match trouble {
        Some(error) => said.push(safe!("⚠️ Their names are not known now: {}", of_the_cad(&error))),
        None => said.extend(server_notes(configured, &known)),
    }
    let name = |server: &ServerId| {
        let found = known.iter().find(|known| known.id == *server).and_then(|known| known.name.as_deref());
        text::visible(found).map_or_else(|| safe!("Server {}", server), |name| text::plain(name, 80))
    };
    let all = CreateSelectMenuOption::new("All of them", ALL).description("Also those that are added later");
    let each = configured
        .iter()
        .take(MAX_OPTIONS - 1)
        .map(|server| CreateSelectMenuOption::new(name(server), server.to_string()).description(safe!("Server {}", server)));
    let options: Vec<CreateSelectMenuOption> = std::iter::once(all).chain(each).collect();
    let most = u8::try_from(options.len().min(MAX_CHOSEN_SERVERS)).unwrap_or(1);
    let select = list(SetupStep::PickServers, choice, "Choose one or more", CreateSelectMenuKind::String { options }).max_values(most);
    let mut page = ReplyPage::new("Set-up 2/5 · Servers", SafeText::join(said, "\n"), BLUE);
    page.rows = vec![CreateActionRow::SelectMenu(select), CreateActionRow::Buttons(vec![back(SetupStep::Connect, choice)])];
    page
}

/// Where the settings and the CAD differ.
fn server_notes(configured: &[ServerId], known: &[CadServer]) -> Vec<SafeText> {
    let missing = configured.iter().filter(|server| !known.iter().any(|known| known.id == **server));
    let other = known.iter().filter(|known| !configured.contains(&known.id)).take(10);
    let missing = missing.map(|server| {
        safe!("⚠️ Server {} is set in SONORAN_SERVER_IDS, but the CAD has no such server: whoever runs the bot should correct it.", server)
    });
    let other = other.map(|known| {
        let name = text::visible(known.name.as_deref()).map_or_else(|| "A server".into(), |name| text::line(name, 60));
        safe!("• {} ({}) is not watched: to have it, add {} to SONORAN_SERVER_IDS and restart the bot.", name, known.id, known.id)
    });
    missing.chain(other).collect()
}

fn chosen_servers(words: &[String], configured: &[ServerId]) -> Result<Vec<ServerId>, Error> {
    if words.iter().any(|word| word == ALL) {
        return Ok(Vec::new());
    }
    let server = |word: &String| {
        let server = word.parse().map(ServerId).map_err(|_| Error::refused("That is no server: choose one from the list."))?;
        if configured.contains(&server) { Ok(server) } else { Err(Error::refused(not_configured(server))) }
    };
    words.iter().take(MAX_CHOSEN_SERVERS).map(server).collect()
}

/// The servers a choice is about.
fn meant<'a>(community: &'a Community, choice: &'a SetupChoice) -> &'a [ServerId] {
    if choice.servers.is_empty() { &community.servers } else { &choice.servers }
}

// ---- 3: event source ----

fn way(choice: &SetupChoice) -> ReplyPage {
    let text = "What does your community play on? It decides how the CAD's events come to this bot.";
    let mut page = ReplyPage::new("Set-up 3/5 · How events arrive", text, BLUE);
    page.rows = vec![CreateActionRow::Buttons(vec![
        next(SetupStep::Fivem, choice, "FiveM (with Sonoran's resource)"),
        next(SetupStep::Hub, choice, "ER:LC, Roblox or other"),
        back(SetupStep::Servers, choice),
    ])];
    page
}

fn fivem(context: &CommandContext, community: &Community, choice: &SetupChoice, since: UnixMs) -> ReplyPage {
    let mut said = vec![
        "On FiveM the game server already holds the CAD's live session for its server id, and nobody has documented what a second one does to it. So let the game server forward its events instead:".into(),
    ];
    if community.hub {
        said.push("**1.** Set `SONORAN_HUB=off` for this bot and restart it.".into());
    } else {
        said.push("**1.** `SONORAN_HUB=off` is set already. ✅".into());
    }
    match context.facts.listen.first() {
        None => {
            said.push("**2.** The bot does not listen for events: set `LISTEN_ADDR`, for example to `0.0.0.0:3232`, and restart it.".into())
        }
        Some(listen) => {
            let servers: Vec<SafeText> = meant(community, choice).iter().map(|server| safe!("{}", server)).collect();
            let first = servers.first().cloned().unwrap_or("1".into());
            said.push("**2.** Put these two lines into the resource's `configuration/config.json`, with the address under which the game server reaches this bot:".into());
            said.push(safe!(
                "```json\n\"enablePushEventForwarding\": true,\n\"pushEventForwardUrl\": \"http://BOT-ADDRESS:{}{}?server={}\"\n```",
                u32::from(listen.port()),
                PATH,
                first
            ));
            if servers.len() > 1 {
                said.push(safe!("Each game server gets its own number behind `server=`: {}.", and(&servers)));
            }
        }
    }
    said.push("**3.** Restart the resource, do something in the CAD (go on duty, place a call), and check:".into());
    said.push(first_event(community, choice, since));
    let mut page = ReplyPage::new("Set-up 3/5 · FiveM", SafeText::join(said, "\n"), BLUE);
    page.rows = vec![CreateActionRow::Buttons(vec![
        button(SetupStep::Fivem, choice, "Check for first event", ButtonStyle::Success),
        next(SetupStep::Presets, choice, "Continue"),
        back(SetupStep::Way, choice),
    ])];
    page
}

/// Whether anything came since the set-up began.
fn first_event(community: &Community, choice: &SetupChoice, since: UnixMs) -> SafeText {
    let snapshot = community.status.snapshot();
    let last = meant(community, choice)
        .iter()
        .filter_map(|server| snapshot.servers.get(server)?.last.map(|(at, source)| (at, source, *server)))
        .max_by_key(|(at, ..)| *at);
    match last {
        None => "⏳ No event has come since the bot started.".into(),
        Some((at, source, server)) => {
            let way = if source == Source::Hub { "through the hub" } else { "over HTTP" };
            let seconds = at.secs();
            if at >= since {
                safe!("✅ It works: server {} sent an event {} <t:{}:R>.", server, way, seconds)
            } else {
                safe!("⏳ Nothing since this set-up began; the last event came from server {} {} <t:{}:R>.", server, way, seconds)
            }
        }
    }
}

fn hub(community: &Community, choice: &SetupChoice) -> ReplyPage {
    let mut said = vec!["Without a FiveM resource the bot holds the CAD's live session itself; nothing has to be installed.".into()];
    for server in meant(community, choice) {
        said.push(match community.status.link_of(*server) {
            Link::Ready => safe!("✅ Server {}: connected.", server),
            Link::Connecting => safe!("⏳ Server {}: connecting.", server),
            Link::Down(why) => safe!("❌ Server {}: {}", server, text::line(&why, 300)),
            Link::Rejected(why) => safe!("⛔ Server {}: {}", server, text::line(&why, 300)),
            Link::Contested => safe!("⛔ {}", contested(*server)),
            Link::Off if community.hub => safe!("⏳ Server {}: its session has not begun.", server),
            Link::Off => safe!("⚪ Server {}: SONORAN_HUB is off. Set `SONORAN_HUB=on` and restart the bot.", server),
        });
    }
    let mut page = ReplyPage::new("Set-up 3/5 · Live session", SafeText::join(said, "\n"), BLUE);
    page.rows = vec![CreateActionRow::Buttons(vec![
        button(SetupStep::Hub, choice, "Check again", ButtonStyle::Success),
        next(SetupStep::Presets, choice, "Continue"),
        back(SetupStep::Way, choice),
    ])];
    page
}

// ---- 4: preset ----

fn presets(choice: &SetupChoice) -> ReplyPage {
    let options = Preset::ALL
        .into_iter()
        .map(|preset| CreateSelectMenuOption::new(preset.as_str(), preset.as_str()).description(text::cut(preset.describe(), 100)))
        .collect();
    let select = list(SetupStep::PickPreset, choice, "Choose a set of alerts", CreateSelectMenuKind::String { options });
    let text = "What should be posted? Begin with one set; more sets, in other channels too, are `/alerts preset` away.";
    let mut page = ReplyPage::new("Set-up 4/5 · Alerts", text, BLUE);
    page.rows = vec![CreateActionRow::SelectMenu(select), CreateActionRow::Buttons(vec![back(SetupStep::Way, choice)])];
    page
}

// ---- 5: channel and role ----

fn place(choice: &SetupChoice, trouble: Option<SafeText>) -> ReplyPage {
    let Some(preset) = choice.preset else { return presets(choice) };
    let channel = choice.channel.map_or_else(|| "not chosen yet".into(), |channel| safe!("<#{}>", channel));
    let role = choice.role.map_or_else(|| "nobody".into(), |role| safe!("<@&{}>", role));
    let mut said = vec![
        safe!("**{}**: {}.", preset.as_str(), preset.describe()),
        safe!("Channel: {}", channel),
        safe!("Pinged for what is urgent: {}", role),
    ];
    let color = if trouble.is_some() { YELLOW } else { BLUE };
    said.extend(trouble.map(|trouble| safe!("\n❌ {}", trouble)));
    let channels =
        CreateSelectMenuKind::Channel { channel_types: Some(vec![ChannelType::Text, ChannelType::News]), default_channels: None };
    let roles = CreateSelectMenuKind::Role { default_roles: None };
    let mut page = ReplyPage::new("Set-up 5/5 · Where", SafeText::join(said, "\n"), color);
    page.rows = vec![
        CreateActionRow::SelectMenu(list(SetupStep::PickChannel, choice, "The channel for these alerts", channels)),
        CreateActionRow::SelectMenu(list(SetupStep::PickRole, choice, "A role to ping (optional)", roles).min_values(0)),
        CreateActionRow::Buttons(vec![
            button(SetupStep::Make, choice, "Create alerts", ButtonStyle::Success).disabled(choice.channel.is_none()),
            back(SetupStep::Presets, choice),
        ]),
    ];
    page
}

async fn make_routes(context: &CommandContext, choice: &SetupChoice, asker: Asker) -> Result<ReplyPage, Error> {
    let (Some(preset), Some(channel)) = (choice.preset, choice.channel) else {
        return Ok(place(choice, Some("Choose a channel first.".into())));
    };
    let servers: Vec<Option<ServerId>> = match choice.servers.as_slice() {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let before = context.store.routing_now();
    let made = make(context, asker, channel, choice.role, parts_of(preset, &servers), StyleIs::Default).await;
    // Also shows what was created before a failure.
    audit_hook::note(context, (asker.guild, asker.user), "/cad setup", chosen(choice, preset, channel), &before).await;
    match made {
        Ok(made) => {
            let mut page = done(choice, &made.sentences());
            page.rows.extend(made.rows());
            Ok(page)
        }
        // Problems that the person can fix are shown where they can fix them.
        Err(Error::Refused(sentence)) => Ok(place(choice, Some(sentence))),
        Err(error) => Err(error),
    }
}

/// As the options of a command would be recorded.
fn chosen(choice: &SetupChoice, preset: Preset, channel: ChannelId) -> String {
    let role = choice.role.map(|role| format!(" role:<@&{role}>")).unwrap_or_default();
    let servers: Vec<String> = choice.servers.iter().map(ToString::to_string).collect();
    let servers = if servers.is_empty() { String::new() } else { format!(" servers:{}", servers.join(",")) };
    format!("preset:{} channel:<#{channel}>{role}{servers}", preset.as_str())
}

// ---- done ----

fn done(choice: &SetupChoice, said: &SafeText) -> ReplyPage {
    let text = safe!(
        "{}\n\nSee how it looks with a test alert. Later: `/cad status` shows the connections, `/alerts list` shows what is posted where, and `/cad notices` sets the channel for problems.",
        said
    );
    let mut page = ReplyPage::new("Set-up done", text, GREEN);
    page.rows = vec![CreateActionRow::Buttons(vec![next(SetupStep::Test, choice, "Send test alert"), back(SetupStep::Presets, choice)])];
    page
}

async fn test(context: &CommandContext, choice: &SetupChoice, asker: Asker) -> Result<ReplyPage, Error> {
    let topic = choice.preset.and_then(|preset| preset.routes().first().map(|(topic, ..)| *topic)).unwrap_or(Topic::Emergency);
    let routing = context.store.routing_now();
    let route = routing
        .routes
        .iter()
        .find(|route| route.guild == asker.guild && Some(route.spec.channel) == choice.channel && route.spec.event == Listens::To(topic))
        .map(|route| route.id);
    let channels = alerts::test::send(context, asker.guild, topic, route, false).await?;
    Ok(done(choice, &alerts::test::sentence(topic, &channels, false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_cad_may_differ_and_both_are_shown() {
        let known = |id, name: &str| CadServer { id: ServerId(id), name: Some(name.into()) };
        let notes = server_notes(&[ServerId(1), ServerId(9)], &[known(1, "Main"), known(3, "Event *night*")]);
        assert_eq!(
            notes,
            [
                "⚠️ Server 9 is set in SONORAN_SERVER_IDS, but the CAD has no such server: whoever runs the bot should correct it.",
                "• Event \\*night\\* (3) is not watched: to have it, add 3 to SONORAN_SERVER_IDS and restart the bot.",
            ]
        );
        assert!(server_notes(&[ServerId(1)], &[known(1, "Main")]).is_empty());
    }

    #[test]
    fn what_the_cad_says_is_only_quoted() {
        let error = RestError::Server { status: 500, trace: Some("@everyone *x*".into()) };
        let said = of_the_cad(&error);
        assert!(said.contains("@\u{200B}everyone \\*x\\*") && !said.contains("@everyone"), "{said}");
    }

    #[test]
    fn only_configured_servers_are_taken() {
        let words = |all: &[&str]| all.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let configured = [ServerId(1), ServerId(2)];
        assert_eq!(chosen_servers(&words(&["2", "1"]), &configured).unwrap(), [ServerId(2), ServerId(1)]);
        assert_eq!(chosen_servers(&words(&["2", "all"]), &configured).unwrap(), []);
        assert!(matches!(chosen_servers(&words(&["3"]), &configured), Err(Error::Refused(why)) if why.contains("SONORAN_SERVER_IDS")));
        assert!(chosen_servers(&words(&["x"]), &configured).is_err());
    }
}
