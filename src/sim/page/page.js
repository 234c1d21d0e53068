// The page: keeps what the simulated Discord said, shows it in channel views, and sends what a person does.

import { composer, openModal } from "./commands.js";
import { el, formatTime, refreshRelative } from "./markdown.js";
import { drawMessage, gist, isEphemeral } from "./message.js";

const KEPT_MESSAGES = 200; // per channel, newest
const KEPT_ACTIVITY = 40;
const REPLY_LIMIT_MS = 15000;
const GROUP_MS = 7 * 60000;
const CATEGORY = 4;
const THREADS = [10, 11, 12];

const $ = (id) => document.getElementById(id);
const app = $("app");
const narrow = matchMedia("(max-width: 760px)");

const state = { seq: -1, me: null, channels: new Map(), roles: new Map(), users: new Map(), messages: new Map(), commands: [], unread: new Map(), current: null, overview: false };
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
const textChannels = () => [...state.channels.values()].filter((channel) => ![CATEGORY, 2, 13].includes(channel.type));
const people = () => [...state.users.values()].map((user) => ({ id: user.id, name: names.user(user.id).name }));
const roleList = () => [...state.roles.values()].filter((role) => role.name !== "@everyone");
const pickable = (types) => [...state.channels.values()].filter((c) => (types?.length ? types.includes(c.type) : c.type !== CATEGORY && !THREADS.includes(c.type)));
const bot = () => [...state.users.values()].find((user) => user.bot);

// ── one channel's messages on screen ────────────────────────────────────────────────────────────────────────────────

class ChannelView {
  constructor(id) {
    this.id = id;
    this.list = el("ol.messages", { tabindex: "0", "aria-label": `Messages in #${state.channels.get(id)?.name ?? ""}` });
    this.jump = el("button.to-newest", { type: "button", hidden: true, onclick: () => this.toNewest() }, "New messages ↓");
    this.node = el("div.channel-view", {}, this.list, this.jump);
    this.list.addEventListener("scroll", () => { if (this.atBottom()) this.jump.hidden = true; }, { passive: true });
    const messages = state.messages.get(id) ?? [];
    this.list.append(...messages.map((message) => this.draw(message)));
    this.regroup();
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

// ── layout ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function drawMain() {
  const shown = state.overview ? textChannels().filter((channel) => state.messages.get(channel.id)?.length) : [state.channels.get(state.current)].filter(Boolean);
  views = shown.map((channel) => new ChannelView(channel.id));
  app.dataset.view = state.overview ? "overview" : "channel";
  $("overview").setAttribute("aria-pressed", String(state.overview));
  const nodes = state.overview
    ? views.map((view) => {
        const channel = state.channels.get(view.id);
        return el("section.column", { "aria-label": `#${channel.name}` }, el("h2", {}, el("button", { type: "button", "data-channel": view.id, title: `Open #${channel.name}` }, el("span.hash", { "aria-hidden": "true" }, "#"), channel.name)), view.node);
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
  $("title").classList.toggle("whole", state.overview);
  $("title-text").textContent = state.overview ? "All channels" : channel?.name ?? "No channel";
  $("topic").textContent = state.overview ? "" : channel?.topic ?? "";
  const pings = [...state.unread.values()].reduce((sum, unread) => sum + unread.pings, 0);
  document.title = `${pings ? `(${pings}) ` : ""}${state.overview ? "All channels" : `#${channel?.name ?? ""}`} · Tenfour demo`;
  $("say").placeholder = channel ? `Type / for commands in #${channel.name}` : "Type / for commands";
}

function drawChannels() {
  const all = [...state.channels.values()];
  const entry = (channel) => {
    const unread = state.unread.get(channel.id);
    const here = !state.overview && channel.id === state.current;
    const words = [`#${channel.name}`, unread?.pings && `${unread.pings} pings`, unread && "unread"].filter(Boolean).join(", ");
    const node = el("button.channel", { type: "button", "data-channel": channel.id, "aria-current": here ? "page" : null, "aria-label": words }, el("span.hash", { "aria-hidden": "true" }, THREADS.includes(channel.type) ? "↳" : "#"), el("span.channel-name", {}, channel.name), unread?.pings > 0 && el("span.badge", { "aria-hidden": "true" }, String(Math.min(unread.pings, 99))));
    node.classList.toggle("unread", Boolean(unread));
    node.classList.toggle("is-thread", THREADS.includes(channel.type));
    return [el("li", {}, node), ...all.filter((other) => THREADS.includes(other.type) && other.parent_id === channel.id).flatMap(entry)];
  };
  const known = new Set(all.map((channel) => channel.id));
  const under = (parent) => all.filter((c) => c.type !== CATEGORY && !THREADS.includes(c.type) && (parent ? c.parent_id === parent : !known.has(c.parent_id))).flatMap(entry);
  const groups = [el("ul", {}, under(null)), ...all.filter((c) => c.type === CATEGORY).map((c) => el("section", {}, el("h2", {}, c.name), el("ul", {}, under(c.id))))];
  const held = document.activeElement?.closest?.("#channels") ? document.activeElement.dataset.channel : null;
  $("channels").replaceChildren(...groups);
  if (held) $("channels").querySelector(`[data-channel="${CSS.escape(held)}"]`)?.focus();
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
  let seen = views.filter((view) => view.id === channelId);
  for (const view of seen) view.upsert(message, isNew ? null : flash);
  if (state.overview && !seen.length) {
    drawMain(); // a channel's first message opens its column
    seen = views.filter((view) => view.id === channelId);
  }
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

function note(verb, channelId, message, now = new Date(), aloud = true) {
  const channel = state.channels.get(channelId);
  const text = gist(message);
  $("activity").prepend(
    el(aloud ? "li.arrived" : "li", {}, el("button", { type: "button", "data-channel": channelId, "data-jump": message.id }, el("span.activity-head", {}, el("b", {}, `#${channel?.name ?? "?"}`), el(`span.verb.${message.pinged?.length && verb === "new" ? "ping" : verb}`, {}, message.pinged?.length && verb === "new" ? "ping" : verb), el("time", { datetime: now.toISOString() }, formatTime(now, "T"))), el("span.activity-text", {}, text))),
  );
  while ($("activity").children.length > KEPT_ACTIVITY) $("activity").lastElementChild.remove();
  if (aloud && verb === "new") $("announce").textContent = `#${channel?.name ?? ""}: ${text}`;
}

/** What happened before the page was opened, as far as the messages tell. */
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
      state.channels.set(item.channel.id, item.channel);
      drawChannels();
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

/** Sends an action. Resolves to its answer; to null if it was refused, after telling the person (unless `quietly`). */
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
  $("fire").replaceChildren(
    ...(list ?? []).map(({ name, label }) => {
      const button = el("button.fire", { type: "button", "data-fire": name }, label);
      button.addEventListener("click", async () => {
        button.setAttribute("aria-busy", "true");
        const result = await act({ do: "fire", name });
        button.removeAttribute("aria-busy");
        if (result?.said) $("said").textContent = result.said;
      });
      return button;
    }),
  );
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
    state.current = [wanted, texts.find((channel) => state.messages.get(channel.id)?.length)?.id, texts[0]?.id].find((id) => state.channels.has(id)) ?? null;
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
  const target = event.target.closest("[data-channel], [data-jump]");
  if (!target) return;
  const { channel, jump } = target.dataset;
  const home = channel ?? views.find((view) => view.node.contains(target))?.id;
  if (!views.some((view) => view.id === home) || !jump) open(home);
  if (jump) views.find((view) => view.id === home)?.show(jump);
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
