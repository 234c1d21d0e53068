// The demo's page in a real browser, against a running server.
//
//   URL=http://127.0.0.1:8104/ node page.mjs
//
// CHROMIUM         the browser's path (default /usr/bin/chromium)
// SCREENSHOT       where to save a picture of the page as it opens; SCREENSHOT_SIZE (1280x800), SCREENSHOT_AT (#all, #<id of a channel>),
//                  SCREENSHOT_SCHEME (dark, light)
// ONLY_SCREENSHOT  stop after that picture
// QUIET=1          the server is `tenfour demo --quiet`, where nothing happens but what is fired: check what the demo's bot does, and
//                  leave out what holds for any backend
//
// Without QUIET, checks that hold for any backend run; so do those that need the messages of tests/it/page.rs, if it is the backend.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const url = process.env.URL;
if (!url) {
  console.error("Set URL to the page's address, such as http://127.0.0.1:8104/");
  process.exit(2);
}
const origin = new URL(url).origin;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Chromium's sandbox refuses to run as root, which is what containers run as.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
const PATIENCE = 30; // seconds: nothing waits for so long unless something is broken, or the machine very busy
const quiet = process.env.QUIET === "1";
const state = await (await fetch(`${origin}/state`)).json();
const canned = state.fire.some(({ name }) => name === "hostile");
const channel = (name) => state.channels.find((one) => one.name === name).id;

const foreign = [];
const errors = [];
const posted = [];
let expected = 0; // refusals that a check provokes: the browser logs each as a console error

async function openPage({ width = 1280, height = 800, hash = "", ...options } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: "dark", ...options });
  page.setDefaultTimeout(PATIENCE * 1000);
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("data:")) foreign.push(request.url());
    if (request.method() === "POST") posted.push(request.postDataJSON());
  });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`${url}${hash}`);
  await page.locator('#link[data-state="live"]').waitFor();
  return page;
}

async function check(name, run) {
  try {
    await run();
    console.log(`ok    ${name}`);
  } catch (error) {
    console.log(`FAIL  ${name}\n${error.stack ?? error}`);
    process.exitCode = 1;
  }
}

const fire = (page, name) => page.locator(`[data-fire="${name}"]`).click();
const actions = (kind) => posted.filter((action) => action.do === kind);
const eventually = async (what, probe, seconds = PATIENCE) => {
  const end = Date.now() + seconds * 1000;
  while (!(await probe())) {
    assert.ok(Date.now() < end, `${what} did not come in time`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
};

if (process.env.SCREENSHOT) {
  const [width, height] = (process.env.SCREENSHOT_SIZE ?? "1280x800").split("x").map(Number);
  const page = await openPage({ width, height, hash: process.env.SCREENSHOT_AT ?? "", deviceScaleFactor: width < 500 ? 2 : 1, colorScheme: process.env.SCREENSHOT_SCHEME ?? "dark" });
  await page.locator(".message").first().waitFor();
  await page.screenshot({ path: process.env.SCREENSHOT, animations: "disabled" });
  await page.close();
  if (process.env.ONLY_SCREENSHOT) {
    await browser.close();
    process.exit();
  }
}

const page = await openPage({ hash: canned ? `#${channel("911-calls")}` : "" });

await check("the channels of the snapshot are listed, one is current", async () => {
  const texts = state.channels.filter(({ type }) => ![2, 4, 10, 11, 12].includes(type));
  assert.equal(await page.locator("#channels .channel:not(.is-thread)").count(), texts.length);
  assert.equal(await page.locator('#channels [aria-current="page"]').count(), 1);
});

await check("every fired event has its button", async () => {
  assert.deepEqual(await page.locator(".fire").allTextContents(), state.fire.map(({ label }) => label));
});

if (canned) {
  const card = page.locator('[data-id="900000000000000003"]');

  await check("an embed shows its bar, title, text, fields in threes, footer and buttons", async () => {
    const embed = card.locator(".embed");
    assert.equal(await embed.locator(".embed-title").textContent(), "🚨 911 · Shots fired near Alta St");
    assert.equal(await embed.evaluate((node) => getComputedStyle(node, "::before").backgroundColor), "rgb(231, 76, 60)");
    assert.equal(await embed.locator(".embed-description strong").textContent(), "three or four shots");
    assert.deepEqual(await embed.locator(".field-name").allTextContents(), ["Location", "Postal", "Caller", "Timeline"]);
    const tops = await embed.locator(".field").evaluateAll((nodes) => nodes.map((node) => Math.round(node.getBoundingClientRect().top)));
    assert.ok(tops[0] === tops[1] && tops[1] === tops[2] && tops[3] > tops[2], `${tops}`);
    assert.match(await embed.locator(".footer").textContent(), /^Server 1 · 911 #84 • .*\d/);
    assert.equal(await embed.locator("time.stamp").count(), 2);
    assert.equal(await card.locator(".button").count(), 4);
    assert.equal(await card.locator(".app").textContent(), "APP");
    assert.equal(await card.locator(".mention").first().textContent(), "@Dispatch");
  });

  await check("what pinged is marked, what did not is not", async () => {
    assert.ok(await card.evaluate((node) => node.classList.contains("pinged") && getComputedStyle(node).borderLeftColor === "rgb(245, 184, 61)"));
    assert.equal(await card.locator(".ping-note").textContent(), "pinged @Dispatch");
    assert.equal(await page.locator('[data-id="900000000000000002"].pinged').count(), 0);
  });

  await check("an edit appears without a reload, is lit for a moment and marked", async () => {
    await page.evaluate(() => { window.stayed = true; });
    await fire(page, "edit");
    await card.locator("text=A-22 responding").waitFor();
    assert.ok(await card.evaluate((node) => node.classList.contains("edited-now")));
    assert.equal(await card.locator(".edited").textContent(), "(edited)");
    assert.equal(await page.locator("#said").textContent(), "A-22 responds.");
    assert.ok(await page.evaluate(() => window.stayed));
    await eventually("the end of the highlight", () => card.evaluate((node) => !node.classList.contains("edited-now")));
  });

  await check("a new message appears in view and is announced", async () => {
    const before = await page.locator(".message").count();
    await fire(page, "911");
    await eventually("the new card", async () => (await page.locator(".message").count()) === before + 1);
    await eventually("the announcement", async () => (await page.locator("#announce").textContent()) === "#911-calls: 🚨 911 · Shots fired near Alta St");
    const { bottom, end } = await page.evaluate(() => ({ bottom: document.querySelector(".messages").getBoundingClientRect().bottom, end: document.querySelector(".message:last-child").getBoundingClientRect().bottom }));
    assert.ok(end <= bottom + 1, "the newest message is scrolled into view");
  });

  await check("a ping elsewhere counts at its channel and in the title, until it is read", async () => {
    await fire(page, "panic");
    const panic = page.locator(`#channels [data-channel="${channel("panic")}"]`);
    await panic.locator(".badge").waitFor();
    assert.equal(await panic.locator(".badge").textContent(), "1");
    assert.match(await page.title(), /^\(1\) /);
    await panic.click();
    await page.locator("text=🆘 PANIC · A-22 Ines Falk").first().waitFor();
    assert.equal(await page.locator(".badge").count(), 0);
    assert.equal(await page.locator(".silent").textContent(), "@silent");
    await page.locator(".reference").click();
    await page.locator('[data-id="900000000000000040"].shown').waitFor();
    await page.locator(`#channels [data-channel="${channel("911-calls")}"]`).click();
  });

  await check("a button press is sent, its private answer shown and dismissed", async () => {
    await card.getByRole("button", { name: "Respond" }).click();
    const answer = page.locator(".message.ephemeral");
    await answer.waitFor();
    assert.match(await answer.textContent(), /You are attached to the call as A-10.*Only you can see this/);
    assert.deepEqual(actions("click"), [{ do: "click", channel_id: channel("911-calls"), message_id: "900000000000000003", custom_id: "911:respond:84:v1" }]);
    await answer.locator("text=Dismiss message").click();
    assert.equal(await answer.count(), 0);
  });

  await check("a refusal is one sentence on the page", async () => {
    expected += 1;
    await card.getByRole("button", { name: "More…" }).click();
    await page.locator("#notice:not([hidden])").waitFor();
    assert.equal(await page.locator("#notice").textContent(), "Call #84 is over; nothing more can be done with it.");
  });

  await check("a slash command is found, filled in and run by keyboard alone", async () => {
    await page.evaluate(() => document.activeElement?.blur());
    const keys = page.keyboard;
    await keys.press("/");
    await keys.type("al");
    await page.locator("#palette li").first().waitFor();
    assert.deepEqual(await page.locator("#palette .command-title").evaluateAll((nodes) => nodes.map((node) => node.firstChild.textContent)), ["/alerts add", "/alerts list", "/alerts remove", "/alerts escalate"]);
    await keys.press("ArrowDown");
    assert.equal(await page.locator('#palette [aria-selected="true"] .command-title').textContent(), "/alerts list");
    assert.equal(await page.locator("#say").getAttribute("aria-activedescendant"), "command-1");
    await keys.press("ArrowUp");
    await keys.press("Enter");
    await page.locator("#option-event").waitFor();
    await keys.type("911");
    await keys.press("Tab");
    await keys.type("#dispatch");
    for (let n = 0; n < 3; n += 1) await keys.press("Tab"); // past "+ 2 optional" and Cancel
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Run");
    await keys.press("Enter");
    await page.locator(".message.ephemeral").waitFor();
    assert.deepEqual(actions("slash").at(-1), { do: "slash", channel_id: channel("911-calls"), name: "alerts", path: ["add"], options: { event: "911", channel: channel("dispatch") } });
    assert.equal(await page.evaluate(() => document.activeElement.id), "say");
    assert.equal(await page.locator(".message.ephemeral .mention").last().textContent(), "@Dispatch");
  });

  await check("a required option is asked for, Escape leaves the form", async () => {
    const before = actions("slash").length;
    await page.fill("#say", "/alerts escalate");
    await page.keyboard.press("Enter");
    await page.locator("#option-minutes").fill("99");
    await page.locator('#command-form button[type="submit"]').click();
    assert.equal(await page.locator("#command-form :invalid").count(), 3, "route, minutes above 60, and role");
    assert.equal(actions("slash").length, before);
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#command-form").isHidden());
    assert.equal(await page.evaluate(() => document.activeElement.id), "say");
  });

  await check("suggestions come from the bot, the value is sent, not its label", async () => {
    await page.fill("#say", "/alerts remove");
    await page.keyboard.press("Enter");
    await page.locator("#option-route-list li").nth(1).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await page.inputValue("#option-route"), "dispatch → #dispatch");
    await page.keyboard.press("Enter");
    await eventually("the command", () => actions("slash").at(-1).path[0] === "remove");
    assert.deepEqual(actions("slash").at(-1).options, { route: "r-2" });
    assert.equal(actions("autocomplete").at(-1).focused, "route");
  });

  await check("a dialog opens, holds the focus, is sent by keyboard", async () => {
    await page.fill("#say", "/911");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Place a 911 call" });
    await dialog.waitFor();
    await page.keyboard.type("Alta St");
    await page.keyboard.press("Tab");
    await page.keyboard.type("A fire on the roof");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    const sent = actions("modal").at(-1);
    assert.deepEqual([sent.custom_id, sent.fields], ["911:new", { where: "Alta St", what: "A fire on the roof" }]);
    assert.match(sent.interaction_id, /^7\d+$/);
  });

  await check("hostile text stays text", async () => {
    await fire(page, "hostile");
    const hostile = page.locator(".message", { hasText: "<script>" }).last();
    await hostile.waitFor();
    assert.equal(await hostile.locator("script, img, b, iframe").count(), 0);
    assert.equal(await hostile.locator('a[href^="javascript"]').count(), 0);
    assert.equal(await hostile.locator(".ping-note").count(), 0);
    assert.ok((await hostile.locator(".embed-title").textContent()).includes("<img src=x onerror="));
    assert.doesNotMatch(await page.title(), /owned/);
  });

  await check("selects work by keyboard, one value and several", async () => {
    await page.locator(`#channels [data-channel="${channel("bot-setup")}"]`).click();
    await page.locator('[data-custom-id="setup:channel"]').focus();
    for (const key of ["Enter", "ArrowDown", "Enter"]) await page.keyboard.press(key);
    await eventually("the channel", () => actions("select").length === 1);
    assert.deepEqual(actions("select")[0].values, [channel("dispatch")]);
    await page.locator('[data-custom-id="setup:preset"]').focus();
    for (const key of ["Enter", "Space", "ArrowDown", "Space", "Tab", "Enter"]) await page.keyboard.press(key);
    await eventually("the presets", () => actions("select").length === 2);
    assert.deepEqual(actions("select")[1].values, ["essentials", "duty"]);
    const guide = page.locator('a:has-text("Read the guide")');
    assert.equal(await guide.getAttribute("rel"), "noopener noreferrer");
  });

  const go = (name) => page.locator(`#channels [data-channel="${channel(name)}"]`).click();
  const side = (id) => page.locator(`#channels [data-channel="${id}"]`);

  await check("threads stand below their channel, archived ones are marked", async () => {
    const names = await page.locator("#channels .channel").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("aria-label")));
    const at = names.findIndex((name) => name.startsWith("#dispatch"));
    assert.match(names[at + 1], /^Thread P2 · 211 Armed Robbery/);
    const posts = names.slice(names.findIndex((name) => name.startsWith("#case-files")) + 1);
    assert.match(posts[0], /^Thread P1 · 211 Armed Robbery$/);
    assert.match(posts[1], /^Thread P3 · 10-50 Traffic accident, archived$/);
  });

  await check("a card's thread opens with the card itself, follows it live, and leads back", async () => {
    await go("dispatch");
    const card = page.locator('[data-id="900000000000000021"]');
    const button = card.locator("button.thread");
    assert.match(await button.textContent(), /P2 · 211 Armed Robbery2 messages ›📝 Note on Call #501: Perimeter set\.$/);
    await fire(page, "note");
    await eventually("the third message", async () => /3 messages/.test(await button.textContent()));
    assert.match(await side("900000000000000021").getAttribute("aria-label"), /unread$/);
    await button.click();
    const titles = page.locator(".message .embed-title");
    await eventually("the thread", async () => (await titles.count()) === 3);
    assert.match((await titles.allTextContents()).join(), /^🚔 P1 · 211 Armed Robbery · Legion Square,📝 Note.*,📝 Note/);
    assert.equal(await page.locator("button.thread").count(), 0, "the card in its thread does not lead to it");
    await fire(page, "archive");
    await eventually("the mark", async () => /^Archived/.test(await page.locator("#topic").textContent()));
    assert.match(await side("900000000000000021").getAttribute("aria-label"), /archived$/);
    await page.locator("#crumb").click();
    assert.equal(await button.locator(".archived-mark").textContent(), "archived");
    assert.ok(await page.locator("#crumb").isHidden());
  });

  await check("a forum is the list of its posts; each opens, one that is deleted goes", async () => {
    await go("case-files");
    const titles = page.locator(".post-title");
    assert.deepEqual(await titles.allTextContents(), ["🚔 P1 · 211 Armed Robbery", "⬛ Closed · 10-50 Traffic accidentarchived"]);
    assert.deepEqual(await page.locator(".post-foot").evaluateAll((nodes) => nodes.map((node) => node.textContent.split(" ·")[0])), ["💬 1", "💬 0"]);
    assert.ok(await page.locator("#composer").isHidden(), "nobody writes into a forum itself");
    await fire(page, "delete");
    await eventually("the deletion", async () => (await titles.count()) === 1);
    await page.locator(".post").click();
    await page.locator(".message", { hasText: "A-22: Perimeter set." }).waitFor();
    await page.locator("#crumb").click();
    await page.locator(".post").waitFor();
  });

  await check("links in fields lead to the message on this page, to others elsewhere", async () => {
    await go("911-calls");
    const field = page.locator('[data-id="900000000000000001"] .field').last();
    assert.deepEqual(await field.locator("a").allTextContents(), ["Call #501", "#P1 · 211 Armed Robbery › 💬", "there"]);
    assert.equal(await field.locator("a").last().getAttribute("rel"), "noopener noreferrer nofollow");
    await field.locator("a.jump").first().click();
    await page.locator('[data-id="900000000000000021"].shown').waitFor();
    assert.equal(await page.locator('#channels [aria-current="page"]').getAttribute("data-channel"), channel("dispatch"));
    await go("911-calls");
    await field.locator("a.jump").nth(1).click();
    await page.locator(".message", { hasText: "A-22: Perimeter set." }).waitFor();
    await go("911-calls");
  });

  await check("all channels stand side by side and stay live", async () => {
    await page.locator("#overview").click();
    assert.ok((await page.locator(".column").count()) >= 6);
    const count = () => page.locator(`[aria-label="#911-calls"] .message`).count();
    const before = await count();
    await fire(page, "911");
    await eventually("the card in its column", async () => (await count()) === before + 1);
    await page.locator("#overview").click();
  });
} else if (!quiet) {
  await check("a fired 911 becomes a card somewhere, without a reload", async () => {
    await page.locator("#overview").click();
    const before = await page.locator("#activity li").count();
    await fire(page, "911");
    await eventually("an activity", async () => (await page.locator("#activity li").count()) > before);
    await page.locator(".message .embed-title", { hasText: "911" }).first().waitFor();
    await page.locator("#overview").click();
  });
}

if (quiet) {
  const go = (name) => page.locator(`#channels [data-channel="${channel(name)}"]`).click();
  const said = async (name) => {
    await page.locator("#said").evaluate((node) => { node.textContent = ""; });
    await fire(page, name);
    await eventually("what was done", async () => (await page.locator("#said").textContent()) !== "");
    return page.locator("#said").textContent();
  };
  const now = async (name) => (await (await fetch(`${origin}/state`)).json()).messages[channel(name)];
  const title = (message) => message.embeds?.[0]?.title ?? "";
  const cards = page.locator(".message:not(.ephemeral)");
  const footed = (text) => cards.filter({ has: page.locator(".footer", { hasText: text }) });
  const press = (card, label) => card.locator(".button", { hasText: label }).click();

  // Each press and each command gets an answer of its own: an older one that fits is none.
  const answers = page.locator(".message.ephemeral");
  let answered = 0;
  const told = async (what, wanted) => {
    await eventually(`the answer to ${what}`, async () => (await answers.count()) > answered);
    answered = await answers.count();
    const answer = answers.last();
    await eventually(`the words ${wanted}`, async () => wanted.test(await answer.textContent())).catch(async (error) => {
      error.message += `: ${await answer.textContent()}`;
      throw error;
    });
    return answer;
  };

  let call; // the dispatch call that the checks act on

  await check("a 911 taken in the game is found by a reading, and its card leads to the call and its thread", async () => {
    await go("dispatch");
    await said("911");
    const [, emergency, taken] = /911 call (\d+)\..* dispatch (\d+)/.exec(await said("taken"));
    call = taken;
    const card = footed(`911 #${emergency} `);
    const link = card.locator(".jump", { hasText: `Call #${call}` });
    await link.waitFor({ timeout: 75000 });
    assert.match(await card.locator(".embed-title").textContent(), new RegExp(`^➡️ 911 became Call #${call}`));
    await link.click();
    await page.locator(".message.shown").waitFor();
    const thread = page.locator(".message.shown button.thread");
    await thread.waitFor();
    await thread.click();
    await page.locator(".message", { hasText: `Call #${call}: every note` }).waitFor();
    await page.locator("#crumb").click();
  });

  await check("a panic of which no event tells is found", async () => {
    const unit = (await said("panic-key")).split(" ")[0];
    await eventually(`the panic of ${unit}`, async () => (await now("patrol")).some((message) => /panic/i.test(title(message)) && title(message).includes(`· ${unit} `)), 75);
  });

  await check("board, forum, filter and muted route show what they are for", async () => {
    const board = (await now("board")).at(-1);
    assert.deepEqual(board.embeds.map((embed) => embed.title.replace(/\d+/, "N")), ["👥 On duty: N", "📋 Open calls: N"]);
    await go("case-files");
    await page.locator(".post").first().waitFor();
    await said("tone");
    const tone = async () => (await now("fire-ems")).find((message) => /^🎵 Tone/.test(title(message)));
    await eventually("the tone", async () => Boolean(await tone()));
    assert.deepEqual([(await tone()).pinged, (await tone()).flags & 4096], [[], 4096], "muted");
    await said("edit");
    await eventually("what has priority 1", async () => (await now("priority-1")).some((message) => / P1 ·/.test(title(message))));
    assert.ok((await now("priority-1")).every((message) => !/🚔 P[23]/.test(title(message)) || message.edited_timestamp));
  });

  await check("Respond attaches whoever looks at the page, and the card says so", async () => {
    await go("dispatch");
    call = / became dispatch (\d+):/.exec(await said("dispatch"))[1];
    const card = footed(`Call #${call} `);
    await press(card, "Respond");
    await told("Respond", new RegExp(`A-1 You is attached to call #${call}`));
    await eventually("A-1 on the card", async () => /A-1/.test(await card.locator(".embed").textContent()));
  });

  await check("Note writes into the call, signed", async () => {
    const card = footed(`Call #${call} `);
    await press(card, "Note");
    await page.getByRole("dialog", { name: `Note on call #${call}` }).waitFor();
    await page.keyboard.type("Perimeter *set*");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await told("the note", new RegExp(`Noted on call #${call}, signed A-1 You`));
    await eventually("the note on the card", async () => /A-1 You: Perimeter \*set\*/.test(await card.locator(".embed").textContent()));
  });

  await check("More… opens a panel for its presser alone", async () => {
    await press(footed(`Call #${call} `), "More…");
    await told("More…", /Only you can see this/);
  });

  await check("Panic over ends the panic", async () => {
    const unit = (await said("panic")).split(" ")[0];
    const card = cards.filter({ has: page.locator(".embed-title", { hasText: `· ${unit} ` }) }).filter({ has: page.locator(".button", { hasText: "Panic over" }) });
    await press(card.last(), "Panic over");
    // Another unit's panic: asked once.
    const asked = await told("Panic over", /End this panic\?/);
    await press(asked, "Yes, panic over");
    await told("Yes, panic over", new RegExp(`The panic of ${unit} .*is over`));
    await eventually("an end on the card", async () => (await now("dispatch")).some((message) => title(message).startsWith(`✅ Panic over · ${unit}`)));
  });

  await check("charts can be seen", async () => {
    for (const [command, words, alt] of [["/duty leaderboard", /Hours on duty/, /hours/i], ["/cad stats", /Calls/, /call/i]]) {
      await page.fill("#say", command);
      await page.keyboard.press("Enter");
      await page.locator('#command-form button[type="submit"]').click();
      const image = (await told(command, words)).locator("img").first();
      await image.scrollIntoViewIfNeeded(); // pictures are loaded when they come into view
      await eventually(`the chart of ${command}`, () => image.evaluate((node) => node.naturalWidth === 1200));
      assert.match((await image.getAttribute("alt")) ?? "", alt);
    }
  });

  await check("settings are exported, changed by hand, imported by the file chooser", async () => {
    const run = async (command, file) => {
      await page.fill("#say", command);
      await page.keyboard.press("Enter");
      if (!file) return; // without options it runs at once
      await page.locator('#command-form input[type="file"]').setInputFiles({ name: "settings.json", mimeType: "application/json", buffer: Buffer.from(file) });
      await page.locator('#command-form button[type="submit"]').click();
    };
    await run("/cad export");
    const exported = await told("/cad export", /Settings of/);
    const address = await exported.locator(".file a").getAttribute("href");
    const file = await (await fetch(address)).text();
    const settings = JSON.parse(file);
    await run("/cad import", file);
    await told("/cad import of what is", /Nothing would change/);
    const gone = settings.routes.pop();
    assert.ok(gone, "the demo has routes");
    await run("/cad import", JSON.stringify(settings));
    const difference = await told("/cad import of one route less", new RegExp(gone.event));
    await press(difference, "Replace settings");
    await eventually("the replacement", async () => /1 removed/.test(await difference.textContent()));
  });

  await check("the live session can be cut", async () => {
    assert.match(await said("outage"), /^The CAD's live session is down/);
  });
}

if (!quiet) {
  await check("markdown reads as Discord's does", async () => {
    const shapes = await page.evaluate(async () => {
      const { markdown } = await import("/markdown.js");
      const names = { user: () => ({ name: "Ann" }), role: () => undefined, channel: () => ({ name: "x" }) };
      const html = (text) => {
        const box = document.createElement("div");
        box.append(markdown(text, names));
        return box.innerHTML;
      };
      const begun = performance.now();
      for (const piece of ["*a ", "**", "~~a __b ||", "`", "[a](", "<t:", "> ", "\\", "***a ", "_a_b", "- "]) html(piece.repeat(4000));
      return {
        took: performance.now() - begun,
        bold: html("**a** *b* __c__ ~~d~~ ***e*** `f*g*`"),
        escaped: html("\\*a\\* \\<@1> \\# b"),
        words: html("snake_case_name 2 * 3 * 4"),
        nested: html("**a *b* c**"),
        block: html("```js\n**x**\n```after"),
        lines: html("# h\n-# s\n> q\n- l\nplain"),
        mention: html("<@1> <@&2> <#3>"),
        masked: html("[a](https://example.org) [b](javascript:x)"),
        open: html("**never closed <b>"),
      };
    });
    assert.equal(shapes.bold, "<p><strong>a</strong> <em>b</em> <u>c</u> <s>d</s> <strong><em>e</em></strong> <code>f*g*</code></p>");
    assert.equal(shapes.escaped, "<p>*a* &lt;@1&gt; # b</p>");
    assert.equal(shapes.words, "<p>snake_case_name 2 * 3 * 4</p>");
    assert.equal(shapes.nested, "<p><strong>a <em>b</em> c</strong></p>");
    assert.equal(shapes.block, '<pre tabindex="0"><code>**x**</code></pre><p>after</p>');
    assert.equal(shapes.lines, '<p class="h1">h</p><p class="subtext">s</p><blockquote><p>q</p></blockquote><ul><li>l</li></ul><p>plain</p>');
    assert.equal(shapes.mention, '<p><span class="mention">@Ann</span> <span class="mention">@unknown-role</span> <button class="mention" type="button" data-channel="3">#x</button></p>');
    assert.match(shapes.masked, /<a href="https:\/\/example\.org\/" target="_blank" rel="noopener noreferrer nofollow"[^>]*>a<\/a> \[b\]\(javascript:x\)/);
    assert.equal(shapes.open, "<p>**never closed &lt;b&gt;</p>");
    assert.ok(shapes.took < 20000, `hostile markdown took ${shapes.took} ms`);
  });

  for (const colorScheme of ["dark", "light"]) {
    await check(`text stands out from its ${colorScheme} ground (AA)`, async () => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // no colour on its way to another
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(ground, { dark: "rgb(18, 20, 27)", light: "rgb(241, 243, 247)" }[colorScheme]);
      const faint = await page.evaluate(() => {
        const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        const rgba = (color) => {
          canvas.clearRect(0, 0, 1, 1);
          canvas.fillStyle = color;
          canvas.fillRect(0, 0, 1, 1);
          const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
          return [r, g, b, a / 255];
        };
        const over = (top, under) => top.slice(0, 3).map((v, n) => v * top[3] + under[n] * (1 - top[3]));
        const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
        const ground = (node) => (node ? over(rgba(getComputedStyle(node).backgroundColor), ground(node.parentElement)) : [0, 0, 0]);
        const out = [];
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
          const node = walk.currentNode.parentElement;
          if (!walk.currentNode.textContent.trim() || !node.checkVisibility() || node.closest(".avatar, [disabled], script, .unseen, .skip")) continue;
          const back = ground(node);
          const front = over(rgba(getComputedStyle(node).color), back);
          const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) out.push(`${walk.currentNode.textContent.slice(0, 30)} (${node.className}): ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
        }
        return out;
      });
      assert.deepEqual([...new Set(faint)], []);
    });
  }
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: null });

  await check("keys move between channels, and the focus can be seen", async () => {
    const current = () => page.locator('#channels [aria-current="page"]').getAttribute("data-channel");
    const before = await current();
    await page.keyboard.press("Alt+ArrowDown");
    assert.notEqual(await current(), before);
    await page.keyboard.press("Tab");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
  });

  await check("a lost connection is said, and mended", async () => {
    const other = await browser.newPage();
    await other.route("**/events", (route) => route.abort());
    await other.goto(url);
    await other.locator('#link[data-state="reconnecting"]').waitFor();
    await other.unroute("**/events");
    await other.locator('#link[data-state="live"]').waitFor();
    await other.close();
  });

  await check("RESYNC loads the state again", async () => {
    const other = await browser.newPage();
    let loads = 0;
    let streams = 0;
    other.on("request", (request) => { if (request.url() === `${origin}/state`) loads += 1; });
    await other.route("**/events", (route) => {
      streams += 1;
      return route.fulfill({ contentType: "text/event-stream", body: 'retry: 60000\n\ndata: {"type":"RESYNC"}\n\n' });
    });
    await other.goto(url);
    await eventually("the second load", () => loads === 2);
    assert.equal(streams, 1);
    await other.close();
  });

  for (const [width, height] of [[390, 844], [360, 640]]) {
    await check(`a phone of ${width}×${height} shows it all without sideways scrolling`, async () => {
      const phone = await openPage({ width, height, hasTouch: true, isMobile: true });
      const ids = await phone.locator("#channels .channel").evaluateAll((nodes) => nodes.map((node) => node.dataset.channel));
      assert.equal(await phone.locator("#side").evaluate((node) => node.inert), true);
      for (const id of ids) {
        await phone.locator("#menu").tap();
        await phone.locator(`#channels [data-channel="${id}"]`).tap();
        const wide = await phone.evaluate(() => {
          const list = document.querySelector(".messages");
          return [document.documentElement.scrollWidth - innerWidth, list ? list.scrollWidth - list.clientWidth : 0];
        });
        assert.deepEqual(wide, [0, 0], `channel ${id}`);
      }
      await phone.locator("#menu").tap();
      assert.equal(await phone.locator("#menu").getAttribute("aria-expanded"), "true");
      await phone.keyboard.press("Escape");
      assert.equal(await phone.locator("#side").evaluate((node) => node.inert), true);
      await phone.close();
    });
  }

  await check("who asked for less motion gets none", async () => {
    const calm = await openPage({ reducedMotion: "reduce" });
    assert.equal(await calm.locator("#link i").evaluate((node) => getComputedStyle(node).animationName), "none");
    await calm.close();
  });
}

await check("nothing was asked of anyone else, and nothing went wrong unseen", async () => {
  assert.deepEqual(foreign, []);
  const refusals = errors.filter((text) => /status of 400/.test(text));
  assert.equal(refusals.length, expected);
  assert.deepEqual(errors.filter((text) => !refusals.includes(text)), []);
});

await browser.close();
console.log(process.exitCode ? "The page failed." : "The page holds.");
