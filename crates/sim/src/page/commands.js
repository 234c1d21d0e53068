// The composer: finds a slash command by what is typed, asks for its options, and shows the dialogs a bot opens.

import { el } from "./markdown.js";

const TYPE = { sub: 1, group: 2, string: 3, integer: 4, boolean: 5, user: 6, channel: 7, role: 8, mentionable: 9, number: 10 };
const MAX_UPLOAD = 256 * 1024;
const MAX_LISTED = 60;

/** Every command that can be run, sub-commands spelt out: {name, path, title, description, options}. */
export function runnable(commands) {
  const found = [];
  const walk = (command, path, description, options) => {
    const subs = (options ?? []).filter((option) => option.type === TYPE.sub || option.type === TYPE.group);
    if (!subs.length) found.push({ name: command.name, path, title: `/${[command.name, ...path].join(" ")}`, description: description ?? "", options: options ?? [] });
    for (const sub of subs) walk(command, [...path, sub.name], sub.description, sub.options);
  };
  for (const command of commands ?? []) {
    if ((command.type ?? 1) === 1) walk(command, [], command.description, command.options);
  }
  return found;
}

/** Commands that fit what was typed: every word must begin a word of the title or of the description. */
export function matching(list, typed) {
  const words = typed.replace(/^\//, "").toLowerCase().split(/\s+/).filter(Boolean);
  const score = ({ title, description }) => {
    const parts = title.slice(1).toLowerCase().split(/[\s-]/);
    let sum = 0;
    for (const word of words) {
      if (parts[0].startsWith(word)) sum += 3;
      else if (parts.some((part) => part.startsWith(word))) sum += 2;
      else if (` ${description.toLowerCase()}`.includes(` ${word}`)) sum += 1;
      else return -1;
    }
    return sum;
  };
  return list.map((item) => [score(item), item]).filter(([n]) => n >= 0).sort((a, b) => b[0] - a[0]).map(([, item]) => item).slice(0, MAX_LISTED);
}

/**
 * Wires the composer. `to.commands()`, `to.users()`, `to.roles()`, `to.channels()` give what stands in the snapshot,
 * `to.channel()` the channel in view, `to.act(action)` sends and resolves to the answer or null, `to.say(text)` shows the person a text.
 */
export function composer(root, to) {
  const input = root.querySelector("#say");
  const palette = root.querySelector("#palette");
  const sheet = root.querySelector("#command-form");
  let shown = [];
  let at = 0;

  const hide = () => {
    palette.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const move = (to_) => {
    at = (to_ + shown.length) % Math.max(1, shown.length);
    [...palette.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
    const item = palette.children[at];
    if (!shown.length || !item) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  };
  const list = () => {
    if (!input.value.startsWith("/")) return hide();
    shown = matching(runnable(to.commands()), input.value);
    palette.replaceChildren(
      ...shown.map((item, n) => {
        const needs = item.options.filter((option) => option.required).map((option) => el("span.needs", {}, option.name));
        return el("li", { role: "option", id: `command-${n}`, "aria-selected": "false", onmousedown: (event) => event.preventDefault(), onclick: () => ask(item) }, el("span.command-title", {}, item.title, needs), el("span.command-about", {}, item.description));
      }),
    );
    if (!shown.length) palette.append(el("li.none", {}, runnable(to.commands()).length ? "No command fits." : "The bot has registered no commands yet."));
    palette.hidden = false;
    input.setAttribute("aria-expanded", "true");
    move(0);
  };

  const leave = () => {
    sheet.hidden = true;
    sheet.replaceChildren();
    input.hidden = false;
    root.classList.remove("asking");
    input.value = "";
    hide();
    input.focus();
  };

  function ask(command) {
    hide();
    if (!command.options.length) {
      run(command, {});
      input.value = "";
      return;
    }
    const fields = command.options.map((option) => field(option, command));
    const must = fields.filter((item) => item.option.required);
    const may = fields.filter((item) => !item.option.required);
    const rest = el("div.options", { hidden: must.length > 0 }, may.map((item) => item.node));
    const more = el("button.plain", { type: "button", "aria-expanded": String(!must.length), hidden: !may.length || !must.length }, `+ ${may.length} optional`);
    more.addEventListener("click", () => {
      rest.hidden = !rest.hidden;
      more.setAttribute("aria-expanded", String(!rest.hidden));
      if (!rest.hidden) may[0].control.focus();
    });
    sheet.replaceChildren(
      el("div.sheet-head", {}, el("b", { id: "sheet-title" }, command.title), el("span", {}, command.description)),
      el("div.options", {}, must.map((item) => item.node)),
      rest,
      el("div.sheet-foot", {}, more, el("span.spring"), el("button.button.secondary", { type: "button", onclick: leave }, "Cancel"), el("button.button.primary", { type: "submit" }, "Run")),
    );
    sheet.onsubmit = (event) => {
      event.preventDefault();
      run(command, collect(fields));
      leave();
    };
    sheet.hidden = false;
    input.hidden = true;
    root.classList.add("asking");
    (must[0] ?? may[0]).control.focus();
  }

  function run(command, options) {
    to.act({ do: "slash", channel_id: to.channel(), name: command.name, path: command.path, options });
  }

  const collect = (fields) => Object.fromEntries(fields.map((item) => [item.option.name, item.value()]).filter(([, value]) => value !== undefined));

  function field(option, command) {
    const id = `option-${option.name}`;
    const about = el("small", { id: `${id}-about` }, option.description ?? "");
    const attributes = { id, name: option.name, required: Boolean(option.required), "aria-describedby": about.id, autocomplete: "off" };
    const item = { option, node: null, control: null, value: () => item.control.value || undefined };
    const choose = (choices, convert = (value) => value) => {
      item.control = el("select", attributes, el("option", { value: "" }, option.required ? "Choose…" : "–"), choices.map(([label, value]) => el("option", { value: String(value) }, label)));
      item.value = () => (item.control.value === "" ? undefined : convert(item.control.value));
    };
    const numeric = option.type === TYPE.integer || option.type === TYPE.number;
    if (option.choices?.length) choose(option.choices.map((choice) => [choice.name, choice.value]), numeric ? Number : undefined);
    else if (option.type === TYPE.boolean) choose([["Yes", true], ["No", false]], (value) => value === "true");
    else if (option.type === TYPE.channel) choose(to.channels(option.channel_types).map((c) => [`#${c.name}`, c.id]));
    else if (option.type === TYPE.role) choose(to.roles().map((r) => [`@${r.name}`, r.id]));
    else if (option.type === TYPE.user) choose(to.users().map((u) => [`@${u.name}`, u.id]));
    else if (option.type === TYPE.mentionable) choose([...to.roles(), ...to.users()].map((m) => [`@${m.name}`, m.id]));
    else if (numeric) {
      item.control = el("input", { ...attributes, type: "number", min: option.min_value, max: option.max_value, step: option.type === TYPE.integer ? "1" : "any" });
      item.value = () => (item.control.value === "" ? undefined : Number(item.control.value));
    } else if (option.type === TYPE.string) {
      item.control = el("input", { ...attributes, type: "text", minlength: option.min_length, maxlength: Math.min(option.max_length ?? 6000, 6000) });
    } else {
      // An attachment, read when it is chosen: what is sent must be at hand.
      let upload;
      item.control = el("input", { ...attributes, type: "file", onchange: async () => {
        const [file] = item.control.files;
        upload = undefined;
        const large = file && file.size > MAX_UPLOAD;
        item.control.setCustomValidity(large ? "The demo takes files up to 256 KiB." : "");
        if (!file || large) return;
        item.control.setCustomValidity("The file is still being read.");
        const bytes = new Uint8Array(await file.arrayBuffer());
        if (item.control.files[0] !== file) return;
        item.control.setCustomValidity("");
        const name = file.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(-100);
        upload = { name, base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
      } });
      item.value = () => upload;
    }
    const box = el("div.control", {}, item.control);
    item.node = el("div.option", {}, el("label", { for: id }, option.name, Boolean(option.required) && el("span.must", { title: "required" }, " *")), box, about);
    if (option.autocomplete) suggest(item, box, command);
    return item;
  }

  /** A list under a text field that the bot fills. What is shown is a choice's name, what is sent its value. */
  function suggest(item, box, command) {
    const control = item.control;
    const listId = `${control.id}-list`;
    const choices = el("ul.listbox", { role: "listbox", id: listId, hidden: true, "aria-label": item.option.name });
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", listId], ["aria-expanded", "false"]]) control.setAttribute(name, value);
    box.append(choices);
    let picked = null;
    let offered = [];
    let chosen = -1;
    let turn = 0;
    let timer = 0;
    const numeric = item.option.type !== TYPE.string;
    item.value = () => {
      const value = picked && picked.name === control.value ? picked.value : control.value;
      if (value === "") return undefined;
      return numeric ? Number(value) : value;
    };
    const shut = () => {
      turn += 1;
      choices.hidden = true;
      control.setAttribute("aria-expanded", "false");
      control.removeAttribute("aria-activedescendant");
    };
    const mark = (n) => {
      chosen = n;
      [...choices.children].forEach((node, k) => node.setAttribute("aria-selected", String(k === n)));
      const node = choices.children[n];
      if (!node) return control.removeAttribute("aria-activedescendant");
      control.setAttribute("aria-activedescendant", node.id);
      node.scrollIntoView({ block: "nearest" });
    };
    const take = (choice) => {
      picked = choice;
      control.value = choice.name;
      shut();
    };
    const fetchChoices = async () => {
      const mine = (turn += 1);
      const options = collectOpen();
      options[item.option.name] = control.value;
      const answer = await to.act({ do: "autocomplete", channel_id: to.channel(), name: command.name, path: command.path, options, focused: item.option.name }, true);
      if (mine !== turn || document.activeElement !== control) return;
      offered = (answer?.choices ?? []).slice(0, 25);
      choices.replaceChildren(...offered.map((choice, n) => el("li", { role: "option", id: `${listId}-${n}`, onmousedown: (event) => event.preventDefault(), onclick: () => take(choice) }, choice.name)));
      if (!offered.length) choices.append(el("li.none", {}, "Nothing to suggest"));
      choices.hidden = false;
      control.setAttribute("aria-expanded", "true");
      mark(offered.length ? 0 : -1);
    };
    const collectOpen = () => {
      const values = {};
      for (const node of sheet.querySelectorAll("input, select")) if (node.value && node !== control) values[node.name] = node.value;
      return values;
    };
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(fetchChoices, 120);
    };
    control.addEventListener("input", soon);
    control.addEventListener("focus", soon);
    control.addEventListener("blur", () => { clearTimeout(timer); shut(); });
    control.addEventListener("keydown", (event) => {
      if (choices.hidden) {
        if (event.key === "ArrowDown") { fetchChoices(); event.preventDefault(); }
        return;
      }
      if (event.key === "ArrowDown" || event.key === "ArrowUp") mark((chosen + (event.key === "ArrowDown" ? 1 : -1) + offered.length) % Math.max(1, offered.length));
      else if ((event.key === "Enter" || event.key === "Tab") && offered[chosen]) {
        take(offered[chosen]);
        if (event.key === "Tab") return;
      } else if (event.key === "Escape") shut();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  input.addEventListener("input", list);
  input.addEventListener("blur", hide);
  input.addEventListener("focus", list);
  input.addEventListener("keydown", (event) => {
    const open = !palette.hidden;
    if (open && event.key === "ArrowDown") move(at + 1);
    else if (open && event.key === "ArrowUp") move(at - 1);
    else if (open && (event.key === "Enter" || event.key === "Tab") && shown[at]) ask(shown[at]);
    else if (open && event.key === "Escape") hide();
    else if (event.key === "Enter") {
      if (input.value.trim()) to.say("Only commands do something here: type / to see them.");
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  sheet.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    leave();
  });
  return { focus: (text) => { if (!sheet.hidden) return; input.focus(); if (text && !input.value) { input.value = text; list(); } }, refresh: () => { if (!palette.hidden) list(); } };
}

/** Shows a modal as a dialog. `send(fields)` resolves to the answer, or to null if it was refused: then it stays open. */
export function openModal(modal, send) {
  const inputs = (modal.components ?? []).flatMap((row) => (row.component ? [{ ...row.component, label: row.label ?? row.component.label }] : row.components ?? [])).filter((part) => part.type === 4).slice(0, 5);
  const back = document.activeElement;
  const fields = inputs.map((part, n) => {
    const attributes = { id: `modal-${n}`, placeholder: part.placeholder, required: part.required !== false, minlength: part.min_length, maxlength: Math.min(part.max_length ?? 4000, 4000), autocomplete: "off" };
    const control = part.style === 2 ? el("textarea", { ...attributes, rows: "4" }) : el("input", { ...attributes, type: "text" });
    control.value = part.value ?? "";
    return { id: part.custom_id, control, node: el("div.modal-field", {}, el("label", { for: `modal-${n}` }, part.label ?? part.custom_id, part.required !== false && el("span.must", { title: "required" }, " *")), control) };
  });
  const submit = el("button.button.primary", { type: "submit" }, "Submit");
  const form = el("form", { method: "dialog" }, el("h2", { id: "modal-title" }, modal.title ?? ""), fields.map((field) => field.node), el("div.modal-foot", {}, el("button.button.secondary", { type: "button", onclick: () => dialog.close() }, "Cancel"), submit));
  const dialog = el("dialog.modal", { "aria-labelledby": "modal-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const answer = await send(Object.fromEntries(fields.map((field) => [field.id, field.control.value])));
    submit.disabled = false;
    if (answer) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    back?.focus?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  (fields[0]?.control ?? submit).focus();
}
