// Times from click to first image and from key to map, as the reader sees them; prints milliseconds as JSON.
import { asked, imageShown, mapShown, opened, signIn } from "./chromium.mjs";

const { address, user, password, times = "20" } = asked();
const { browser, page, wrong } = await opened({ address });
await signIn(page, { address, name: user, password });
await page.waitForTimeout(1500); // The viewer warms up while somebody looks at the list.
const images = [];
const maps = [];
/** Milliseconds from an event inside the page until `selector` is there and painted. */
const until = (selector, act) =>
  page.evaluate(
    ([wanted, how]) =>
      new Promise((done) => {
        const start = performance.now();
        const look = () => {
          if (document.querySelector(wanted)) requestAnimationFrame(() => done(performance.now() - start));
          else requestAnimationFrame(look);
        };
        if (how === "open") document.querySelector("a.open").click();
        else window.dispatchEvent(new KeyboardEvent("keydown", { key: how, bubbles: true }));
        look();
      }),
    [selector, act],
  );
for (let i = 0; i < Number(times); i++) {
  await page.locator("a.open").first().waitFor();
  images.push(await until(".pixels[data-shown]", "open"));
  await imageShown(page);
  await page.waitForTimeout(700);
  maps.push(await until("[data-map]:not([data-map=''])", "h"));
  await mapShown(page);
  await page.keyboard.press("Escape");
}
console.log(JSON.stringify({ images, maps, wrong }));
await browser.close();
