// Opens every live part of a built book in Firefox, and says which is not drawn or what went wrong:
//   node firefox.mjs ../../book/_build/html [its address on a host]
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [folder, host] = process.argv.slice(2);
const firefox = ["firefox-esr", "firefox"].map((name) => `/usr/bin/${name}`).find(existsSync);
const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true });
const page = await browser.newPage();
let failed = 0;
const fail = (text) => {
  failed++;
  console.log(text);
};
page.on("pageerror", (error) => fail(error.message));
page.on("console", (message) => message.type() === "error" && fail(message.text()));

const address = host ?? pathToFileURL(resolve(folder)).href;
for (const file of readdirSync(`${folder}/notebooks`).filter((name) => name.endsWith(".html"))) {
  if (!readFileSync(`${folder}/notebooks/${file}`, "utf-8").includes("data-part=")) continue;
  await page.goto(`${address}/notebooks/${file}`, { waitUntil: "load" });
  for (const place of await page.$$("[data-part]")) {
    const part = await place.evaluate((element) => element.dataset.part);
    await place.evaluate((element) => element.scrollIntoView({ block: "center" }));
    const drawn = page.waitForFunction(
      (element) => element.querySelector("button, input, select, canvas"),
      { timeout: 60000 },
      place,
    );
    await drawn.then(
      () => console.log(`${file}: ${part}`),
      () => fail(`${file}: ${part} is not drawn`),
    );
    // In a worker, which a page from disk can start in its own way only.
    if (part !== "entrenar") continue;
    await place.evaluate((element) => element.querySelector("button").click());
    const learnt = (element) => parseInt(element.querySelector(".live-note").textContent) > 2;
    await page.waitForFunction(learnt, { timeout: 60000 }, place).catch(() => fail("the network does not learn"));
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
