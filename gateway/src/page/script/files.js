// Files in, by dropping, choosing or pasting; a table out, as CSV.

const LEFT_OUT = new Set(['thumbs.db', 'desktop.ini']);

/** Whether a file of a folder is meant: what nobody chose one by one may be anything. */
function isMeant(file) {
  const isHidden = file.name.startsWith('.') || LEFT_OUT.has(file.name.toLowerCase());
  return !isHidden && (file.type === '' || file.type.startsWith('image/'));
}

function addFolder(files) {
  const meant = files.filter(isMeant);
  if (meant.length < files.length) say(`${files.length - meant.length} of ${files.length} files are no images and were left out.`);
  addFiles(meant);
}

/** All that was dropped. Entries must be taken before the event is over, their files come later. */
async function addDropped(transfer) {
  const entries = Array.from(transfer.items ?? [], (item) => item.kind === 'file' && item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = Array.from(transfer.files);
  if (entries.every((entry) => entry.isFile)) {
    addFiles(plain);
    return;
  }
  const found = await Promise.all(entries.map(filesOf));
  addFiles(entries.flatMap((entry, index) => (entry.isFile ? found[index] : [])));
  addFolder(entries.flatMap((entry, index) => (entry.isFile ? [] : found[index])));
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // It tells a hundred or so at a time.
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (some.length === 0) return found;
    for (const child of some) found.push(...await filesOf(child));
  }
}

/** The rows that are shown, as RFC 4180 has it; what a spreadsheet would take for a formula is made text. */
function csv() {
  const header = ['name', 'status', 'label', 'probability', 'id', 'submittedAt', 'finishedAt', 'error'];
  const lines = items.filter(fits).map((item) => [
    item.name, { done: 'Classified', error: 'Failed' }[item.state] ?? 'Pending', item.label ?? '',
    item.predictions[0]?.probability ?? '', item.id ?? '', item.submittedAt ?? '', item.finishedAt ?? '', item.problem?.detail ?? '',
  ]);
  return [header, ...lines].map((line) => line.map(cell).join(',')).join('\r\n').concat('\r\n');
}

function cell(value) {
  const text = String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

async function copyCsv() {
  const text = csv();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard is for secure origins alone; a selection is for all.
    const area = Object.assign(document.createElement('textarea'), { value: text, className: 'hidden' });
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    element('copy-csv').focus();
  }
  say(`${items.filter(fits).length} rows are on the clipboard.`);
}

function downloadCsv() {
  const url = URL.createObjectURL(new Blob(['\u{feff}', csv()], { type: 'text/csv' }));
  Object.assign(document.createElement('a'), { href: url, download: 'results.csv' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

