// Opens pages in a real browser and checks what a reader needs of them, in light and in dark:
//
// - axe-core finds no violation of its rules (dequeuniversity.com/rules/axe),
// - the Tab key reaches every section of the contents, in the order of the page, with visible
//   focus; Enter on a link of the contents leads to its section,
// - at a width of 320 pixels, which is 400 % of 1280, the page does not scroll sideways,
// - the page requests nothing but itself and writes nothing to the console,
// - printed, its texts are dark and its background is light, whatever the scheme.
//
// usage: node .ci/browser/check.mjs page.html...
//
// CHROMIUM names the browser. By default the script tries the usual paths. The packages are
// those of .ci/browser/package.json, installed under build/browser.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const fail = (text) => { console.error(text); process.exit(2); };

const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium', '/Applications/Chromium.app/Contents/MacOS/Chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const chromium = process.env.CHROMIUM || usual.find((name) => existsSync(name));
if (!chromium || !existsSync(chromium)) {
  fail(`Chromium does not exist${chromium ? ` at ${chromium}` : ''}. Install it ("apt-get install chromium" on Debian), or name a Chrome or Chromium in CHROMIUM.`);
}
const packages = createRequire(path.resolve('build/browser/package.json'));
let browserType, axe;
try {
  browserType = packages('playwright-core').chromium;
  axe = readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8');
} catch (err) {
  fail(`The packages are not installed (${err.message.split('\n')[0]}). Install them: mkdir -p build/browser && cp .ci/browser/package*.json build/browser && npm ci --prefix build/browser`);
}
const pages = process.argv.slice(2);
if (pages.length === 0) fail('usage: node .ci/browser/check.mjs page.html...');

const missing = pages.filter((page) => !existsSync(page));
if (missing.length > 0) fail(`These pages do not exist: ${missing.join(', ')}.`);

// Without these flags the browser contacts its vendor, for example for updates.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await browserType.launch({ executablePath: chromium, args });
let problems = 0;
try {
  for (const file of pages) {
    for (const scheme of ['light', 'dark']) await checkPage(file, scheme);
  }
} finally {
  await browser.close();
}
if (problems > 0) {
  console.error(`${problems} problems in ${pages.length} pages.`);
  process.exit(1);
}
console.log(`${pages.length} pages pass in light and dark.`);

// checkPage checks one page in one color scheme.
async function checkPage(file, scheme) {
  const url = pathToFileURL(path.resolve(file)).href;
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 900 } });
  const report = (text) => { problems++; console.error(`${file} (${scheme}): ${text}`); };
  try {
    const page = await context.newPage();
    page.on('request', (request) => { if (request.url() !== url) report(`requests ${request.url()}`); });
    page.on('console', (message) => report(`writes to the console: ${message.text()}`));
    page.on('pageerror', (err) => report(`fails: ${err.message}`));
    await page.goto(url);
    const stops = await checkKeyboard(page, report);
    await page.setViewportSize({ width: 320, height: 256 });
    await checkWidth(page, report);
    const narrow = await checkAxe(page, report);
    await page.setViewportSize({ width: 1280, height: 900 });
    const wide = await checkAxe(page, report);
    await checkPrint(page, report);
    console.log(`${file} (${scheme}): ${wide} rules of axe pass, ${narrow} at 320 pixels; ${stops} keyboard stops`);
  } finally {
    await context.close();
  }
}

// checkKeyboard presses Tab through the page. It returns the number of stops.
async function checkKeyboard(page, report) {
  const wanted = await page.$$eval('main section[id]', (all) => all.map((one) => one.id));
  const reached = [];
  let before = -1, last = 0, stops = 0;
  for (; before < last; stops++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(readFocus);
    if (at.place !== before + 1) {
      report(`Tab leads from stop ${before} to ${at.place} ("${at.words}")`);
      break;
    }
    if (!at.outline || !at.seen) report(`"${at.words}" does not show that it has the focus`);
    if (at.isFolded) { // a list of many groups, which a reader also opens with the keyboard
      await page.keyboard.press('Enter');
      if ((await page.evaluate(readFocus)).isFolded) report('Enter does not open the list of groups');
    }
    if (at.inNav && at.link) reached.push(at.link.slice(1));
    before = at.place;
    last = at.last;
  }
  for (const id of wanted.filter((one) => !reached.includes(one))) report(`the keyboard does not reach the section ${id}`);
  for (const id of [wanted[0], wanted.at(-1)]) {
    await page.focus(`nav a[href="#${id}"]`);
    await page.keyboard.press('Enter');
    const at = await page.evaluate(() => ({ target: document.querySelector(':target')?.id, focus: document.activeElement.id }));
    if (at.target !== id || at.focus !== id) report(`the link to ${id} leads to ${at.target || 'nothing'}, the focus is at ${at.focus || 'nothing'}`);
  }
  return stops;
}

// readFocus runs in the page and returns the place of the focus among the keyboard stops.
function readFocus() {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')];
  return {
    place: all.indexOf(one), last: all.length - 1, link: one.getAttribute('href'), inNav: !!one.closest('nav'), words: one.textContent.trim().slice(0, 40),
    isFolded: one.tagName === 'SUMMARY' && !one.parentElement.open,
    outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}

// checkWidth checks that only the drawing scrolls sideways.
async function checkWidth(page, report) {
  const width = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth));
  if (width > 320) report(`is ${width} pixels wide on a screen of 320`);
  const cut = await page.evaluate(() => [...document.querySelectorAll('body *:not(svg):not(svg *)')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && (box.right > 321 || box.left < 0) && !one.matches('.skip, thead, thead *');
  }).map((one) => `${one.tagName} "${one.textContent.trim().slice(0, 30)}"`));
  for (const one of cut.slice(0, 5)) report(`${one} is cut at 320 pixels`);
}

// checkAxe runs every rule of axe-core, including those of best practice. It returns how many pass.
async function checkAxe(page, report) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations', 'incomplete', 'passes'] }));
  for (const one of result.violations) report(`axe: ${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(' | ')}`);
  return result.passes.length;
}

// checkPrint checks that a printed page is dark on light.
async function checkPrint(page, report) {
  await page.emulateMedia({ media: 'print' });
  const colors = await page.evaluate(() => ({ text: getComputedStyle(document.body).color, ground: getComputedStyle(document.documentElement).backgroundColor }));
  const light = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
  if (light(colors.text) > 80 || light(colors.ground) < 240) report(`is printed as ${colors.text} on ${colors.ground}`);
}
