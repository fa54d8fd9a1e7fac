// Talks to the server. Every failure becomes a Problem with words for people.

/** A request without an answer after so many milliseconds is given up. */
const PATIENCE = 30_000;

export class Problem extends Error {
  /** @param {{title?: string, detail: string, remedy?: string, field?: string, status?: number}} said */
  constructor(said) {
    super(said.detail);
    Object.assign(this, { title: "This did not work", remedy: "", field: "", status: 0 }, said);
  }
}

const UNREACHABLE = {
  title: "The server does not answer",
  detail: "The page cannot reach the program behind it.",
  remedy: "See whether “swaptalk serve” is still running, then try again. Nothing that was sent is lost.",
};

let askForKey = async () => {};
/** @param {() => Promise<void>} ask shows the dialog that makes a session */
export function onKeyNeeded(ask) { askForKey = ask; }

function problemOf(status, text) {
  try {
    const said = JSON.parse(text);
    if (said.detail) return new Problem({ ...said, status });
  } catch { /* not from our server: a proxy's page */ }
  return new Problem({ detail: `The server answered with the number ${status}.`, status, remedy: "Try again." });
}

/** Sends a request and gives the JSON of the answer. */
export async function call(method, path, body, headers = {}) {
  let answer, text;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(path.endsWith("/speech") ? 3 * PATIENCE : PATIENCE),
    });
    text = await answer.text();
  } catch {
    throw new Problem(UNREACHABLE);
  }
  if (answer.status === 401 && path !== "/api/v1/session") {
    await askForKey();
    return call(method, path, body, headers);
  }
  if (!answer.ok) throw problemOf(answer.status, text);
  return text ? JSON.parse(text) : null;
}

/**
 * Sends a file; `told` hears shares from 0 to 1. XMLHttpRequest, because fetch does not tell how far it is.
 * @param {Blob} file @param {string} name @param {(share: number) => void} told
 */
export function upload(file, name, told, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stalled = 0;
    const watch = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => { reject(new Problem(UNREACHABLE)); request.abort(); }, PATIENCE);
    };
    request.open("POST", `/api/v1/uploads?name=${encodeURIComponent(name.slice(-200))}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => { watch(); told(event.total ? event.loaded / event.total : 0); };
    request.onloadend = () => clearTimeout(stalled);
    request.onload = async () => {
      if (request.status === 200 || request.status === 201) return resolve(JSON.parse(request.responseText));
      if (request.status === 401) {
        await askForKey();
        return upload(file, name, told, signal).then(resolve, reject);
      }
      reject(problemOf(request.status, request.responseText));
    };
    request.onerror = () => reject(new Problem(UNREACHABLE));
    request.onabort = () => reject(new DOMException("another file was chosen", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    watch();
    request.send(file);
  });
}
