// Opens the page of a replica in a browser and looks at it as people do.
// Usage: page.mjs URL FOLDER_OF_MODULES [SCREENSHOT]; commands come as lines of JSON on standard
// input, answers go as lines of JSON to standard output.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const [url, modules, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const WAIT_MS = 15000;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1000, height: 1080 } });
const page = await context.newPage();
const complaints = []; // errors of scripts, and what the content policy refuses
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => {
  if (message.type() === "error") complaints.push(message.text());
});
const requests = [];
page.on("request", (request) => requests.push(request.url()));

const commands = {
  open: async () => void await page.goto(url),
  /** Waits until an element has this text somewhere in it. */
  wait: async ({ selector, text }) => void await page.locator(selector)
    .filter({ hasText: text }).first().waitFor({ timeout: WAIT_MS }),
  text: ({ selector }) => page.locator(selector).first().innerText(),
  count: ({ selector }) => page.locator(selector).count(),
  ask: async ({ key }) => {
    await page.getByLabel("Key", { exact: true }).fill(key);
    await page.keyboard.press("Enter");
  },
  click: async ({ selector }) => void await page.locator(selector).first().click(),
  resize: async ({ width }) => {
    await page.setViewportSize({ width, height: 820 });
    return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  },
  dark: async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  },
  shoot: async ({ path }) => void await page.screenshot({ path }),
  complaints: () => complaints,
  requests: () => requests,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { name, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[name](rest)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
