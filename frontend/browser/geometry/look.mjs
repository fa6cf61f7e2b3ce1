// Takes pictures of the phantom with and without its map, at several zooms, turned and inverted.
import { writeFile } from "node:fs/promises";
import { asked, opened } from "../chromium.mjs";

const { address, out } = asked();
const { browser, page, wrong } = await opened({ address, width: 900, height: 700 });
await page.goto(`${address}/`);
await page.locator("body[data-ready]").waitFor({ state: "attached" });

const views = {
  fitted: [],
  larger: [["zoomBy", 1.8, 700, 40]],
  largest: [["zoomBy", 4.5, 708, 40]],
  moved: [["zoomBy", 1.4, 500, 300], ["panBy", -130, 120]],
  turned: [["rotateBy", 90]],
  inverted: [["zoomBy", 1.3, 450, 30], ["invert"]],
};
/** The screen once it stands still: pictures are drawn by software here, and that takes its time. */
const settled = async () => {
  for (let before = null, same = 0; ; ) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.waitForTimeout(200);
    const now = await page.screenshot();
    same = before?.equals(now) ? same + 1 : 0;
    if (same === 2) return now;
    before = now;
  }
};
for (const [view, acts] of Object.entries(views)) {
  await page.evaluate(() => window.film.reset());
  for (const [act, ...how] of acts) await page.evaluate(([name, values]) => window.film[name](...values), [act, how]);
  await page.evaluate(() => window.show("none"));
  await writeFile(`${out}/${view}-film.png`, await settled());
  await page.evaluate(() => window.show("map"));
  await writeFile(`${out}/${view}-map.png`, await settled());
  await page.evaluate(() => window.show("contour"));
  await writeFile(`${out}/${view}-contour.png`, await settled());
}
console.log(JSON.stringify({ wrong }));
await browser.close();
