// From the door to a signed decision with the keyboard alone; the region is also drawn with the pointer.
// Prints what was seen as JSON.
import { asked, imageShown, mapShown, opened, signIn } from "./chromium.mjs";

const { address, user, password, shots } = asked();
const { browser, page, wrong } = await opened({ address });
const shot = (title) => (shots ? page.screenshot({ path: `${shots}/${title}.png` }) : undefined);
const key = (...names) => names.reduce((before, each) => before.then(() => page.keyboard.press(each)), Promise.resolve());

await signIn(page, { address, name: user, password });
await shot("worklist");
await key("j");
const patient = await page.locator("tbody tr:focus-within td:nth-child(3) div").first().textContent();
await key("Enter");
await imageShown(page);
const study = new URL(page.url()).hash.split("/").pop();
await shot("reading");
await key("h");
await mapShown(page);
const marked = await page.locator(".top-right strong").first().textContent();
await shot("map");

const hasPrior = await page.getByRole("button", { name: /^Prior/ }).isEnabled();
if (hasPrior) {
  await key("p");
  await page.locator(".film").nth(1).locator(".pixels[data-shown]").waitFor();
  await shot("prior");
  await key("p");
  await page.locator(".film").nth(1).waitFor({ state: "detached" });
}

// Modify the first finding: a box by pointer, then nudged by keys; reason; keep.
await key("m");
const form = page.locator("form.decision");
await form.waitFor();
await page.locator("form.decision select[name=reason]").focus();
await key("ArrowDown", "Tab");
await page.keyboard.type("Seen lower than marked.");
await form.getByRole("button", { name: /^Box/ }).focus();
await key("Enter");
const paper = await page.locator(".paper").first().boundingBox();
const at = (across, down) => [paper.x + paper.width * across, paper.y + paper.height * down];
await page.mouse.move(...at(0.4, 0.3));
await page.mouse.down();
await page.mouse.move(...at(0.5, 0.4), { steps: 4 });
await page.mouse.up();
const drawn = await form.locator("small").textContent();
await key("ArrowDown");
const nudged = await form.locator("small").textContent();
await shot("modify");
await form.getByRole("button", { name: "Keep" }).focus();
await key("Enter");
await form.waitFor({ state: "detached" });

// Accept whatever is left, then sign.
const left = () => page.getByText(/not assessed yet$/).count();
for (let i = 0; i < 40 && (await left()) > 0; i++) await key("a");
await page.locator(".reading").focus();
await shot("decision");
const signing = page.waitForResponse((response) => response.url().endsWith("/decision"));
await key("Enter");
const decision = await (await signing).json();
await page.locator(".signed").waitFor();
await shot("signed");
await key("Escape");
await page.locator(".waits").waitFor();
await page.getByRole("button", { name: /^decided/ }).click();
const row = page.locator("tr", { has: page.locator(`a.open[data-key="${study}"]`) });
await row.waitFor();
const told = await row.locator("td.state").innerText();
await shot("decided");
console.log(JSON.stringify({ study, patient, marked, hasPrior, drawn, nudged, decision, told, wrong }));
await browser.close();
