// The page: keeps what the simulated Discord said, shows it in channel views, and sends what a person does.

import { drawPosts, drawSidebar, isCategory, isForum, isThread, sign, threadsOf } from "./channels.js";
import { composer, openModal } from "./commands.js";
import { el, formatTime, refreshRelative } from "./markdown.js";
import { drawMessage, drawThread, gist, isEphemeral } from "./message.js";

const KEPT_MESSAGES = 200; // per channel, newest
const KEPT_ACTIVITY = 40;
const REPLY_LIMIT_MS = 15000;
const GROUP_MS = 7 * 60000;
const VOICE = [2, 13];

const $ = (id) => document.getElementById(id);
const app = $("app");
const narrow = matchMedia("(max-width: 760px)");

const state = { seq: -1, me: null, channels: new Map(), roles: new Map(), users: new Map(), messages: new Map(), commands: [], unread: new Map(), unfolded: new Set(), current: null, overview: false };
let views = [];

// ── who and what things are called ──────────────────────────────────────────────────────────────────────────────────

const names = {
  user(id) {
    const user = state.users.get(id);
    if (!user) return undefined;
    // Discord colours a name by its highest role; the snapshot lists roles lowest first, as far as it has an order.
    const color = (user.roles ?? []).map((role) => state.roles.get(role)?.color).filter(Boolean).at(-1);
    return { name: user.name ?? user.username ?? id, color };
  },
  role: (id) => state.roles.get(id),
  channel: (id) => state.channels.get(id),
};

const byId = (a, b) => {
  const digits = (id) => (/^\d+$/.test(id) ? id : null);
  const [x, y] = [digits(a), digits(b)];
  if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
};
const allChannels = () => [...state.channels.values()];
const textChannels = () => allChannels().filter((channel) => !isCategory(channel) && !isThread(channel) && !VOICE.includes(channel.type));
const parentOf = (channel) => (isThread(channel) ? state.channels.get(channel.parent_id) : undefined);
/** The thread that hangs on a message, which has the message's own id. */
function threadOn(message) {
  const thread = state.channels.get(message.id);
  if (!isThread(thread) || thread.parent_id !== message.channel_id) return null;
  const said = state.messages.get(thread.id) ?? [];
  return { id: thread.id, name: thread.name, archived: Boolean(thread.archived), count: said.length, last: said.length ? gist(said.at(-1), true) : null };
}
/** Where something happened, in few words. */
function whereabouts(channel) {
  const parent = parentOf(channel);
  return parent ? `#${parent.name} › 🧵` : `#${channel?.name ?? "?"}`;
}
const people = () => [...state.users.values()].map((user) => ({ id: user.id, name: names.user(user.id).name }));
const roleList = () => [...state.roles.values()].filter((role) => role.name !== "@everyone");
const pickable = (types) => allChannels().filter((c) => (types?.length ? types.includes(c.type) : !isCategory(c) && !isThread(c)));
const bot = () => [...state.users.values()].find((user) => user.bot);

// ── one channel's messages on screen ────────────────────────────────────────────────────────────────────────────────

class ChannelView {
  constructor(id) {
    this.id = id;
    this.list = el("ol.messages", { tabindex: "0", "aria-label": `Messages in #${state.channels.get(id)?.name ?? ""}` });
    this.jump = el("button.to-newest", { type: "button", hidden: true, onclick: () => this.toNewest() }, "New messages ↓");
    this.node = el("div.channel-view", {}, this.list, this.jump);
    this.list.addEventListener("scroll", () => { if (this.atBottom()) this.jump.hidden = true; }, { passive: true });
    const channel = state.channels.get(id);
    // A thread begins with the message that it hangs on, which stands in the channel above.
    this.starter = isThread(channel) ? state.messages.get(channel.parent_id)?.find((message) => message.id === id) : undefined;
    const messages = [this.starter, ...(state.messages.get(id) ?? [])].filter(Boolean);
    this.list.append(...messages.map((message) => this.draw(message)));
    this.regroup();
  }

  /** Whether it shows this message, new or known. */
  shows(channelId, message) {
    return this.id === channelId || this.starter?.id === message.id;
  }

  /** A thread of this channel was opened, written into or put away. */
  threadChanged(id) {
    const message = state.messages.get(this.id)?.find((other) => other.id === id);
    if (message) this.at(id)?.querySelector(".thread-slot")?.replaceWith(drawThread(threadOn(message)));
  }

  draw(message) {
    return drawMessage(message, {
      names,
      act,
      find: (id) => state.messages.get(this.id)?.find((other) => other.id === id),
      choices: (kind, types) => {
        if (kind === 8) return pickable(types).map((c) => ({ label: `#${c.name}`, value: c.id }));
        const roles = roleList().map((r) => ({ label: `@${r.name}`, value: r.id }));
        const users = people().map((u) => ({ label: `@${u.name}`, value: u.id }));
        return kind === 5 ? users : kind === 6 ? roles : [...roles, ...users];
      },
      dismiss: (id) => remove(this.id, id),
      thread: (message) => (message.id === this.id ? null : threadOn(message)),
      viewer: message.viewer,
    });
  }

  at(id) {
    return this.list.querySelector(`:scope > [data-id="${CSS.escape(id)}"]`);
  }

  upsert(message, flash) {
    const stick = this.atBottom();
    const fresh = this.draw(message);
    const old = this.at(message.id);
    if (old) {
      const held = old.contains(document.activeElement) ? document.activeElement.dataset.customId : null;
      old.replaceWith(fresh);
      if (held) fresh.querySelector(`[data-custom-id="${CSS.escape(held)}"]:not(:disabled)`)?.focus();
    } else {
      let before = null;
      for (let node = this.list.lastElementChild; node && byId(node.dataset.id, message.id) > 0; node = node.previousElementSibling) before = node;
      this.list.insertBefore(fresh, before);
      fresh.classList.add("arrived");
    }
    for (const answer of this.list.querySelectorAll(`.reference[data-jump="${CSS.escape(message.id)}"] .excerpt`)) answer.textContent = gist(message);
    if (flash) {
      fresh.classList.add(flash);
      setTimeout(() => fresh.classList.remove(flash), 2600);
    }
    while (this.list.children.length > KEPT_MESSAGES) this.list.firstElementChild.remove();
    this.regroup();
    if (stick) this.toNewest();
    else if (!old) this.jump.hidden = false;
  }

  remove(id) {
    this.at(id)?.remove();
    this.regroup();
  }

  /** Messages of one author that follow closely share a head; the first of a day carries the date. */
  regroup() {
    let previous = null;
    for (const node of this.list.children) {
      const { author, time, day, breaks } = node.dataset;
      const newDay = !previous || previous.dataset.day !== day;
      const follows = previous && !newDay && previous.dataset.author === author && breaks !== "true" && previous.dataset.breaks !== "true" && time - previous.dataset.time < GROUP_MS;
      node.classList.toggle("follows", Boolean(follows));
      node.classList.toggle("first-of-day", newDay);
      previous = node;
    }
    this.list.classList.toggle("empty", !previous);
  }

  atBottom() {
    return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 80;
  }

  toNewest() {
    this.list.scrollTop = this.list.scrollHeight;
    this.jump.hidden = true;
  }

  /** Brings a message into view and marks it for a moment. */
  show(id) {
    const node = this.at(id);
    if (!node) return false;
    node.scrollIntoView({ block: "center" });
    node.classList.add("shown");
    setTimeout(() => node.classList.remove("shown"), 2600);
    return true;
  }
}

/** A forum has no messages of its own: it is the list of its posts. */
class ForumView {
  constructor(id) {
    this.id = id;
    this.list = el("div.messages.forum", { tabindex: "0", "aria-label": `Posts in #${state.channels.get(id)?.name ?? ""}` });
    this.node = el("div.channel-view", {}, this.list);
    this.threadChanged();
  }

  threadChanged() {
    const posts = threadsOf(allChannels(), this.id);
    const held = this.list.contains(document.activeElement) ? document.activeElement.dataset.channel : null;
    this.list.replaceChildren(drawPosts(posts, (post) => state.messages.get(post) ?? []));
    this.list.classList.toggle("empty", !posts.length);
    if (held) this.list.querySelector(`[data-channel="${CSS.escape(held)}"]`)?.focus();
  }

  shows() {
    return false;
  }

  show() {
    return false;
  }

  upsert() {}
  remove() {}
  toNewest() {}
}

const viewOf = (channel) => (isForum(channel) ? new ForumView(channel.id) : new ChannelView(channel.id));
/** Whether a channel has anything to stand in a column of its own. */
const isFilled = (channel) => Boolean(isForum(channel) ? threadsOf(allChannels(), channel.id).length : state.messages.get(channel.id)?.length);

// ── layout ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function drawMain() {
  const shown = state.overview ? textChannels().filter(isFilled) : [state.channels.get(state.current)].filter(Boolean);
  views = shown.map(viewOf);
  app.dataset.view = state.overview ? "overview" : "channel";
  $("overview").setAttribute("aria-pressed", String(state.overview));
  const nodes = state.overview
    ? views.map((view) => {
        const channel = state.channels.get(view.id);
        return el("section.column", { "aria-label": `#${channel.name}` }, el("h2", {}, el("button", { type: "button", "data-channel": view.id, title: `Open #${channel.name}` }, el("span.hash", { "aria-hidden": "true" }, sign(channel)), channel.name)), view.node);
      })
    : views.map((view) => view.node);
  $("messages").replaceChildren(...nodes);
  for (const view of views) {
    state.unread.delete(view.id);
    view.toNewest();
  }
  drawHead();
  drawChannels();
}

function drawHead() {
  const channel = state.channels.get(state.current);
  const parent = state.overview ? undefined : parentOf(channel);
  $("title").classList.toggle("whole", state.overview);
  $("title-sign").textContent = sign(channel);
  $("title-text").textContent = state.overview ? "All channels" : channel?.name ?? "No channel";
  $("crumb").hidden = !parent;
  $("crumb").textContent = parent ? `${sign(parent)} ${parent.name}` : "";
  $("crumb").dataset.channel = parent?.id ?? "";
  const archived = "Archived: its call is over. Writing into it opens it again.";
  $("topic").textContent = state.overview ? "" : channel?.archived ? archived : channel?.topic ?? "";
  const pings = [...state.unread.values()].reduce((sum, unread) => sum + unread.pings, 0);
  document.title = `${pings ? `(${pings}) ` : ""}${state.overview ? "All channels" : `${parent ? "" : "#"}${channel?.name ?? ""}`} · Tenfour demo`;
  $("say").placeholder = channel ? `Type / for commands in ${parent ? "this thread" : `#${channel.name}`}` : "Type / for commands";
  $("composer").hidden = isForum(channel);
}

function drawChannels() {
  const held = document.activeElement?.closest?.("#channels") ? document.activeElement.dataset : null;
  const current = state.overview ? null : state.current;
  $("channels").replaceChildren(...drawSidebar({ all: allChannels(), current, unread: (id) => state.unread.get(id), unfolded: (id) => state.unfolded.has(id) }));
  const again = held?.channel ? `[data-channel="${CSS.escape(held.channel)}"]` : held?.fold ? `[data-fold="${CSS.escape(held.fold)}"]` : null;
  if (again) $("channels").querySelector(again)?.focus();
  $("menu-dot").hidden = ![...state.unread.values()].some((unread) => unread.pings);
}

function open(id) {
  if (!state.channels.has(id)) return;
  state.current = id;
  state.overview = false;
  history.replaceState(null, "", `#${id}`);
  drawer(false);
  drawMain();
}

function drawer(wanted) {
  const shown = narrow.matches && wanted;
  app.classList.toggle("drawer", shown);
  $("side").inert = narrow.matches && !shown;
  for (const id of ["panel", "messages", "composer"]) $(id).inert = shown;
  $("menu").setAttribute("aria-expanded", String(shown));
  if (shown) $("side").querySelector("[aria-current], .channel")?.focus();
}

// ── what happened ───────────────────────────────────────────────────────────────────────────────────────────────────

function put(channelId, message) {
  const list = state.messages.get(channelId) ?? [];
  state.messages.set(channelId, list);
  const at = list.findIndex((other) => other.id === message.id);
  if (at >= 0) list[at] = message;
  else {
    list.push(message);
    list.sort((a, b) => byId(a.id, b.id));
    if (list.length > KEPT_MESSAGES) list.shift();
  }
  return at < 0;
}

function remove(channelId, messageId) {
  const list = state.messages.get(channelId);
  if (list) state.messages.set(channelId, list.filter((message) => message.id !== messageId));
  for (const view of views) if (view.id === channelId) view.remove(messageId);
}

/** Shows a message that is new or has changed, wherever its channel is in view. */
function show(channelId, message, flash) {
  const isNew = put(channelId, message);
  let seen = views.filter((view) => view.shows(channelId, message));
  for (const view of seen) view.upsert(message, isNew ? null : flash);
  const channel = state.channels.get(channelId);
  if (state.overview && !seen.length && !isThread(channel)) {
    drawMain(); // a channel's first message opens its column
    seen = views.filter((view) => view.id === channelId);
  }
  if (isThread(channel)) threadChanged(channel);
  if (!isNew || isEphemeral(message)) return isNew;
  if (!seen.length || document.hidden) {
    const unread = state.unread.get(channelId) ?? { count: 0, pings: 0 };
    unread.count += 1;
    if (message.pinged?.length) unread.pings += 1;
    state.unread.set(channelId, unread);
    drawChannels();
    drawHead();
  }
  return isNew;
}

/** A thread was opened, written into or put away: its channel shows it. */
function threadChanged(thread) {
  const home = views.filter((view) => view.id === thread.parent_id);
  for (const view of home) view.threadChanged(thread.id);
  if (state.overview && !home.length && isForum(parentOf(thread))) drawMain(); // its first post opens a forum's column
}

function channelChanged(channel) {
  state.channels.set(channel.id, channel);
  drawChannels();
  drawHead();
  if (isThread(channel)) threadChanged(channel);
}

function channelGone(id) {
  const gone = state.channels.get(id);
  const shown = [id, ...allChannels().filter((channel) => channel.parent_id === id && isThread(channel)).map((thread) => thread.id)];
  for (const one of shown) for (const map of [state.channels, state.messages, state.unread]) map.delete(one);
  if (shown.includes(state.current)) state.current = (parentOf(gone) ?? textChannels()[0])?.id ?? null;
  drawMain();
}

function note(verb, channelId, message, now = new Date(), aloud = true) {
  const channel = state.channels.get(channelId);
  const text = gist(message);
  $("activity").prepend(
    el(aloud ? "li.arrived" : "li", {}, el("button", { type: "button", "data-channel": channelId, "data-jump": message.id }, el("span.activity-head", {}, el("b", {}, whereabouts(channel)), el(`span.verb.${message.pinged?.length && verb === "new" ? "ping" : verb}`, {}, message.pinged?.length && verb === "new" ? "ping" : verb), el("time", { datetime: now.toISOString() }, formatTime(now, "T"))), el("span.activity-text", {}, text))),
  );
  while ($("activity").children.length > KEPT_ACTIVITY) $("activity").lastElementChild.remove();
  if (aloud && verb === "new") $("announce").textContent = `${whereabouts(channel)}: ${text}`;
}

/** What happened before the page was opened, as far as the messages show it. */
function recall() {
  if ($("activity").children.length) return;
  const past = [...state.messages].flatMap(([channel, list]) => list.map((message) => [channel, message, new Date(message.timestamp ?? NaN)]));
  past.filter(([, , at]) => !Number.isNaN(at.getTime())).sort((a, b) => a[2] - b[2]).slice(-12).forEach(([channel, message, at]) => note("new", channel, message, at, false));
}

function apply(item) {
  if (Number.isInteger(item.seq)) {
    if (item.seq <= state.seq) return;
    state.seq = item.seq;
  }
  switch (item.type) {
    case "MESSAGE_CREATE":
      show(item.channel_id, item.message);
      note("new", item.channel_id, item.message);
      settle(item.message.interaction_metadata?.id);
      break;
    case "MESSAGE_UPDATE":
      show(item.channel_id, item.message, "edited-now");
      note("edited", item.channel_id, item.message);
      break;
    case "MESSAGE_DELETE": {
      const gone = state.messages.get(item.channel_id)?.find((message) => message.id === item.message_id);
      remove(item.channel_id, item.message_id);
      if (gone && !isEphemeral(gone)) note("deleted", item.channel_id, gone);
      break;
    }
    case "COMMANDS":
      state.commands = item.commands ?? [];
      typing.refresh();
      break;
    case "CHANNEL_CREATE":
    case "CHANNEL_UPDATE":
      channelChanged(item.channel);
      break;
    case "CHANNEL_DELETE":
      channelGone(item.channel_id);
      break;
    case "INTERACTION_REPLY":
    case "MODAL":
      answer(item);
      break;
    case "RESYNC":
      load();
      break;
    default: // a kind this page does not draw
  }
}

// ── acting, and the answers ─────────────────────────────────────────────────────────────────────────────────────────
//
// An answer may overtake the response that names its interaction, so answers nobody asked for wait while a request is out.

const mine = new Set();
const waiting = new Map(); // interaction id → undo of its "is thinking…"
let asked = 0;
let early = [];

function answer(item) {
  if (!mine.has(item.interaction_id) && asked > 0) {
    early.push(item);
    return;
  }
  const own = mine.has(item.interaction_id) || (state.me !== null && item.user_id === state.me);
  if (item.type === "MODAL") {
    if (!own) return; // another window's
    settle(item.interaction_id);
    openModal(item.modal ?? {}, (fields) => act({ do: "modal", channel_id: item.channel_id, interaction_id: item.interaction_id, custom_id: item.modal.custom_id, fields }));
    return;
  }
  settle(item.interaction_id);
  if (!item.message) return;
  const message = { ...item.message, channel_id: item.message.channel_id ?? item.channel_id };
  if (item.ephemeral) {
    message.flags = (message.flags ?? 0) | 64;
    const name = own ? null : names.user(item.user_id)?.name;
    message.viewer = name && state.me !== null ? `Only ${name} can see this` : "Only you can see this";
  }
  show(item.channel_id, message, item.edited ? "edited-now" : null);
  if (own || item.ephemeral) $("announce").textContent = `Answer: ${gist(message)}`;
}

function settle(interaction) {
  waiting.get(interaction)?.();
  waiting.delete(interaction);
}

/** Shows that the bot is thinking, if its answer takes longer than a blink, and says so when none comes. */
function expectReply(interaction, channelId) {
  const id = `pending-${interaction}`;
  const author = { id: bot()?.id ?? "0", username: bot()?.name ?? "The bot", bot: true };
  const base = { id, channel_id: channelId, author, timestamp: new Date().toISOString() };
  const later = setTimeout(() => show(channelId, { ...base, flags: 64 | 128 }), 350);
  const never = setTimeout(() => {
    waiting.delete(interaction);
    show(channelId, { ...base, flags: 64, content: "The application did not respond." });
  }, REPLY_LIMIT_MS);
  waiting.set(interaction, () => {
    clearTimeout(later);
    clearTimeout(never);
    remove(channelId, id);
  });
}

let noticeTimer = 0;
function say(text) {
  const box = $("notice");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { box.hidden = true; }, 6000);
}

/** Sends an action. Resolves to its answer; to null if it was refused, after showing the person why (unless `quietly`). */
async function act(action, quietly = false) {
  const interacts = action.do !== "fire" && action.do !== "autocomplete";
  if (interacts) asked += 1;
  let result = null;
  try {
    const response = await fetch("/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(action) });
    const body = await response.json().catch(() => ({}));
    if (response.ok) result = body ?? {};
    else if (!quietly) say(body.error ?? `That was refused (${response.status}).`);
  } catch {
    if (!quietly) say("The demo does not answer. Is it still running?");
  }
  if (interacts) {
    asked -= 1;
    const id = result?.interaction_id;
    if (id) mine.add(id);
    else if (result) for (const item of early) mine.add(item.interaction_id);
    const answered = early.some((item) => item.interaction_id === id);
    if (action.do === "slash" && id && !answered) expectReply(id, action.channel_id);
    const held = early;
    early = [];
    held.forEach(answer);
  }
  return result;
}

const typing = composer($("composer"), {
  commands: () => state.commands,
  users: people,
  roles: roleList,
  channels: pickable,
  channel: () => state.current,
  act,
  say,
});

function drawFire(list) {
  const sets = new Map();
  for (const fire of list ?? []) sets.set(fire.group ?? "", [...(sets.get(fire.group ?? "") ?? []), fire]);
  const buttons = (fires) =>
    fires.map(({ name, label }) => {
      const button = el("button.fire", { type: "button", "data-fire": name }, label);
      button.addEventListener("click", async () => {
        button.setAttribute("aria-busy", "true");
        const result = await act({ do: "fire", name });
        button.removeAttribute("aria-busy");
        if (result?.said) $("said").textContent = result.said;
      });
      return button;
    });
  $("fire").replaceChildren(...[...sets].map(([group, fires]) => el("div.fire-set", { role: "group", "aria-label": group || null }, group && el("h3", {}, group), el("div.fire-row", {}, buttons(fires)))));
  $("fire-box").hidden = !list?.length;
}

// ── connection ──────────────────────────────────────────────────────────────────────────────────────────────────────

let loading = false;
let again = false;
let held = [];

function connection(name) {
  const words = { live: "live", connecting: "connecting", reconnecting: "reconnecting" };
  if ($("link").dataset.state === name) return;
  $("link").dataset.state = name;
  $("link-text").textContent = words[name];
}

/** Takes the snapshot; what arrives meanwhile is held and applied if it is newer. */
async function load() {
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  try {
    const response = await fetch("/state");
    if (!response.ok) throw new Error(String(response.status));
    take(await response.json());
    connection("live");
  } catch {
    connection("reconnecting");
    again = true;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  loading = false;
  if (again) {
    again = false;
    load();
    return;
  }
  const items = held;
  held = [];
  items.forEach(apply);
}

function take(snapshot) {
  const index = (list) => new Map((list ?? []).map((item) => [item.id, item]));
  const ephemeral = [...state.messages].flatMap(([channel, list]) => list.filter(isEphemeral).map((message) => [channel, message]));
  state.seq = snapshot.seq ?? -1;
  state.me = snapshot.me ?? null;
  state.channels = index(snapshot.channels);
  state.roles = index(snapshot.roles);
  state.users = index(snapshot.users);
  state.commands = snapshot.commands ?? [];
  state.messages = new Map(Object.entries(snapshot.messages ?? {}).map(([id, list]) => [id, [...list].sort((a, b) => byId(a.id, b.id)).slice(-KEPT_MESSAGES)]));
  for (const [channel, message] of ephemeral) put(channel, message);
  $("guild-name").textContent = snapshot.guild?.name ?? "Tenfour demo";
  const wanted = location.hash.slice(1);
  if (state.current === null && wanted === "all") state.overview = true;
  if (!state.channels.has(state.current)) {
    const texts = textChannels();
    state.current = [wanted, texts.find(isFilled)?.id, texts[0]?.id].find((id) => state.channels.has(id)) ?? null;
  }
  drawFire(snapshot.fire);
  drawMain();
  recall();
}

function connect() {
  const source = new EventSource("/events");
  source.addEventListener("open", load);
  source.addEventListener("message", (event) => {
    const item = JSON.parse(event.data);
    if (loading) held.push(item);
    else apply(item);
  });
  source.addEventListener("error", () => {
    connection("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    setTimeout(connect, 2000);
  });
}

// ── hands on the page ───────────────────────────────────────────────────────────────────────────────────────────────

document.addEventListener("click", (event) => {
  const folded = event.target.closest("[data-fold]")?.dataset.fold;
  if (folded) {
    if (!state.unfolded.delete(folded)) state.unfolded.add(folded);
    drawChannels();
    return;
  }
  const target = event.target.closest("[data-channel], [data-jump]");
  if (!target) return;
  event.preventDefault(); // a link within the page
  const { channel, jump } = target.dataset;
  const home = channel ?? views.find((view) => view.node.contains(target))?.id;
  if (!views.some((view) => view.id === home) || !jump) open(home);
  if (jump && !views.find((view) => view.id === home)?.show(jump)) say("That message is not here any more.");
});
$("menu").addEventListener("click", () => drawer(!app.classList.contains("drawer")));
$("shade").addEventListener("click", () => drawer(false));
$("overview").addEventListener("click", () => {
  state.overview = !state.overview;
  history.replaceState(null, "", state.overview ? "#all" : `#${state.current}`);
  drawMain();
});
narrow.addEventListener("change", () => drawer(false));
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !views.some((view) => state.unread.delete(view.id))) return;
  for (const view of views) state.unread.delete(view.id);
  drawChannels();
  drawHead();
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest?.("dialog")) return;
  if (event.key === "Escape" && app.classList.contains("drawer")) {
    drawer(false);
    $("menu").focus();
  } else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const ids = [...$("channels").querySelectorAll(".channel")].map((node) => node.dataset.channel);
    const step = event.key === "ArrowDown" ? 1 : -1;
    open(ids[(ids.indexOf(state.current) + step + ids.length) % ids.length]);
    event.preventDefault();
  } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest?.("input, textarea, select")) {
    typing.focus("/");
    event.preventDefault();
  }
});
setInterval(() => refreshRelative(document), 10000);
drawer(false);
connect();
