// The list of channels with their threads, and the list of posts that a forum is. Draws what it is given and keeps nothing: what is
// clicked goes out as `data-channel`.

import { el, formatTime } from "./markdown.js";
import { gist } from "./message.js";

const CATEGORY = 4;
const FORUM = [15, 16];
const THREADS = [10, 11, 12];
const OPEN_SHOWN = 6; // threads below a channel, before "more"
const ARCHIVED_SHOWN = 2;

export const isThread = (channel) => THREADS.includes(channel?.type);
export const isForum = (channel) => FORUM.includes(channel?.type);
export const isCategory = (channel) => channel?.type === CATEGORY;

/** What stands before a channel's name. */
export const sign = (channel) => (isThread(channel) ? "🧵" : isForum(channel) ? "☰" : "#");

const newer = (a, b) => b.id.length - a.id.length || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** The threads or posts of a channel: open ones before archived ones, newest first. */
export const threadsOf = (all, id) => all.filter((channel) => isThread(channel) && channel.parent_id === id).sort((a, b) => Boolean(a.archived) - Boolean(b.archived) || newer(a, b));

/** All channels as nodes, below their categories. `of`: {all, current (id or null), unread(id), unfolded(id)}. */
export function drawSidebar(of) {
  const known = new Set(of.all.map((channel) => channel.id));
  const under = (parent) => of.all.filter((c) => !isCategory(c) && !isThread(c) && (parent ? c.parent_id === parent : !known.has(c.parent_id))).flatMap((channel) => [entry(channel, of), ...threads(channel, of)]);
  const list = (children) => el("ul", {}, children);
  return [list(under(null)), ...of.all.filter(isCategory).map((c) => el("section", {}, el("h2", {}, c.name), list(under(c.id))))];
}

function threads(channel, of) {
  const all = threadsOf(of.all, channel.id);
  const open = all.filter((thread) => !thread.archived);
  const shown = new Set(of.unfolded(channel.id) ? all : [...open.slice(0, OPEN_SHOWN), ...all.slice(open.length, open.length + ARCHIVED_SHOWN)]);
  const here = all.find((thread) => thread.id === of.current);
  if (here) shown.add(here);
  const left = all.length - shown.size;
  const entries = all.filter((thread) => shown.has(thread)).map((thread) => entry(thread, of));
  if (left > 0) entries.push(fold(channel.id, `${left} more`, false));
  else if (of.unfolded(channel.id) && all.length > OPEN_SHOWN) entries.push(fold(channel.id, "Show fewer", true));
  return entries;
}

const fold = (id, text, open) => el("li", {}, el("button.fold", { type: "button", "data-fold": id, "aria-expanded": String(open) }, text));

function entry(channel, of) {
  const unread = of.unread(channel.id);
  const thread = isThread(channel);
  const words = [thread ? `Thread ${channel.name}` : `#${channel.name}`, channel.archived && "archived", unread?.pings && `${unread.pings} pings`, unread && "unread"].filter(Boolean).join(", ");
  const node = el(
    "button.channel",
    { type: "button", "data-channel": channel.id, "aria-current": channel.id === of.current ? "page" : null, "aria-label": words, title: thread ? channel.name : null },
    el("span.hash", { "aria-hidden": "true" }, thread ? "↳" : sign(channel)),
    el("span.channel-name", {}, channel.name),
    channel.archived && el("span.put-away", { "aria-hidden": "true", title: "Archived" }, "🗄"),
    unread?.pings > 0 && el("span.badge", { "aria-hidden": "true" }, String(Math.min(unread.pings, 99))),
  );
  node.classList.toggle("unread", Boolean(unread));
  node.classList.toggle("is-thread", thread);
  node.classList.toggle("archived", Boolean(channel.archived));
  return el("li", {}, node);
}

/** A forum: its posts as a list. `messages(id)` are those of a post, oldest first; the first of them opened it. */
export function drawPosts(posts, messages) {
  return el(
    "ul.posts",
    {},
    posts.map((post) => {
      const all = messages(post.id);
      const [opening, last] = [all[0], all.at(-1)];
      const replies = Math.max(0, all.length - 1);
      const at = last && new Date(last.edited_timestamp ?? last.timestamp);
      const bar = opening?.embeds?.[0]?.color;
      const node = el(
        "button.post",
        { type: "button", "data-channel": post.id },
        el("span.post-title", {}, opening ? gist(opening) : post.name, post.archived && el("span.archived-mark", {}, "archived")),
        last && last !== opening && el("span.post-last", {}, gist(last, true)),
        el("span.post-foot", {}, `💬 ${replies}`, at && !Number.isNaN(at.getTime()) && ` · ${formatTime(at, "t")}`),
      );
      if (Number.isInteger(bar)) node.style.setProperty("--bar", `#${bar.toString(16).padStart(6, "0")}`);
      node.classList.toggle("archived", Boolean(post.archived));
      return el("li", {}, node);
    }),
  );
}
