// What happens at the gateway, as it happens; and asking for what was missed. Server-sent events through fetch, as EventSource
// can send no token.

const CATCH_UP_EVERY = 5000;
const ASKED_AT_ONCE = 100;
/** The gateway says something every 15 s; after three of these it is gone. */
const SILENCE = 50_000;

/** Whether the gateway tells of many images in one answer. */
let asksForMany = true;
let wakeUp = () => {};

/** Listens for ever, going on where it was after each interruption. */
async function listen(onFleet, onConnection) {
  let last = '';
  for (let attempt = 0; ; attempt += 1) {
    try {
      const silence = new AbortController();
      const headers = { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) };
      const response = await request('v1/events', { headers, signal: silence.signal });
      onConnection('live');
      loadFleet(onFleet);
      attempt = 0;
      for await (const event of serverSent(response.body, silence)) {
        last = event.id || last;
        if (event.name === 'image') learn(JSON.parse(event.data));
        if (event.name === 'fleet') onFleet(JSON.parse(event.data));
        if (event.name === 'reset') catchUp(0);
      }
    } catch {
      // What went wrong, the indicator says; what was missed is caught up with.
    }
    onConnection('lost');
    await Promise.race([sleep(backoff(attempt)), new Promise((resolve) => { wakeUp = resolve; })]);
  }
}

/** The events in a stream of bytes, until it ends or is silent for too long. */
async function* serverSent(body, silence) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let [rest, event] = ['', {}];
  for (;;) {
    const timer = setTimeout(() => silence.abort(), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const lines = (rest + value).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data !== undefined) yield event;
        event = {};
      } else {
        readField(event, line);
      }
    }
  }
}

function readField(event, line) {
  const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
  if (field === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`;
  if (field === 'event') event.name = value;
  if (field === 'id') event.id = value;
}

async function loadFleet(onFleet) {
  try {
    onFleet(await (await request('v1/fleet')).json());
  } catch {
    // The strip says nothing then.
  }
}

/** Asks for images that have waited for so long without news, now and from time to time. */
async function keepCatchingUp() {
  for (;;) {
    await catchUp(CATCH_UP_EVERY).catch(() => {});
    await sleep(CATCH_UP_EVERY);
  }
}

async function catchUp(age) {
  const waited = items.filter((item) => item.id && item.state === 'waiting' && Date.now() - (item.acceptedAt ?? 0) >= age);
  for (let begin = 0; begin < waited.length; begin += ASKED_AT_ONCE) {
    await askFor(waited.slice(begin, begin + ASKED_AT_ONCE));
  }
}

async function askFor(asked) {
  if (asksForMany) {
    try {
      const answer = await (await request(`v1/images?ids=${asked.map((item) => item.id).join(',')}`)).json();
      answer.images.forEach(learn);
      const found = new Set(answer.images.map((view) => view.id));
      asked.filter((item) => !found.has(item.id)).forEach(forget);
      return;
    } catch (problem) {
      if (![400, 404, 405].includes(problem.status)) throw problem;
      asksForMany = false;
    }
  }
  await Promise.all(asked.slice(0, 20).map(askForOne));
}

async function askForOne(item) {
  try {
    learn(await (await request(`v1/images/${item.id}`)).json());
  } catch (problem) {
    if (problem.status === 404) forget(item);
  }
}

/** The gateway knows nothing of an image any more. */
function forget(item) {
  fail(item, { title: 'No longer kept', detail: 'Its bucket has let it go. Remove it from the list, or add the file again.' });
}

let earlierThan;

/** Earlier results of the fleet, whoever uploaded them. Returns whether there may be more. */
async function loadEarlier() {
  // Ids begin with the time: the smallest is the oldest.
  earlierThan ??= items.map((item) => item.id).filter(Boolean).reduce((oldest, id) => (oldest < id ? oldest : id), '');
  const page = await (await request(`v1/images?limit=50${earlierThan ? `&before=${earlierThan}` : ''}`)).json();
  const unknown = page.images.filter((view) => !itemsById.has(view.id));
  addItems(unknown.map((view) => newItem({ id: view.id, ...known(view) })), 'below');
  earlierThan = page.next;
  return page.next !== undefined;
}

