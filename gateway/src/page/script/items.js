// The list: what is known of each image, in order, kept over reloads. Knows nothing of how it is shown.

const KEPT = `classifierfleet.results:${location.pathname}`;
const KEPT_ITEMS = 2000;
const EARLY_VIEWS = 500;

/** All images of the list, the newest first. */
let items = [];
const itemsById = new Map();
/** What was told of images before their upload was answered. */
const early = new Map();
/** Called with 'added', 'changed' or 'removed' and the images. */
const observers = [];
let saving = 0;

function tell(what, changed) {
  observers.forEach((observer) => observer(what, changed));
}

/** `state`: queued, sending, waiting, done or error. */
function newItem(fields) {
  return { id: undefined, name: '', state: 'waiting', sent: 0, predictions: [], since: Date.now(), ...fields };
}

function addItems(added, where) {
  items = where === 'below' ? [...items, ...added] : [...added, ...items];
  added.filter((item) => item.id).forEach((item) => itemsById.set(item.id, item));
  tell('added', added);
  save();
}

function removeItems(removed) {
  const gone = new Set(removed);
  items = items.filter((item) => !gone.has(item));
  removed.forEach((item) => {
    itemsById.delete(item.id);
    if (item.thumbnail) URL.revokeObjectURL(item.thumbnail);
  });
  tell('removed', removed);
  save();
}

function change(item, fields) {
  Object.assign(item, fields);
  tell('changed', [item]);
}

/** The image has its id. Its result may have been told before this. */
function accepted(item, view) {
  itemsById.set(view.id, item);
  change(item, { ...known(view), id: view.id, acceptedAt: Date.now() });
  const told = early.get(view.id);
  early.delete(view.id);
  if (told) change(item, known(told));
  save();
}

/** What the gateway says of an image, whether it is in the list or not yet. */
function learn(view) {
  const item = itemsById.get(view.id);
  if (item) {
    if (view.status !== 'Pending' || item.state === 'waiting') change(item, known(view));
    return;
  }
  early.set(view.id, view);
  if (early.size > EARLY_VIEWS) early.delete(early.keys().next().value);
}

/** An image's fields out of the gateway's view of it. */
function known(view) {
  const fields = { name: view.name, submittedAt: view.submittedAt, finishedAt: view.finishedAt, cached: view.cached === true };
  switch (view.status) {
    case 'Classified':
      return { ...fields, state: 'done', label: view.result ?? view.label ?? '', predictions: view.predictions ?? [], problem: undefined };
    case 'Failed':
    case 'Refused':
      return { ...fields, state: 'error', problem: { title: 'It cannot be classified', detail: view.message ?? view.detail ?? '' } };
    default:
      return { ...fields, state: 'waiting', problem: undefined };
  }
}

function fail(item, problem) {
  change(item, { state: 'error', problem: { title: problem.title, detail: problem.detail } });
}

/** Soon, and once for many changes. */
function save() {
  saving ||= setTimeout(saveNow, 500);
}

function saveNow() {
  clearTimeout(saving);
  saving = 0;
  const kept = items.filter((item) => item.id).slice(0, KEPT_ITEMS).map(({ id, name }) => ({ id, name }));
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // Full or forbidden: the list then lives as long as the page.
  }
}

/** The list of the last visit, whose results are still to be asked for. */
function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? '[]').filter((item) => typeof item?.id === 'string');
    addItems(kept.map(({ id, name }) => newItem({ id, name: String(name), isRestored: true, since: 0 })), 'below');
  } catch {
    localStorage.removeItem(KEPT);
  }
}

