// Draws one message: author, text, embeds, buttons, selects, attachments. Holds no state of the page: what a person does
// goes out through `act`, names come in through `names`.

import { cssColor, el, formatTime, inline, link, markdown, webAddress } from "./markdown.js";

const EPHEMERAL = 1 << 6;
const LOADING = 1 << 7;
const SILENT = 1 << 12;
const MAX_FIELDS = 25;
const MAX_EMBEDS = 10;
const DEFAULT_BAR = "#4a5064";

/** Whether only one person sees the message. */
export const isEphemeral = (message) => Boolean(message.flags & EPHEMERAL);

/** One line that says what a message is about, for announcements and lists; with what it says below its title if `whole`. */
export function gist(message, whole = false) {
  const title = message.embeds?.find((embed) => embed.title)?.title ?? message.embeds?.[0]?.description;
  const plain = (text) => String(text ?? "").replace(/<[@#:/][^>]*>\s*/g, "").replace(/<t:[^>]*>/g, "").replace(/\\(.)/g, "$1").replace(/[*_~`|]+/g, "").replace(/^(#{1,3}|-#|>) /, "");
  const below = whole && message.embeds?.find((embed) => embed.title)?.description;
  const text = [title || message.content, below].filter(Boolean).map((part) => plain(part).split("\n")[0].trim()).join(": ");
  return text.length > 90 ? `${text.slice(0, 89)}…` : text || "a message";
}

/**
 * A message as a list item.
 * `to.act(action)` → Promise; `to.names` as in markdown.js; `to.find(id)` → message replied to; `to.choices(kind)` → options
 * of a user, role or channel select; `to.dismiss(id)` takes away an ephemeral one; `to.viewer` is a line for it;
 * `to.thread(message)` → the thread that hangs on it: {id, name, archived, count, last}.
 */
export function drawMessage(message, to) {
  const { names } = to;
  const author = message.author ?? {};
  const pinged = (message.pinged?.length ?? 0) > 0;
  const ephemeral = isEphemeral(message);
  const sent = new Date(message.timestamp ?? Date.now());
  const known = names.user(author.id);
  const name = author.global_name ?? author.username ?? known?.name ?? "Unknown";
  const item = el("li.message", {
    "data-id": message.id,
    "data-author": author.id ?? "",
    "data-time": sent.getTime() || 0,
    "data-day": formatTime(sent, "D"),
    "data-breaks": String(Boolean(message.message_reference || ephemeral)),
  });
  item.classList.toggle("pinged", pinged);
  item.classList.toggle("ephemeral", ephemeral);

  const who = el("span.author", {}, name);
  const color = cssColor(known?.color);
  if (color) who.style.setProperty("--role", color);
  const head = el(
    "div.head",
    {},
    who,
    author.bot && el("span.app", {}, "APP"),
    el("time.sent", { datetime: sent.toISOString(), title: formatTime(sent, "F") }, when(sent)),
    Boolean(message.flags & SILENT) && el("span.silent", { title: "Sent with @silent: nobody's device made a sound" }, "@silent"),
    pinged && el("span.ping-note", {}, "pinged ", message.pinged.slice(0, 6).map((id, n) => [n ? ", " : "", pingName(id, names)])),
  );
  const body = el("div.body", {}, head);
  if (message.flags & LOADING) body.append(el("p.thinking", {}, el("span.dots", { "aria-hidden": "true" }, el("i"), el("i"), el("i")), `${name} is thinking…`));
  const edited = message.edited_timestamp && el("time.edited", { datetime: message.edited_timestamp, title: `Edited ${formatTime(new Date(message.edited_timestamp), "F")}` }, "(edited)");
  if (message.content) {
    const text = el("div.content.md", {}, markdown(message.content, names));
    if (edited) (text.lastElementChild?.localName === "p" ? text.lastElementChild : text).append(" ", edited);
    body.append(text);
  }
  for (const embed of (message.embeds ?? []).slice(0, MAX_EMBEDS)) body.append(drawEmbed(embed, message, names));
  for (const file of (message.attachments ?? []).slice(0, 10)) {
    const drawn = drawAttachment(file, message.embeds ?? []);
    if (drawn) body.append(drawn);
  }
  if (edited && !message.content) body.append(el("div.edited-line", {}, edited));
  const rows = (message.components ?? []).slice(0, 5).map((row) => drawRow(row, message, to)).filter(Boolean);
  if (rows.length) body.append(el("div.components", {}, rows));
  body.append(drawThread(to.thread(message)));
  if (ephemeral) {
    body.append(el("p.only-you", {}, el("span", { "aria-hidden": "true" }, "👁 "), `${to.viewer ?? "Only you can see this"} · `, el("button.plain", { type: "button", onclick: () => to.dismiss(message.id) }, "Dismiss message")));
  }
  if (message.message_reference) item.append(drawReference(message, to));
  item.append(
    el("div.row", {}, el("div.gutter", { "aria-hidden": "true" }, drawAvatar(author.id, name, author.bot), el("time.hover", {}, formatTime(sent, "t"))), body),
  );
  item.setAttribute("aria-label", `${name}, ${when(sent)}${pinged ? ", pinged" : ""}${edited ? ", edited" : ""}: ${gist(message)}`);
  return item;
}

/** The way into a message's thread; empty if it has none. */
export function drawThread(thread) {
  const slot = el("div.thread-slot");
  if (!thread) return slot;
  const count = `${thread.count} ${thread.count === 1 ? "message" : "messages"}`;
  const button = el(
    "button.thread",
    { type: "button", "data-channel": thread.id, "aria-label": `Thread: ${thread.name}, ${count}${thread.archived ? ", archived" : ""}` },
    el("span.thread-head", {}, el("span", { "aria-hidden": "true" }, "🧵"), el("b", {}, thread.name), el("span.thread-count", {}, `${count} ›`), thread.archived && el("span.archived-mark", {}, "archived")),
    thread.last && el("span.thread-last", {}, thread.last),
  );
  button.classList.toggle("archived", thread.archived);
  slot.append(button);
  return slot;
}

function pingName(id, names) {
  // The simulated Discord lists who was pinged as it was written: <@&role>, <@user>, @everyone.
  const written = /^<@[&!]?(\d+)>$/.exec(id);
  if (written) id = written[1];
  if (id.startsWith("@")) return id;
  const role = names.role(id);
  return `@${role?.name ?? names.user(id)?.name ?? "someone"}`;
}

function when(date) {
  const today = new Date().toDateString() === date.toDateString();
  const yesterday = new Date(Date.now() - 86400000).toDateString() === date.toDateString();
  if (today) return formatTime(date, "t");
  return yesterday ? `Yesterday at ${formatTime(date, "t")}` : formatTime(date, "s");
}

/** A round picture made of a name's initials, its colour from the id. The bot's own is a badge. */
export function drawAvatar(id, name, bot) {
  if (bot) return el("span.avatar.bot", {}, el("span", {}, "10"), el("span", {}, "4"));
  const initials = String(name).split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
  const node = el("span.avatar", {}, initials || "?");
  let hash = 0;
  for (const c of String(id ?? name)) hash = (hash * 31 + c.charCodeAt(0)) % 360;
  node.style.setProperty("--hue", String(hash));
  return node;
}

function drawReference(message, to) {
  const id = message.message_reference.message_id;
  const original = to.find(id) ?? message.referenced_message; // the one in view is newer than what was answered
  const text = original ? gist(original) : "Original message was deleted or is out of sight";
  const name = original?.author?.username;
  return el(
    "button.reference",
    { type: "button", "data-jump": id, "aria-label": `Reply to: ${text}. Jump to it.` },
    el("span.elbow", { "aria-hidden": "true" }),
    name && el("b", {}, name),
    el("span.excerpt", {}, text),
  );
}

// ── embeds ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function drawEmbed(embed, message, names) {
  const node = el("div.embed");
  node.style.setProperty("--bar", cssColor(embed.color) ?? DEFAULT_BAR);
  if (embed.author?.name) node.append(el("p.embed-author", {}, link(embed.author.url ?? "", embed.author.name)));
  if (embed.title) {
    const title = inline(embed.title, names);
    node.append(el("p.embed-title", {}, embed.url ? link(embed.url, title) : title));
  }
  if (embed.description) node.append(el("div.embed-description.md", {}, markdown(embed.description, names)));
  const fields = (embed.fields ?? []).slice(0, MAX_FIELDS);
  if (fields.length) {
    const grid = el("div.fields");
    for (const run of rowsOfThree(fields)) {
      for (const [n, field] of run.entries()) {
        const cell = el("div.field", {}, el("p.field-name", {}, inline(String(field.name ?? ""), names)), el("div.field-value.md", {}, markdown(field.value, names)));
        cell.classList.add(field.inline ? `of-${run.length}` : "whole");
        cell.classList.toggle("second", n === 1);
        grid.append(cell);
      }
    }
    node.append(grid);
  }
  const image = picture(embed.image?.url, message.attachments, "embed-image", embed.title);
  if (image) node.append(image);
  const thumbnail = picture(embed.thumbnail?.url, message.attachments, "embed-thumbnail", "");
  if (thumbnail) node.append(thumbnail);
  const stamp = embed.timestamp ? new Date(embed.timestamp) : null;
  const parts = [embed.footer?.text, stamp && !Number.isNaN(stamp.getTime()) && el("time", { datetime: stamp.toISOString(), title: formatTime(stamp, "F") }, when(stamp))].filter(Boolean);
  if (parts.length) node.append(el("p.footer", {}, parts.map((part, n) => [n ? " • " : "", part])));
  return node;
}

/** Inline fields that follow each other share a row, three at most; any other field has its own. */
function rowsOfThree(fields) {
  const rows = [];
  for (const field of fields) {
    const last = rows.at(-1);
    if (field.inline && last && last.length < 3 && last[0].inline) last.push(field);
    else rows.push([field]);
  }
  return rows;
}

/** An image, if the page may load it: its own origin or data. `attachment://name` stands for an attached file. */
function picture(address, attachments, kind, alt) {
  if (!address) return null;
  const name = address.startsWith("attachment://") ? address.slice("attachment://".length) : null;
  const file = attachments?.find((file) => (name ? file.filename === name : file.url === address));
  const source = file ? here(file.url) : address;
  if (!mayLoad(source)) return null;
  return el(`img.${kind}`, { src: source, alt: file?.description ?? alt ?? "", loading: "lazy" });
}

/** An attached file's address on this very server, which has all files of the simulated Discord. */
function here(address) {
  if (!webAddress(address)) return address;
  const { pathname } = new URL(address);
  return pathname.startsWith("/attachments/") ? pathname : address;
}

function mayLoad(address) {
  if (!address) return false;
  if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(address)) return true;
  return new URL(address, location.href).origin === location.origin;
}

function drawAttachment(file, embeds) {
  const inEmbed = embeds.some(({ image }) => image?.url && [`attachment://${file.filename}`, file.url].includes(image.url));
  const address = here(file.url);
  if (inEmbed && mayLoad(address)) return null;
  if (/\.(png|jpe?g|gif|webp)$/i.test(file.filename ?? "") && mayLoad(address)) {
    return el("img.attached", { src: address, alt: file.description ?? file.filename, loading: "lazy" });
  }
  const icon = /\.(mp3|wav|ogg)$/i.test(file.filename ?? "") ? "🔊" : "📄";
  const name = webAddress(file.url) ? link(new URL(address, location.href).href, file.filename) : el("b", {}, file.filename ?? "file");
  return el("div.file", {}, el("span.file-icon", { "aria-hidden": "true" }, icon), el("div", {}, name, el("p", {}, [size(file.size), file.description].filter(Boolean).join(" · "))));
}

function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

// ── components ──────────────────────────────────────────────────────────────────────────────────────────────────────

const BUTTON_STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger" };

function drawRow(row, message, to) {
  const parts = (row.components ?? []).slice(0, 5).map((part) => {
    if (part.type === 2) return drawButton(part, message, to);
    if ([3, 5, 6, 7, 8].includes(part.type)) return drawSelect(part, message, to);
    return null;
  });
  return parts.some(Boolean) ? el("div.action-row", {}, parts) : null;
}

function drawButton(part, message, to) {
  const emoji = part.emoji && el("span.emoji", { "aria-hidden": "true" }, part.emoji.id ? `:${part.emoji.name}:` : part.emoji.name);
  const label = [emoji, part.label && el("span", {}, part.label)];
  if (part.style === 5) {
    const href = webAddress(part.url ?? "");
    if (href && !part.disabled) return el("a.button.secondary", { href, target: "_blank", rel: "noopener noreferrer" }, label, el("span", { "aria-label": "opens elsewhere" }, "↗"));
    return el("button.button.secondary", { type: "button", disabled: true }, label);
  }
  const button = el(`button.button.${BUTTON_STYLES[part.style] ?? "secondary"}`, { type: "button", disabled: Boolean(part.disabled), "data-custom-id": part.custom_id, "aria-label": part.label ? null : part.emoji?.name }, label);
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    await to.act({ do: "click", channel_id: message.channel_id, message_id: message.id, custom_id: part.custom_id });
    button.removeAttribute("aria-busy");
  });
  return button;
}

/** A select as a listbox that opens in place: a native one would fire at every arrow key. */
function drawSelect(part, message, to) {
  const options = (part.type === 3 ? part.options ?? [] : to.choices(part.type, part.channel_types)).slice(0, 200);
  const most = Math.min(part.max_values ?? 1, options.length);
  const least = part.min_values ?? 1;
  const many = most > 1;
  const preset = new Set((part.default_values ?? []).map((value) => value.id));
  const chosen = new Set(options.filter((option) => option.default || preset.has(option.value)).map((option) => option.value));
  const before = [...chosen].join();
  const listId = `list-${message.id}-${part.custom_id}`;
  const face = el("span.face");
  const list = el("ul.listbox", { role: "listbox", id: listId, tabindex: "-1", hidden: true, "aria-label": part.placeholder ?? "Choose", "aria-multiselectable": many });
  const button = el("button.select", { type: "button", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": listId, disabled: Boolean(part.disabled), "data-custom-id": part.custom_id }, face, el("span.chevron", { "aria-hidden": "true" }, "⌄"));
  const items = options.map((option, n) =>
    el("li", { role: "option", id: `${listId}-${n}`, onclick: () => pick(n) }, el("span.tick", { "aria-hidden": "true" }), option.emoji?.name && el("span", {}, option.emoji.name), el("span.option-text", {}, el("span", {}, option.label), option.description && el("small", {}, option.description))),
  );
  list.append(...(items.length ? items : [el("li.none", {}, "Nothing to choose from")]));
  const done = el("button.button.primary.done", { type: "button", hidden: true, onclick: () => close(true) }, "Done");
  let at = 0;

  const paint = () => {
    items.forEach((item, n) => {
      item.setAttribute("aria-selected", String(chosen.has(options[n].value)));
      item.classList.toggle("at", n === at);
    });
    const labels = options.filter((option) => chosen.has(option.value)).map((option) => option.label);
    face.textContent = labels.join(", ") || part.placeholder || "Make a selection";
    face.classList.toggle("placeholder", !labels.length);
    button.setAttribute("aria-label", `${part.placeholder ?? "Choose"}: ${labels.join(", ") || "nothing chosen"}`);
    if (!list.hidden && items[at]) button.setAttribute("aria-activedescendant", items[at].id);
    done.disabled = chosen.size < least;
  };
  const open = () => {
    list.hidden = false;
    done.hidden = !many;
    at = Math.max(0, options.findIndex((option) => chosen.has(option.value)));
    button.setAttribute("aria-expanded", "true");
    paint();
    list.scrollIntoView({ block: "nearest" });
  };
  const close = async (send) => {
    if (list.hidden) return;
    list.hidden = true;
    done.hidden = true;
    button.setAttribute("aria-expanded", "false");
    button.removeAttribute("aria-activedescendant");
    paint();
    const values = options.map((option) => option.value).filter((value) => chosen.has(value));
    if (!send || values.length < least || values.join() === before) return;
    button.setAttribute("aria-busy", "true");
    await to.act({ do: "select", channel_id: message.channel_id, message_id: message.id, custom_id: part.custom_id, values });
    button.removeAttribute("aria-busy");
  };
  const pick = (n) => {
    const option = options[n];
    if (!option) return;
    at = n;
    if (many) {
      if (!chosen.delete(option.value) && chosen.size < most) chosen.add(option.value);
      paint();
    } else {
      chosen.clear();
      chosen.add(option.value);
      close(true);
    }
  };
  button.addEventListener("click", () => (list.hidden ? open() : close(many)));
  button.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      if (list.hidden) open();
      else at = (at + move + items.length) % Math.max(1, items.length);
      paint();
      items[at]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape" && !list.hidden) close(false);
    else if ((event.key === "Enter" || event.key === " ") && !list.hidden) pick(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  paint();
  return el("div.select-box", { onfocusout: (event) => { if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) close(many); } }, button, list, done);
}
