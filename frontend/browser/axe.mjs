// Looks at every room with axe-core; prints what is serious or critical as JSON.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { asked, imageShown, mapShown, opened, signIn } from "./chromium.mjs";

const { address, user, password } = asked();
const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { browser, page, wrong } = await opened({ address });
const found = [];
const look = async (room) => {
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  for (const { id, impact, nodes } of violations) {
    if (impact === "serious" || impact === "critical") found.push({ room, id, impact, at: nodes.map((node) => node.html.slice(0, 160)) });
  }
};

await page.goto(`${address}/`);
await page.locator("input[name=name]").waitFor();
await look("door");
await signIn(page, { address, name: user, password });
await look("worklist");
await page.keyboard.press("j");
await page.keyboard.press("Enter");
await imageShown(page);
await look("reading");
await page.keyboard.press("h");
await mapShown(page);
await look("map");
await page.keyboard.press("m");
await look("modify");
await page.keyboard.press("Escape");
await page.keyboard.press("?");
await look("keys");
await page.keyboard.press("Escape");
for (const room of ["oversight", "oversight/drift", "oversight/validations", "audit", "people", "me"]) {
  await page.goto(`${address}/#/${room}`);
  await page.locator("main h1").waitFor();
  await page.waitForLoadState("networkidle", { timeout: 2000 }).catch(() => undefined);
  await look(room);
}
console.log(JSON.stringify({ found, wrong }));
await browser.close();
