// Files on their way: some at once, tried again as long as that makes sense. A key for each file makes trying again safe.

const SENT_AT_ONCE = 6;
const ATTEMPTS = 6;

const toSend = [];
let sending = 0;
let pausedUntil = 0;

/** Files into the list and on their way. */
function addFiles(files) {
  const added = files.map((file) => newItem({ file, name: file.name, state: 'queued', key: randomKey(), attempt: 0 }));
  addItems(added, 'above');
  added.forEach((item) => wantThumbnail(item, async () => item.file));
  toSend.push(...added);
  sendNext();
}

/** Sends an image again, from the file or from what the gateway keeps. */
async function retry(item) {
  change(item, { state: 'queued', sent: 0, problem: undefined, attempt: 0, since: Date.now(), key: item.isUnanswered ? item.key : randomKey() });
  try {
    item.file ??= new File([await content(item)], item.name);
    itemsById.delete(item.id);
    item.id = undefined;
    toSend.push(item);
    sendNext();
  } catch (problem) {
    fail(item, new Problem(problem.status, 'It cannot be sent again', 'The gateway no longer has the image: add the file again.'));
  }
}

function sendNext() {
  const pause = pausedUntil - Date.now();
  if (pause > 0) {
    setTimeout(sendNext, pause + 10);
    return;
  }
  while (sending < SENT_AT_ONCE && toSend.length > 0) {
    const item = toSend.shift();
    if (items.includes(item)) send(item);
  }
}

async function send(item) {
  sending += 1;
  change(item, { state: 'sending', sent: 0 });
  const used = token;
  const answer = await post(item);
  sending -= 1;
  await received(item, answer, used);
  sendNext();
}

/** One request; its upload's progress is only told to XMLHttpRequest. */
function post(item) {
  const form = new FormData();
  form.append('file', item.file, item.name);
  const call = new XMLHttpRequest();
  call.open('POST', address('v1/images'));
  const headers = { ...authorization(), Accept: 'application/json', 'Idempotency-Key': item.key };
  Object.entries(headers).forEach(([name, value]) => call.setRequestHeader(name, value));
  call.upload.onprogress = ({ loaded, total }) => change(item, { sent: total > 0 ? loaded / total : 0 });
  return new Promise((resolve) => {
    const end = () => resolve({ status: call.status, text: call.responseText, retryAfter: call.getResponseHeader('retry-after') });
    Object.assign(call, { onload: end, onerror: end, onabort: end });
    call.send(form);
  });
}

async function received(item, { status, text, retryAfter }, used) {
  item.isUnanswered = status === 0;
  if (status === 202) {
    accepted(item, JSON.parse(text).images[0]);
    return;
  }
  const problem = status === 0 ? Problem.unreachable() : Problem.of(status, text, retryAfter);
  try {
    if (status === 401) {
      await anotherToken(used);
    } else if (status === 429) {
      pause(problem.retryAfter ?? 5);
    } else if (problem.passes && item.attempt < ATTEMPTS) {
      await again(item, problem);
    } else {
      throw problem;
    }
  } catch (final) {
    fail(item, final);
    return;
  }
  change(item, { state: 'queued', sent: 0 });
  toSend.unshift(item);
}

/** The gateway has as many as it takes: none is sent for a while, which is no failure. */
function pause(seconds) {
  pausedUntil = Date.now() + seconds * 1000 * (1 + Math.random() / 4);
}

async function again(item, problem) {
  change(item, { state: 'queued', sent: 0, problem: { title: problem.title, detail: 'It is tried again.' } });
  await sleep(Math.max((problem.retryAfter ?? 0) * 1000, backoff(item.attempt)));
  item.attempt += 1;
  item.problem = undefined;
}

