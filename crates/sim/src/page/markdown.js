// Discord's markdown as DOM nodes. Text from outside only ever becomes text nodes: no markup is parsed from it.
//
// `names` resolves mentions and addresses of messages: {user(id), role(id), channel(id)} each → {name, color?} or undefined.

const MAX_DEPTH = 12;
const MAX_LENGTH = 8192;

/** An element: `el("p.note", {title: "x"}, child, "text")`. Attributes that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? (key.startsWith("aria-") ? "true" : "") : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** `0xRRGGBB` as CSS, or null for "no colour". */
export function cssColor(number) {
  return Number.isInteger(number) && number > 0 && number <= 0xffffff ? `#${number.toString(16).padStart(6, "0")}` : null;
}

/** The address if it is one that may stand in a link, else null. */
export function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** A link that sends its target no referrer and opens in another tab; plain text if the address is none. */
export function link(address, ...children) {
  const href = webAddress(address);
  if (!href) return el("span", {}, ...children);
  return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href }, ...children);
}

const PLACE = /^\/channels\/\d{1,20}\/(\d{1,20})(?:\/(\d{1,20}))?\/?$/;

/** As `link`; but the address of a message or channel that this page shows leads there. */
function anchor(address, names, label) {
  const href = webAddress(address);
  const url = href && new URL(href);
  const place = url && /^((ptb|canary)\.)?discord\.com$/.test(url.hostname) ? PLACE.exec(url.pathname) : null;
  const home = place && names.channel(place[1]);
  if (!home) return link(address, label ?? address);
  return el("a.jump", { href: `#${place[1]}`, "data-channel": place[1], "data-jump": place[2], title: `Go to ${home.name}` }, label ?? `#${home.name} › 💬`);
}

// ── timestamps ──────────────────────────────────────────────────────────────────────────────────────────────────────

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** `date` in one of Discord's timestamp styles, in the reader's own zone. */
export function formatTime(date, style) {
  return new Intl.DateTimeFormat(undefined, STYLES[style] ?? STYLES.f).format(date);
}

function relative(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return RELATIVE.format(Math.trunc(seconds / size), unit);
}

function timestamp(unix, style) {
  const date = new Date(Number(unix) * 1000);
  if (Number.isNaN(date.getTime())) return null;
  const text = style === "R" ? relative(date) : formatTime(date, style);
  return el("time.stamp", { datetime: date.toISOString(), title: formatTime(date, "F"), "data-style": style }, text);
}

/** Brings every "2 minutes ago" under `root` up to date. */
export function refreshRelative(root) {
  for (const node of root.querySelectorAll('time[data-style="R"]')) {
    const text = relative(new Date(node.dateTime));
    if (node.textContent !== text) node.textContent = text;
  }
}

// ── inline ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const ANGLE = [
  [/<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, (m) => timestamp(m[1], m[2] ?? "f")],
  [/<@!?(\d{1,20})>/y, (m, names) => mention("@", names.user(m[1])?.name ?? "unknown-user")],
  [/<@&(\d{1,20})>/y, (m, names) => mention("@", names.role(m[1])?.name ?? "unknown-role", names.role(m[1])?.color)],
  [/<#(\d{1,20})>/y, (m, names) => mention("#", names.channel(m[1])?.name ?? "unknown", null, m[1])],
  [/<\/([^:>\n]{1,100}):\d{1,20}>/y, (m) => mention("/", m[1])],
  [/<a?:(\w{2,32}):\d{1,20}>/y, (m) => document.createTextNode(`:${m[1]}:`)],
  [/<(https?:\/\/[^\s>]{1,2048})>/y, (m, names) => anchor(m[1], names)],
];
const MASKED = /\[([^[\]\n]{1,512})\]\(<?(https?:\/\/[^\s)>]{1,2048})>?\)/y;
const BARE = /https?:\/\/[^\s<>]{1,2048}/y;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
// Longest first: `***` is bold around italic, `__` is not two times `_`.
const SPANS = [["***", "strong", "em"], ["**", "strong"], ["__", "u"], ["~~", "s"], ["||", "span.spoiler"], ["*", "em"], ["_", "em"]];

function mention(sign, name, color, channel) {
  const node = el(channel ? "button.mention" : "span.mention", channel ? { type: "button", "data-channel": channel } : {}, sign + name);
  const css = cssColor(color);
  if (css) node.style.setProperty("--role", css);
  return node;
}

function sticky(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** Where `mark` next closes, skipping escapes and code; -1 if it never does. */
function closing(text, from, mark) {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "`") {
      const end = text.indexOf("`", i + 1);
      if (end > 0) i = end;
    } else if (text.startsWith(mark, i)) {
      const run = mark.length === 1 && text[i + 1] === mark;
      if (run) i += 1; // part of a double mark
      else if (i > from && !(mark === "_" && /\w/.test(text[i + 1] ?? ""))) return i;
    }
  }
  return -1;
}

/** One line or paragraph of text. */
export function inline(text, names, depth = 0) {
  const out = document.createDocumentFragment();
  const hopeless = new Set(); // marks known not to close any more: keeps hostile text linear
  let plain = "";
  let i = 0;
  const put = (node, length) => {
    if (plain) out.append(plain);
    plain = "";
    out.append(node);
    i += length;
  };
  scan: while (i < text.length) {
    const c = text[i];
    if (c === "\\" && PUNCTUATION.test(text[i + 1] ?? "")) {
      plain += text[i + 1];
      i += 2;
      continue;
    }
    if (c === "`" && !hopeless.has("`")) {
      const ticks = text.startsWith("``", i) ? "``" : "`";
      const end = text.indexOf(ticks, i + ticks.length);
      if (end > i + ticks.length - 1 && end !== i + ticks.length) {
        put(el("code", {}, text.slice(i + ticks.length, end)), end + ticks.length - i);
        continue;
      }
      if (end < 0 && ticks === "`") hopeless.add("`");
    }
    if (c === "<") {
      for (const [pattern, build] of ANGLE) {
        const match = sticky(pattern, text, i);
        const node = match && build(match, names);
        if (node) {
          put(node, match[0].length);
          continue scan;
        }
      }
    }
    if (c === "[") {
      const match = sticky(MASKED, text, i);
      if (match) {
        put(anchor(match[2], names, inline(match[1], names, MAX_DEPTH)), match[0].length);
        continue;
      }
    }
    if (c === "h" && !/\w/.test(text[i - 1] ?? "")) {
      const match = sticky(BARE, text, i);
      if (match) {
        const address = match[0].replace(/[.,;:!?)'"\]]+$/, "");
        put(anchor(address, names), address.length);
        continue;
      }
    }
    if (depth < MAX_DEPTH && "*_~|".includes(c)) {
      for (const [mark, ...tags] of SPANS) {
        if (!text.startsWith(mark, i) || hopeless.has(mark)) continue;
        if (mark === "_" && /\w/.test(text[i - 1] ?? "")) continue;
        if (mark === "*" && /\s/.test(text[i + 1] ?? " ")) continue;
        const end = closing(text, i + mark.length, mark);
        if (end < 0) {
          hopeless.add(mark);
          continue;
        }
        const inside = inline(text.slice(i + mark.length, end), names, depth + 1);
        const node = tags.reduceRight((child, tag) => el(tag, {}, child), inside);
        put(node, end + mark.length - i);
        continue scan;
      }
    }
    plain += c;
    i += 1;
  }
  if (plain) out.append(plain);
  return out;
}

// ── blocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const FENCE = /```(?:([\w+-]{1,20})\n)?\n?([\s\S]+?)\n?```/g;

/** A whole message, description or field value. */
export function markdown(source, names) {
  const text = String(source ?? "").slice(0, MAX_LENGTH);
  const out = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    if (escaped(text, match.index)) continue;
    lines(text.slice(from, match.index).replace(/\n$/, ""), names, out);
    out.append(el("pre", { tabindex: "0" }, el("code", {}, match[2])));
    from = match.index + match[0].length;
    if (text[from] === "\n") from += 1;
  }
  lines(text.slice(from), names, out);
  return out;
}

function escaped(text, at) {
  let slashes = 0;
  while (text[at - 1 - slashes] === "\\") slashes += 1;
  return slashes % 2 === 1;
}

function lines(text, names, out, quoted = false) {
  if (!text) return;
  let paragraph = [];
  let quote = [];
  let list = null;
  const flush = () => {
    if (paragraph.length) out.append(el("p", {}, inline(paragraph.join("\n"), names)));
    paragraph = [];
    if (quote.length) {
      const block = el("blockquote");
      lines(quote.join("\n"), names, block, true);
      out.append(block);
    }
    quote = [];
    list = null;
  };
  const all = text.split("\n");
  for (let n = 0; n < all.length; n += 1) {
    const line = all[n];
    let match;
    if (!quoted && (match = /^>>> ?(.*)$/.exec(line))) {
      flush();
      quote = [match[1], ...all.slice(n + 1)];
      break;
    } else if (!quoted && (match = /^> (.*)$/.exec(line))) {
      if (!quote.length) flush();
      quote.push(match[1]);
    } else if ((match = /^(#{1,3}) +(\S.*)$/.exec(line))) {
      flush();
      // Not a heading element: a message's size of type is no part of the page's outline.
      out.append(el(`p.h${match[1].length}`, {}, inline(match[2], names)));
    } else if ((match = /^-# +(\S.*)$/.exec(line))) {
      flush();
      out.append(el("p.subtext", {}, inline(match[1], names)));
    } else if ((match = /^( {0,12})([-*]|\d{1,9}\.) +(\S.*)$/.exec(line))) {
      const tag = /\d/.test(match[2]) ? "ol" : "ul";
      if (!list || list.localName !== tag) {
        flush();
        list = el(tag, tag === "ol" ? { start: parseInt(match[2], 10) } : {});
        out.append(list);
      }
      list.append(el(match[1].length > 1 ? "li.nested" : "li", {}, inline(match[3], names)));
    } else {
      if (quote.length || list) flush();
      paragraph.push(line);
    }
  }
  flush();
}
