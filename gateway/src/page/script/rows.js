// The table: one row for each image, drawn at most once a frame; the filter, the search and the sums above it.

const STATES = { queued: 'waiting', sending: 'waiting', waiting: 'waiting', done: 'done', error: 'error' };
const WORDS = { queued: 'Waits to be sent', waiting: 'Waits for its result' };

const element = (id) => document.getElementById(id);
const rows = new Map();
const undrawn = new Set();
const shown = { filter: 'all', search: '' };
let frame = 0;
let announced = '';
let announcing = 0;

observers.push((what, changed) => {
  if (what === 'added') insertRows(changed);
  if (what === 'removed') changed.forEach(dropRow);
  if (what !== 'removed') changed.forEach((item) => undrawn.add(item));
  drawSoon();
});

function drawSoon() {
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  undrawn.forEach((item) => { if (rows.has(item)) drawRow(item, rows.get(item)); });
  undrawn.clear();
  drawSums();
}

function insertRows(added) {
  const fragment = document.createDocumentFragment();
  added.forEach((item) => fragment.append(makeRow(item)));
  const isBelow = items.indexOf(added[0]) > 0;
  if (isBelow) element('rows').append(fragment);
  else element('rows').prepend(fragment);
}

function makeRow(item) {
  const row = element('row').content.firstElementChild.cloneNode(true);
  row.querySelector('.retry').onclick = () => retry(item);
  row.querySelector('.remove button').onclick = () => removeFromGateway(item, row);
  row.item = item;
  rows.set(item, row);
  seen.observe(row);
  return row;
}

function dropRow(item) {
  seen.unobserve(rows.get(item));
  rows.get(item).remove();
  rows.delete(item);
}

function setText(parent, selector, text) {
  const node = parent.querySelector(selector);
  if (node.textContent !== text) node.textContent = text;
}

function drawRow(item, row) {
  row.dataset.state = item.state;
  setText(row, '.name span', item.name);
  row.querySelector('.name').title = item.name;
  const [label, details] = texts(item);
  setText(row, '.label', label);
  setText(row, '.details', details);
  setText(row, 'td.time', item.state === 'done' ? took(item) : '');
  const share = item.state === 'sending' ? item.sent : item.predictions[0]?.probability ?? 0;
  row.querySelector('.bar span').style.width = `${Math.round(share * 100)}%`;
  row.querySelector('.retry').hidden = item.state !== 'error';
  row.querySelector('.remove button').setAttribute('aria-label', `Remove ${item.name}`);
  const image = row.querySelector('img');
  if (item.thumbnail && image.src !== item.thumbnail) {
    Object.assign(image, { src: item.thumbnail, hidden: false });
    image.previousElementSibling.setAttribute('hidden', '');
  }
  row.hidden = !fits(item);
}

/** What stands large in the row, and what small. */
function texts(item) {
  if (item.state === 'error') return [item.problem.title, item.problem.detail];
  if (item.state === 'sending') return [`Sending, ${Math.round(item.sent * 100)} %`, ''];
  if (item.state !== 'done') return [item.isRestored ? 'Looking it up' : WORDS[item.state], item.problem?.detail ?? ''];
  const [best, ...others] = item.predictions;
  const sure = best ? `${percent(best.probability)}${item.cached ? ', known already' : ''}` : '';
  const also = others.filter((other) => other.probability >= 0.01).slice(0, 2);
  const more = also.map((other) => `${other.label} ${percent(other.probability)}`).join(' · ');
  return [item.label, more ? `${sure} · then ${more}` : sure];
}

function percent(probability) {
  const hundredths = probability * 100;
  return `${hundredths >= 9.95 || hundredths === 0 ? Math.round(hundredths) : hundredths.toFixed(1)}\u{a0}%`;
}

function took(item) {
  const seconds = (Date.parse(item.finishedAt) - Date.parse(item.submittedAt)) / 1000;
  if (!Number.isFinite(seconds)) return '';
  return seconds < 100 ? `${Math.max(0, seconds).toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

function fits(item) {
  const isKind = shown.filter === 'all' || STATES[item.state] === shown.filter;
  const text = `${item.name} ${item.label ?? ''} ${item.problem?.title ?? ''}`.toLocaleLowerCase();
  return isKind && shown.search.split(/\s+/).every((word) => text.includes(word));
}

function redrawAll() {
  items.forEach((item) => { rows.get(item).hidden = !fits(item); });
  drawSums();
}

function drawSums() {
  const counts = { all: items.length, waiting: 0, done: 0, error: 0 };
  let progress = 0;
  items.forEach((item) => {
    counts[STATES[item.state]] += 1;
    progress += { queued: 0, sending: item.sent / 2, waiting: 0.5 }[item.state] ?? 1;
  });
  document.querySelectorAll('[data-count]').forEach((node) => { node.textContent = counts[node.dataset.count]; });
  element('results').hidden = counts.all === 0;
  element('drop').classList.toggle('small', counts.all > 0);
  element('nothing').hidden = counts.all === 0 || items.some(fits);
  element('overall').hidden = counts.waiting === 0;
  element('overall-bar').value = counts.all ? progress / counts.all : 0;
  const sentence = `${counts.done} of ${counts.all} classified${counts.error ? `, ${counts.error} with errors` : ''}`;
  setText(document, '#overall-text', sentence);
  document.title = counts.waiting ? `${counts.done} of ${counts.all} · ${element('fleet-name').textContent}` : element('fleet-name').textContent;
  announceSoon(counts.all ? `${sentence}.` : '');
}

/** For those who hear the page: now and then, and only what is new. */
function announceSoon(sentence) {
  announced = sentence;
  announcing ||= setTimeout(() => {
    announcing = 0;
    setText(document, '#announcer', announced);
  }, 3000);
}

/** A result goes from the gateway and from the list; where the gateway keeps it, the row says why. */
async function removeFromGateway(item, row) {
  const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector('.remove button') ?? element('pick-files');
  try {
    if (item.id) await request(`v1/images/${item.id}`, { method: 'DELETE' });
  } catch (problem) {
    if (problem.status === 405) say('This gateway deletes no results: it is off the list, and kept in its bucket.');
    else if (problem.status !== 404) {
      say(`${item.name} was not removed: ${problem.detail}`);
      return;
    }
  }
  removeItems([item]);
  next.focus();
}

