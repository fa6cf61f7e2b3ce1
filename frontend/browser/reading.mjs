// From a one-time link to a finding, its map and the prior, with the keyboard alone; axe-core looks at each room.
// Prints what was seen as JSON.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { asked, imageShown, mapShown, opened } from "./chromium.mjs";

const { address, link, password, shots } = asked();
const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { browser, page, wrong } = await opened({ address });
const faults = [];
const look = async (room) => {
  if (shots) await page.screenshot({ path: `${shots}/${room}.png` });
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  for (const { id, impact, nodes } of violations) {
    if (impact === "serious" || impact === "critical") faults.push({ room, id, at: nodes.map((n) => n.html.slice(0, 160)) });
  }
};

await page.goto(`${address}${link}`);
await page.locator("input[name=password]").waitFor();
await look("enrol");
await page.locator("input[name=password]").focus();
await page.keyboard.type(password);
await page.keyboard.press("Tab");
await page.keyboard.type(password);
await page.keyboard.press("Enter");
await page.locator("table.rows").waitFor();
await look("worklist");
const rows = await page.locator("table.rows tbody tr").allInnerTexts();
const scripts = await page.locator("table.rows script, table.rows b").count();
await page.keyboard.press("j");
await page.keyboard.press("Enter");
await imageShown(page);
await look("reading");
const title = await page.locator("aside h2, .panel h2").first().innerText();
await page.keyboard.press("h");
await mapShown(page);
const marked = await page.locator("[data-map]").first().getAttribute("data-map");
await look("map");
await page.keyboard.press("p");
await page.locator(".film").nth(1).locator(".pixels[data-shown]").waitFor();
await look("prior");
const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length]);
console.log(JSON.stringify({ rows, scripts, title, marked, faults, wrong, stored, url: page.url() }));
await browser.close();
