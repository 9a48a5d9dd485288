// What a person does on the gateway's page, and what must come of it. Prints the rows as JSON, or fails with what was not so.
// Environment: PAGE_URL (ends with /), PAGE_PHOTOS (a folder of photos), PAGE_TEXT (a text file), CHROMIUM; PAGE_SCREENSHOTS (a folder), if
// pictures are wanted.

const assert = require('node:assert/strict');
const { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { count, launch, leastContrast, open, rows, thumbnails } = require('./browser.cjs');

const { PAGE_URL: url, PAGE_PHOTOS: folder, PAGE_TEXT: text, PAGE_SCREENSHOTS: pictures } = process.env;
const photos = readdirSync(folder).sort().map((name) => join(folder, name));

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

async function uploads(page) {
  await page.waitForSelector('#connection[data-state="live"]');
  await page.setInputFiles('#files', photos);
  await count(page, 'all', photos.length);
  await page.waitForFunction(() => Number(document.querySelector('[data-count="done"]').textContent) >= 5);
  await thumbnails(page);
  await count(page, 'done', photos.length);
  const found = await rows(page);
  assert.deepEqual(found.map((row) => row.name), photos.map((path) => path.split('/').pop()), 'in the order of the folder');
  assert.ok(found.every((row) => /^\d/.test(row.details)), 'each label has its probability');
  return found;
}

async function survivesReload(page, before) {
  await page.reload();
  await count(page, 'done', photos.length);
  assert.deepEqual(await rows(page), before);
  await thumbnails(page);
}

async function filtersAndSearches(page, all) {
  await page.check('#filter [value=error]');
  assert.equal((await rows(page)).length, 0);
  assert.ok(await page.isVisible('#nothing'));
  await page.check('#filter [value=done]');
  await page.fill('#search', all[0].label.toUpperCase());
  const found = await rows(page);
  assert.ok(found.length > 0 && found.length < all.length && found.every((row) => row.label.includes(all[0].label)));
  await page.fill('#search', '');
  await page.check('#filter [value=all]');
  assert.equal((await rows(page)).length, all.length);
}

async function showsErrorsWhereTheyBelong(page) {
  await page.setInputFiles('#files', [text]);
  await count(page, 'error', 1);
  const [row] = await rows(page);
  assert.deepEqual([row.state, row.canRetry, row.label], ['error', true, 'Not an image']);
  assert.match(row.details, /JPEG, PNG, WebP/, 'it says what can be read');
  await page.click('#rows tr .remove button');
  await count(page, 'error', 0);
}

async function givesCsv(page, all) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download-csv')]);
  const lines = readFileSync(await download.path(), 'utf8').trimEnd().split('\r\n');
  assert.equal(lines.length, all.length + 1);
  assert.match(lines[0], /^\u{feff}name,status,label,probability,id,/u);
  assert.ok(lines[1].startsWith(`${all[0].name},Classified,`));
  await page.click('#copy-csv');
  await page.waitForSelector('#toast:not([hidden])');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.deepEqual(copied.replace(/\r/g, '').trimEnd().split('\n'), [lines[0].slice(1), ...lines.slice(1)]);
}

async function takesWhatIsPasted(page, number) {
  const bytes = readFileSync(photos[0]).toString('base64');
  await page.evaluate((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], 'pasted.jpg', { type: 'image/jpeg' }));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
  }, bytes);
  await count(page, 'done', number);
  const [row] = await rows(page);
  assert.equal(row.name, 'pasted.jpg');
}

/** A folder with two photos, one of them in a folder of its own, and two files that nobody means; beside it a third photo. */
function layOut() {
  const place = mkdtempSync(join(tmpdir(), 'page-'));
  const dropped = join(place, 'holidays');
  mkdirSync(join(dropped, 'beach'), { recursive: true });
  copyFileSync(photos[0], join(dropped, 'first.jpg'));
  copyFileSync(photos[1], join(dropped, 'beach', 'second.jpg'));
  copyFileSync(photos[2], join(dropped, '.hidden.jpg'));
  copyFileSync(text, join(dropped, 'notes.txt'));
  copyFileSync(photos[2], join(place, 'third.jpg'));
  return { place, dropped, beside: join(place, 'third.jpg') };
}

/** Dropped as the system does it, from outside the browser: scripts cannot make folders. */
async function takesFoldersThatAreDropped(page, number) {
  const { place, dropped, beside } = layOut();
  const client = await page.context().newCDPSession(page);
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    const data = { items: [], files: [dropped, beside], dragOperationsMask: 1 };
    await client.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  }
  await count(page, 'done', number + 3);
  const names = (await rows(page)).map((row) => row.name).slice(0, 3).sort();
  assert.deepEqual(names, ['first.jpg', 'second.jpg', 'third.jpg'], 'folders in folders, and no hidden files');
  assert.match(await page.textContent('#toast'), /^2 of 4 files/, 'what was left out is told');
  rmSync(place, { recursive: true });
}

/** Busy once, down once: the row needs nobody. */
async function triesAgain(page, number) {
  const answers = [
    { status: 429, headers: { 'retry-after': '1' }, body: '{"title":"Too many uploads","detail":"wait"}' },
    { status: 503, headers: { 'retry-after': '1' }, body: '{"title":"Not available at the moment","detail":"wait"}' },
  ];
  const keys = new Set();
  await page.route('**/v1/images', (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    keys.add(route.request().headers()['idempotency-key']);
    return answers.length ? route.fulfill(answers.shift()) : route.continue();
  });
  await page.setInputFiles('#files', [photos[1]]);
  await count(page, 'done', number);
  assert.deepEqual([answers.length, keys.size], [0, 1], 'tried three times under one key');
  await page.unroute('**/v1/images');
}

async function worksByKeyboard(page) {
  // Where one begins to tab is where one clicked last.
  await page.reload();
  await count(page, 'done', photos.length);
  const reached = [];
  for (let presses = 0; presses < 8; presses += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.name));
  }
  assert.deepEqual(reached, ['skip', 'pick-files', 'pick-folder', 'filter', 'search', 'copy-csv', 'download-csv', 'clear']);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is seen');
  const nameless = await page.$$eval('button, input:not([type=file])', (found) => found
    .filter((node) => node.checkVisibility() && !(node.getAttribute('aria-label') || node.textContent.trim() || node.labels?.length)).length);
  assert.equal(nameless, 0, 'each control has a name');
}

async function fitsScreensAndEyes(page) {
  for (const [scheme, width, name] of [['light', 1100, 'page'], ['dark', 1100, 'page-dark'], ['light', 320, 'page-narrow'], ['dark', 390, 'page-phone']]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px: nothing sticks out`);
    const least = await leastContrast(page);
    assert.ok(least.contrast >= 4.5, `${scheme}: ${JSON.stringify(least)}`);
    await thumbnails(page);
    await page.evaluate(() => document.activeElement.blur());
    await picture(page, name);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1100, height: 900 });
}

async function removesAndFindsAgain(page, number) {
  await page.locator('#rows tr .remove button').first().click();
  await count(page, 'all', number - 1);
  await page.click('#clear');
  await page.waitForSelector('#results', { state: 'hidden' });
  await page.click('#earlier');
  await count(page, 'done', number - 1);
  await thumbnails(page);
}

/** Where the gateway asks for a token: here, its refusals are played. */
async function asksForTheToken(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.route('**/v1/**', (route) => (route.request().headers().authorization === 'Bearer secret'
    ? route.continue()
    : route.fulfill({ status: 401, body: '{"title":"Token needed","detail":"Send the token."}' })));
  await page.goto(url);
  await page.waitForSelector('#token-dialog[open]');
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#token-wrong:not([hidden])');
  await page.keyboard.type('secret');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#connection[data-state="live"]');
  assert.ok(!await page.isVisible('#token-dialog'));
  await context.close();
}

async function main() {
  const browser = await launch();
  try {
    const page = await open(browser, url);
    const found = await uploads(page);
    await survivesReload(page, found);
    await filtersAndSearches(page, found);
    await showsErrorsWhereTheyBelong(page);
    await givesCsv(page, found);
    await worksByKeyboard(page);
    await fitsScreensAndEyes(page);
    await takesWhatIsPasted(page, found.length + 1);
    await takesFoldersThatAreDropped(page, found.length + 1);
    await triesAgain(page, found.length + 5);
    await removesAndFindsAgain(page, found.length + 5);
    await asksForTheToken(browser);
    assert.deepEqual(page.complaints, []);
    console.log(JSON.stringify(found));
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  // What the browser logged meanwhile is long, and hardly ever the reason.
  console.error(error.stack.replace(/^.*(Browser logs:|\[pid=|<launch).*\n/gm, ''));
  process.exitCode = 1;
});
