//! Lines of one channel share a message while they come close together: a page. Pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::UnixMs;
use crate::ids::{ChannelId, ServerId};
use crate::render::{self, Message};

/// A page takes lines for this long; later ones begin a new message, so that nothing new appears far up the channel.
const PAGE_SPAN: Duration = Duration::from_secs(60);
/// Lines of one page.
const PAGE_LINES: u32 = 20;

/// The page being written in each channel, one for each server: the server is part of a post's name.
#[derive(Debug, Default)]
pub(super) struct LogPages(HashMap<(ChannelId, ServerId), Page>);

#[derive(Debug)]
struct Page {
    subject: String,
    began: UnixMs,
    lines: u32,
    message: Message,
}

impl LogPages {
    /// Adds a line: returns the page's subject and the page as it is now.
    pub(super) fn append(&mut self, place: (ChannelId, ServerId), number: (i64, u32), at: UnixMs, line: Message) -> (String, Message) {
        if let Some(page) = self.0.get_mut(&place).filter(|page| at.since(page.began) <= PAGE_SPAN && page.lines < PAGE_LINES) {
            let mut joined = render::gather(vec![page.message.clone(), line.clone()]);
            if let (Some(message), 1) = (joined.pop(), joined.len() + 1) {
                page.lines += 1;
                page.message = message.clone();
                return (page.subject.clone(), message);
            }
        }
        // Two lines of one event may both begin a page (the first did not fit): the count keeps them apart.
        let nth = self.0.get(&place).map_or(0, |page| page.lines);
        let subject = format!("line:{}.{}.{nth}", number.0, number.1);
        self.0.retain(|_, page| at.since(page.began) <= PAGE_SPAN);
        self.0.insert(place, Page { subject: subject.clone(), began: at, lines: 1, message: line.clone() });
        (subject, line)
    }
}
