//! poise under the gateway: which commands there are, how they are dispatched, and the start of it all.

use poise::serenity_prelude::{CreateAllowedMentions, CreateCommand, FullEvent};
use tenfour_chart::Painter;

use super::access::Access;
use super::context::CommandContext;
use super::data::Data;
use super::error_hook::on_error;
use super::errors::Error;
use super::guilds::Guilds;
use super::link_attempts::LinkAttempts;
use super::names::NameCache;
use super::notice_throttle::NoticeThrottle;
use super::open_forms::OpenForms;
use super::{alerts, audit_hook, board, cad, call, duty, emergency, interactions, lookup, menu, threads, unit};
use crate::discord::gateway::Gateway;
use crate::discord::registration::Registration;
use crate::ids::GuildId;
use crate::ops::Readiness;
use crate::shutdown::Tasks;

pub(super) fn commands() -> Vec<poise::Command<CommandContext, Error>> {
    vec![
        alerts::alerts(),
        board::board(),
        cad::cad(),
        duty::duty(),
        unit::unit(),
        call::call(),
        lookup::lookup(),
        emergency::emergency(),
        menu::add_note(),
    ]
}

/// The commands as they are registered with Discord.
#[must_use]
pub fn registered() -> Vec<CreateCommand> {
    poise::builtins::create_application_commands(&commands())
}

fn options() -> poise::FrameworkOptions<CommandContext, Error> {
    poise::FrameworkOptions {
        commands: commands(),
        on_error: |error| Box::pin(on_error(error)),
        pre_command: |ctx| Box::pin(audit_hook::before(ctx)),
        post_command: |ctx| Box::pin(audit_hook::after(ctx, "done")),
        // poise's own default would ping people.
        allowed_mentions: Some(CreateAllowedMentions::new()),
        event_handler: |framework, event| {
            Box::pin(async move {
                let (ctx, context) = (framework.serenity_context, framework.user_data);
                match event {
                    FullEvent::InteractionCreate { interaction } => interactions::dispatch(ctx, context, interaction).await,
                    FullEvent::Message { new_message } => threads::handle_message(ctx, context, new_message).await,
                    _ => Ok(()),
                }
            })
        },
        // No words are commands, not even those that begin with our name.
        prefix_options: poise::PrefixFrameworkOptions { mention_as_prefix: false, ..poise::PrefixFrameworkOptions::default() },
        ..poise::FrameworkOptions::default()
    }
}

/// Registers the commands (in `guild` only, or everywhere), connects, and serves people until draining begins.
///
/// # Errors
/// What cannot come right by itself; see [`Gateway::run`].
pub async fn run(data: Data, guild: Option<GuildId>, tasks: Tasks, readiness: Readiness) -> anyhow::Result<()> {
    let gateway = Gateway {
        rest: data.rest.clone(),
        application: data.facts.bot.application,
        clock: data.clock.clone(),
        metrics: data.metrics.clone(),
        status: data.status.clone(),
        readiness,
        tasks: tasks.clone(),
        message_content: data.facts.message_content,
    };
    let was_there = guild.is_some() && data.store.commands_in().await? == guild;
    let registration = Registration::new(data.rest.clone(), data.facts.bot.application, &registered(), guild, was_there)?;
    let guilds = Guilds::default();
    let context = CommandContext {
        data: data.clone(),
        names: NameCache::default(),
        notice_throttle: NoticeThrottle::default(),
        open_forms: OpenForms::default(),
        tries: LinkAttempts::default(),
        guilds: guilds.clone(),
        painter: Painter::default(),
    };
    let framework = poise::Framework::builder()
        // Owners have no rights here, and asking for them would go out before anything is known to work.
        .initialize_owners(false)
        .options(options())
        // Cannot fail: poise waits for ever for a set-up that did. What can fail is done by the gateway before it connects.
        .setup(|_, _, _| Box::pin(async move { Ok(context) }))
        .build();
    let turn = tokio::sync::Mutex::new(());
    let framework = Access { inner: framework, data, guilds, registration: registration.clone(), tasks, turn };
    gateway.run(registration, framework).await
}
