// What every browser script needs: Debian's Chromium, a page, and no word from any other server.
import { chromium } from "playwright-core";

const ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/** A page of the size asked for. `wrong` collects what must not happen: foreign requests, errors, broken fences. */
export async function opened({ address, width = 1440, height = 900 }) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrong.push(`fence: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(address) && !/^(data|blob):/.test(url)) wrong.push(`foreign: ${url}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { browser, page, wrong };
}

/** Signs in by name and password, with the keyboard. */
export async function signIn(page, { address, name, password }) {
  await page.goto(`${address}/`);
  await page.locator("input[name=name]:focus").waitFor();
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.locator("table.rows").waitFor();
}

/** Waits until the first image of the reading view is drawn. */
export async function imageShown(page) {
  await page.locator(".pixels[data-shown]").first().waitFor();
}

/** Waits until the map is painted. */
export async function mapShown(page) {
  await page.locator("[data-map]:not([data-map=''])").waitFor();
}

/** Arguments as `--name value`. */
export function asked() {
  const words = process.argv.slice(2);
  return Object.fromEntries(words.flatMap((word, at) => (word.startsWith("--") ? [[word.slice(2), words[at + 1]]] : [])));
}
