// Makes hero.png, the README's picture: a dispatch call and a new 911 in the demo, without the demo's own controls.
//
//   (cd tests/browser && npm ci)
//   node docs/images/make-hero.mjs [PATH/TO/tenfour]      default: target/release/tenfour
//
// CHROMIUM   the browser's path (default /usr/bin/chromium)
//
// The demo picks calls at random, so look at the picture, and run this again if it isn't a good one.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);
const { chromium } = createRequire(new URL("tests/browser/", root))("playwright-core");
const binary = process.argv[2] ?? fileURLToPath(new URL("target/release/tenfour", root));
const picture = fileURLToPath(new URL("hero.png", import.meta.url));

const WIDTH = 1300;
const HEIGHT = 900;
/** Some of the demo's callers write what a prankster would. That is for its tests, not for the picture. */
const HOSTILE = /[<>|`*\u202e]|@everyone|@here/;
const TRIES = 10;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Chromium's sandbox refuses to run as root, which is what containers run as.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
try {
  let taken = false;
  for (let tries = 0; !taken && tries < TRIES; tries += 1) taken = await withDemo(take);
  if (!taken) throw new Error(`hostile text in all of ${TRIES} tries`);
} finally {
  await browser.close();
}

async function withDemo(run) {
  const demo = spawn(binary, ["demo", "--quiet", "--page", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    for await (const line of createInterface({ input: demo.stdout })) {
      const [, address] = /^page: (\S+)/.exec(line) ?? [];
      if (address) return await run(address);
    }
    throw new Error(`${binary} demo ended without printing the address of its page`);
  } finally {
    demo.kill("SIGINT");
  }
}

/** False if the picture would show hostile text. */
async function take(url) {
  const { channels } = await (await fetch(`${url}state`)).json();
  const dispatch = channels.find(({ name }) => name === "dispatch").id;
  const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT }, colorScheme: "dark" });
  await page.goto(`${url}#${dispatch}`);
  await page.locator('#link[data-state="live"]').waitFor();

  const cards = page.locator("#messages .message:not(.ephemeral)");
  const card = (footer) => cards.filter({ has: page.locator(".footer", { hasText: footer }) });
  const fire = (name) => page.locator(`[data-fire="${name}"]`).click();

  await fire("dispatch");
  const call = card("Call #").last();
  await call.locator(".button", { hasText: "Respond" }).click();
  await call.locator(".embed", { hasText: "A-1" }).waitFor();
  await fire("note");
  await call.locator(".embed", { hasText: "📝" }).waitFor();
  for (const answer of await page.locator(".message.ephemeral button", { hasText: "Dismiss" }).all()) await answer.click();
  const before = await cards.count();
  await fire("911");
  await cards.nth(before).waitFor();
  const emergency = cards.nth(before);
  if (HOSTILE.test((await call.textContent()) + (await emergency.textContent()))) return false;

  // As tall as both cards, so that nothing is cut off.
  const boxes = [call, emergency, ...["#messages", "#composer", "#panel"].map((part) => page.locator(part))];
  const [first, last, messages, composer, panel] = await Promise.all(boxes.map((part) => part.boundingBox()));
  const height = Math.ceil(last.y + last.height - first.y + HEIGHT - messages.height) + 2;
  await page.setViewportSize({ width: WIDTH, height });
  await page.evaluate(() => {
    // Written for whoever tries the demo.
    document.querySelector("#topic").hidden = true;
  });
  await emergency.evaluate((node) => node.scrollIntoView({ block: "end" }));
  await page.screenshot({ path: picture, animations: "disabled", clip: { x: 0, y: 0, width: panel.x, height: height - composer.height } });
  return true;
}
