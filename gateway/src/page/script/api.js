// Speaking to the gateway: its addresses, the token, and its problems as people can read them.

const TOKEN = 'classifierfleet.token';
let token = sessionStorage.getItem(TOKEN) ?? '';
let askedForToken = null;

/** Why something was not done; `status` is 0 when there was no answer at all. */
class Problem extends Error {
  constructor(status, title, detail, retryAfter) {
    super(detail);
    Object.assign(this, { status, title, detail, retryAfter });
  }

  static unreachable() {
    return new Problem(0, 'The gateway cannot be reached', 'Check the connection; it will be tried again.');
  }

  /** Out of an answer that is none of the good ones. */
  static of(status, text, retryAfter) {
    let problem = {};
    try {
      problem = JSON.parse(text) ?? {};
    } catch {
      // Something between us and the gateway answered.
    }
    const title = problem.title ?? `The answer was ${status}`;
    const detail = problem.detail ?? 'The gateway, or something in front of it, gave no reason. Try again.';
    const seconds = Number.parseFloat(retryAfter ?? '');
    return new Problem(status, title, detail, Number.isFinite(seconds) ? seconds : undefined);
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return [0, 408, 425, 429, 500, 502, 503, 504].includes(this.status);
  }
}

/** Relative to the page, so that it works below any path of a proxy. */
function address(path) {
  return new URL(path, document.baseURI).href;
}

function authorization() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** A good answer, or a Problem. Asks for the token when the gateway wants one. */
async function request(path, options = {}) {
  for (;;) {
    const used = token;
    let response;
    try {
      response = await fetch(address(path), { ...options, headers: { ...options.headers, ...authorization() } });
    } catch (error) {
      throw error.name === 'AbortError' ? error : Problem.unreachable();
    }
    if (response.status === 401) {
      await anotherToken(used);
    } else if (response.ok) {
      return response;
    } else {
      throw Problem.of(response.status, await response.text().catch(() => ''), response.headers.get('retry-after'));
    }
  }
}

/** Returns once there is another token than the one that was refused. All who need one wait for the same dialog. */
async function anotherToken(refused) {
  if (token !== refused) return;
  askedForToken ??= askForToken(refused !== '').finally(() => { askedForToken = null; });
  await askedForToken;
}

function askForToken(wasWrong) {
  const [dialog, form, input] = ['token-dialog', 'token-form', 'token-input'].map((id) => document.getElementById(id));
  document.getElementById('token-wrong').hidden = !wasWrong;
  input.value = '';
  dialog.showModal();
  return new Promise((resolve, reject) => {
    const refuse = () => reject(new Problem(401, 'A token is needed', 'Choose Retry, or load the page again, to give one.'));
    form.onsubmit = (event) => {
      event.preventDefault();
      token = input.value.trim();
      sessionStorage.setItem(TOKEN, token);
      dialog.onclose = null;
      dialog.close();
      resolve();
    };
    document.getElementById('token-cancel').onclick = () => dialog.close();
    dialog.onclose = refuse;
  });
}

function sleep(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}

/** Twice as long each time, up to half a minute, and never the same for all. */
function backoff(attempt) {
  return Math.min(30_000, 1000 * 2 ** attempt) * (0.5 + Math.random() / 2);
}

/** Random and unguessable; crypto.randomUUID is for secure origins alone. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

