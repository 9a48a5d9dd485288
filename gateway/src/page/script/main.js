// What people do, and what the page does of itself.

let toasting = 0;

/** A sentence at the lower edge, for eyes and for ears. */
function say(sentence) {
  const toast = element('toast');
  Object.assign(toast, { textContent: sentence, hidden: false });
  setText(document, '#announcer', sentence);
  clearTimeout(toasting);
  toasting = setTimeout(() => { toast.hidden = true; }, 6000);
}

function showConnection(state) {
  element('connection').dataset.state = state;
  setText(document, '#connection-text', { live: 'Live', lost: 'Reconnecting' }[state]);
}

function choose(input, add) {
  const files = Array.from(input.files);
  input.value = '';
  add(files);
}

function listenToPicks() {
  element('pick-files').onclick = () => element('files').click();
  element('pick-folder').onclick = () => element('folder').click();
  element('files').onchange = ({ target }) => choose(target, addFiles);
  element('folder').onchange = ({ target }) => choose(target, addFolder);
  // Phones have no folders to choose.
  element('pick-folder').hidden = !('webkitdirectory' in element('folder')) || matchMedia('(pointer: coarse) and (hover: none)').matches;
  addEventListener('paste', ({ clipboardData }) => {
    if (clipboardData?.files.length) addFiles(Array.from(clipboardData.files));
  });
}

/** Anywhere on the page: a file that misses the box would otherwise be opened in its place. */
function listenToDrops() {
  const isFiles = (event) => event.dataTransfer?.types.includes('Files');
  const mark = (isOver) => document.body.classList.toggle('over', isOver);
  addEventListener('dragover', (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) mark(false); });
  addEventListener('drop', (event) => {
    mark(false);
    if (!isFiles(event)) return;
    event.preventDefault();
    addDropped(event.dataTransfer).catch(() => say('What was dropped cannot be read.'));
  });
}

function listenToTools() {
  element('filter').onchange = ({ target }) => { shown.filter = target.value; redrawAll(); };
  element('search').oninput = ({ target }) => { shown.search = target.value.trim().toLocaleLowerCase(); redrawAll(); };
  element('copy-csv').onclick = copyCsv;
  element('download-csv').onclick = downloadCsv;
  element('clear').onclick = clearList;
  element('earlier').onclick = showEarlier;
}

/** Off the list, not off the gateway: they can be loaded again. */
function clearList() {
  const waiting = items.filter((item) => item.state === 'queued' || item.state === 'sending').length;
  if (waiting > 0 && !confirm(`${waiting} images are not uploaded yet. Clear the list all the same?`)) return;
  toSend.length = 0;
  removeItems(items);
  earlierThan = undefined;
  element('earlier').hidden = false;
  element('pick-files').focus();
}

async function showEarlier() {
  const button = element('earlier');
  button.disabled = true;
  try {
    const before = items.length;
    const hasMore = await loadEarlier();
    button.hidden = !hasMore;
    say(items.length === before ? 'There are no earlier results.' : `${items.length - before} earlier results are in the list.`);
  } catch (problem) {
    button.hidden = [404, 405].includes(problem.status);
    say(button.hidden ? 'This gateway does not list earlier results.' : problem.detail);
  }
  button.disabled = false;
}

function begin() {
  listenToPicks();
  listenToDrops();
  listenToTools();
  restore();
  addEventListener('pagehide', () => { saveNow(); keepSamples(); });
  addEventListener('online', () => wakeUp());
  addEventListener('visibilitychange', () => { if (!document.hidden) wakeUp(); });
  addEventListener('beforeunload', (event) => {
    if (items.some((item) => item.state === 'queued' || item.state === 'sending')) event.preventDefault();
  });
  setInterval(sample, SAMPLE_EVERY);
  sample();
  listen(drawFleet, showConnection);
  keepCatchingUp();
}

begin();
