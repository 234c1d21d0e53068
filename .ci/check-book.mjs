// Checks the built book: every link to a page, a picture, or an anchor of it leads somewhere. Needs no network.
//
//   node .ci/check-book.mjs target/book

import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(process.argv[2] ?? "target/book");
const pages = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".html")).map((name) => join(root, name));
const texts = new Map(pages.map((page) => [page, readFileSync(page, "utf8")]));
const ids = new Map([...texts].map(([page, text]) => [page, new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id))]));

const problems = [];
let links = 0;
for (const [page, text] of texts) {
  // All pages in one, and a page for servers: both have links that are meant for other places.
  if (/(^|\/)(print|404|toc)\.html$/.test(page)) continue;
  for (const [, link] of text.matchAll(/<(?:a|img)\b[^>]*?\s(?:href|src)="([^"]*)"/g)) {
    if (/^[a-z]+:/.test(link)) continue;
    links += 1;
    const [path, anchor] = link.split("#", 2);
    let target = path ? resolve(dirname(page), decodeURIComponent(path)) : page;
    if (existsSync(target) && statSync(target).isDirectory()) target = join(target, "index.html");
    if (!existsSync(target)) problems.push(`${relative(root, page)}: ${link} does not exist`);
    else if (anchor && !ids.get(target)?.has(decodeURIComponent(anchor))) problems.push(`${relative(root, page)}: ${link} has no such anchor`);
  }
}
for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${links} links, ${problems.length} broken`);
// A book without links was not read correctly.
process.exit(problems.length > 0 || links < 100 ? 1 : 0);
