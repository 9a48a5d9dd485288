// The browser, and what a person sees in it. Knows the page's elements, not what is checked.

const { chromium } = require('playwright-core');

/** Starts Chromium; its sandbox needs rights that containers do not give. */
function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** A page of its own, with nothing kept from another one; `complaints` gathers what the browser holds against it. */
async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('console', (message) => {
    // A refused request is logged by the browser, whatever the page makes of it.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url())) page.complaints.push(`it asked for ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** Waits until so many images are in a state: all, waiting, done or error. */
async function count(page, state, number) {
  await page.waitForFunction(
    ([name, wanted]) => document.querySelector(`[data-count="${name}"]`).textContent === String(wanted),
    [state, number],
    { timeout: 120_000 },
  );
}

/** The rows that are shown. */
function rows(page) {
  return page.$$eval('#rows tr:not([hidden])', (found) => found.map((row) => ({
    name: row.querySelector('.name').textContent,
    label: row.querySelector('.label').textContent,
    details: row.querySelector('.details').textContent,
    state: row.dataset.state,
    canRetry: !row.querySelector('.retry').hidden,
  })));
}

/** Waits until the picture of each row that is in sight is drawn. */
async function thumbnails(page) {
  await page.waitForFunction(() => {
    const inSight = [...document.querySelectorAll('#rows tr:not([hidden])')].filter((row) => row.getBoundingClientRect().top < innerHeight);
    return inSight.length > 0 && inSight.every((row) => row.querySelector('img').naturalWidth > 0);
  });
}

/** The least contrast of the texts that are shown, as WCAG 2 counts it. */
function leastContrast(page) {
  return page.evaluate(() => {
    const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
    const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    const behind = (node) => {
      const colour = channels(getComputedStyle(node).backgroundColor);
      return colour.length === 4 && colour[3] === 0 ? behind(node.parentElement) : colour;
    };
    const texts = [...document.querySelectorAll('body *')].filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
    const shown = texts.filter((node) => node.checkVisibility() && !node.closest('.hidden, .skip, noscript, template'));
    const contrasts = shown.map((node) => {
      const [one, other] = [light(channels(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
      return { contrast: (one + 0.05) / (other + 0.05), text: node.textContent.trim().slice(0, 40) };
    });
    return contrasts.sort((a, b) => a.contrast - b.contrast)[0];
  });
}

module.exports = { launch, open, count, rows, thumbnails, leastContrast };
