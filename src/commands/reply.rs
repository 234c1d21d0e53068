//! Answers: private unless shared on purpose, without any ping, within Discord's limits.

use poise::CreateReply;
use serenity::all::{
    CreateActionRow, CreateAllowedMentions, CreateAttachment, CreateEmbed, CreateEmbedFooter, CreateInteractionResponse,
    CreateInteractionResponseMessage, EditAttachments, EditInteractionResponse, Timestamp,
};

use super::button_rows;
use super::context::{CommandContext, Context};
use super::errors::Error;
use super::wording::counted;
use crate::render::text::{self, SafeText, safe};
use crate::render::{Embed, Message};

/// Discord's limit of a message's content (UTF-16 units).
const CONTENT: usize = 2_000;
/// Discord's limit of an embed's description (UTF-16 units).
const DESCRIPTION: usize = 4_096;
/// Limit on the pages of one answer: further lines are only counted.
const MAX_PAGES: usize = 5;
/// Neutral, good, bad.
pub(super) const BLUE: u32 = 0x58_65F2;
pub(super) const GREEN: u32 = 0x2E_CC71;
pub(super) const YELLOW: u32 = 0xF1_C40F;
pub(super) const RED: u32 = 0xE7_4C3C;

/// An answer with a heading.
#[derive(Clone, Debug)]
pub(super) struct ReplyPage {
    pub(super) title: SafeText,
    pub(super) text: SafeText,
    pub(super) color: u32,
    pub(super) rows: Vec<CreateActionRow>,
    /// Name of a file in the same message that is shown below the text.
    pub(super) picture: Option<String>,
    /// Attached: name and content.
    pub(super) file: Option<(String, Vec<u8>)>,
}

impl ReplyPage {
    pub(super) fn new(title: impl Into<SafeText>, text: impl Into<SafeText>, color: u32) -> Self {
        Self { title: title.into(), text: text.into(), color, rows: Vec::new(), picture: None, file: None }
    }

    /// With a picture that is sent with it ([`enclose`]).
    pub(super) fn picture(self, file: &str) -> Self {
        Self { picture: Some(file.to_owned()), ..self }
    }

    fn embed(&self) -> CreateEmbed {
        let embed = CreateEmbed::new().title(self.title.cut(256)).description(self.text.cut(DESCRIPTION)).color(self.color);
        match &self.picture {
            Some(file) => embed.attachment(file),
            None => embed,
        }
    }

    fn attachment(&mut self) -> Option<CreateAttachment> {
        self.file.take().map(|(name, bytes)| CreateAttachment::bytes(bytes, name))
    }

    /// As the new state of a message with buttons: what it doesn't have is removed.
    pub(super) fn edit(mut self) -> EditInteractionResponse {
        let files = self.attachment().into_iter().fold(EditAttachments::new(), EditAttachments::add);
        EditInteractionResponse::new()
            .content("")
            .embeds(vec![self.embed()])
            .components(self.rows)
            .attachments(files)
            .allowed_mentions(CreateAllowedMentions::new())
    }
}

fn private() -> CreateReply {
    seen(false)
}

/// Answers a press or a form at once, in one sentence that only that person sees.
pub(super) fn private_answer(sentence: impl Into<SafeText>) -> CreateInteractionResponse {
    CreateInteractionResponse::Message(
        CreateInteractionResponseMessage::new().content(sentence.into()).ephemeral(true).allowed_mentions(CreateAllowedMentions::new()),
    )
}

/// Visible to the person who asked, or to everybody there. A deferred answer keeps the visibility of its deferral.
fn seen(shared: bool) -> CreateReply {
    CreateReply::default().ephemeral(!shared).allowed_mentions(CreateAllowedMentions::new())
}

/// One or a few sentences.
pub(super) async fn say(ctx: Context<'_>, words: impl Into<SafeText>) -> Result<(), Error> {
    poise::send_application_reply(ctx, private().content(words.into().cut(CONTENT))).await?;
    Ok(())
}

/// As [`say`], with buttons.
pub(super) async fn say_with(ctx: Context<'_>, words: impl Into<SafeText>, rows: Vec<CreateActionRow>) -> Result<(), Error> {
    poise::send_application_reply(ctx, private().content(words.into().cut(CONTENT)).components(rows)).await?;
    Ok(())
}

/// A page.
pub(super) async fn show(ctx: Context<'_>, mut page: ReplyPage) -> Result<(), Error> {
    let file = page.attachment();
    let reply = private().embed(page.embed()).components(page.rows);
    poise::send_application_reply(ctx, file.into_iter().fold(reply, CreateReply::attachment)).await?;
    Ok(())
}

/// A message as channels show it, with its buttons, but without its pings.
pub(super) async fn message(ctx: Context<'_>, message: &Message) -> Result<(), Error> {
    let mut reply = private().components(button_rows::of_card(message));
    if let Some(content) = message.content.as_ref().filter(|_| message.roles.is_empty()) {
        reply = reply.content(content.cut(CONTENT));
    }
    let reply = message.embeds.iter().fold(reply, |reply, one| reply.embed(embed(one)));
    poise::send_application_reply(ctx, reply).await?;
    Ok(())
}

/// Pages with files in one message: at most 10 of each, and Discord's 6,000 characters over all pages.
pub(super) async fn enclose(ctx: Context<'_>, pages: Vec<ReplyPage>, files: Vec<CreateAttachment>, shared: bool) -> Result<(), Error> {
    let reply = pages.into_iter().take(10).fold(seen(shared), |reply, page| reply.embed(page.embed()));
    let reply = files.into_iter().take(10).fold(reply, CreateReply::attachment);
    poise::send_application_reply(ctx, reply).await?;
    Ok(())
}

fn embed(embed: &Embed) -> CreateEmbed {
    let mut made = CreateEmbed::new().color(embed.color);
    if let Some(title) = &embed.title {
        made = made.title(title.as_str());
    }
    if let Some(description) = &embed.description {
        made = made.description(description.as_str());
    }
    if let Some(footer) = &embed.footer {
        made = made.footer(CreateEmbedFooter::new(footer.as_str()));
    }
    if let Some(at) = embed.timestamp.and_then(|at| Timestamp::from_millis(at.0).ok()) {
        made = made.timestamp(at);
    }
    made.fields(embed.fields.iter().map(|field| (field.name.as_str(), field.value.as_str(), field.inline)))
}

/// A page with a file.
pub(super) async fn file(ctx: Context<'_>, page: ReplyPage, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
    show(ctx, ReplyPage { file: Some((name.to_owned(), bytes)), ..page }).await
}

/// Lines under one heading, in as many messages as needed, up to a limit.
pub(super) async fn list(ctx: Context<'_>, title: impl Into<SafeText>, lines: &[SafeText], color: u32) -> Result<(), Error> {
    list_to(ctx, title, lines, color, false).await
}

/// As [`list`], for everybody there if shared.
pub(super) async fn list_to(
    ctx: Context<'_>,
    title: impl Into<SafeText>,
    lines: &[SafeText],
    color: u32,
    shared: bool,
) -> Result<(), Error> {
    let title = title.into();
    for (nth, text) in pages(lines).into_iter().enumerate() {
        let title = if nth == 0 { title.clone() } else { safe!("{} ({})", title, nth + 1) };
        enclose(ctx, vec![ReplyPage::new(title, text, color)], Vec::new(), shared).await?;
    }
    Ok(())
}

/// Joins lines into texts that each fit a description.
fn pages(lines: &[SafeText]) -> Vec<SafeText> {
    let (mut pages, mut page) = (Vec::new(), Vec::new());
    let mut used = 0;
    for (nth, line) in lines.iter().enumerate() {
        let line = line.cut(1_000);
        let long = text::units(&line) + 1;
        if used + long >= DESCRIPTION - 100 {
            if pages.len() + 1 == MAX_PAGES {
                page.push(safe!("… and {} more.", counted(lines.len() - nth, "line", "lines")));
                break;
            }
            pages.push(SafeText::join(std::mem::take(&mut page), "\n"));
            used = 0;
        }
        used += long;
        page.push(line);
    }
    pages.push(SafeText::join(page, "\n"));
    pages
}

/// For the framework's own errors, which come with poise's wider context.
pub(super) async fn framework(ctx: poise::Context<'_, CommandContext, Error>, words: SafeText) -> Result<(), serenity::Error> {
    poise::send_reply(ctx, private().content(words.cut(CONTENT))).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_become_pages_that_fit_and_say_what_is_left() {
        let lines: Vec<SafeText> = (0..2_000_usize).map(|n| safe!("{} {}", n, text::line(&"x".repeat(40), 40))).collect();
        let pages = pages(&lines);
        assert_eq!(pages.len(), MAX_PAGES);
        assert!(pages.iter().all(|page| text::units(page) <= DESCRIPTION));
        let shown: usize = pages.iter().map(|page| page.lines().filter(|line| line.ends_with('x')).count()).sum();
        assert!(pages[MAX_PAGES - 1].ends_with(&format!("… and {} more.", counted(2_000 - shown, "line", "lines"))));
        assert_eq!(super::pages(&["a".into(), "b".into()]), ["a\nb"]);
    }
}
