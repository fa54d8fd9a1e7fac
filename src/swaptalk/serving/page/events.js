// Hears of changes of jobs. All tabs of a browser share one connection: browsers open only six to a server, and a page
// whose requests find none free stands still.

/**
 * One tab holds the lock and the connection and tells the others. Where there are no locks (http that is not local) every
 * tab has a connection of its own while it can be seen.
 * @param {{job: Function, removed: Function, connection: Function}} on
 * @returns {(revision: number) => void} begins, from a revision on
 */
export function changes(on) {
  const channel = new BroadcastChannel("swaptalk-changes");
  let after = 0;
  let source = null;

  function take({ kind, data }) {
    if (data?.revision > after) after = data.revision;
    on[kind](data);
  }
  function tell(kind, data) {
    take({ kind, data });
    channel.postMessage({ kind, data });
  }
  function connect() {
    if (source) return;
    source = new EventSource(`/api/v1/events?after=${after}`);
    source.addEventListener("job", (event) => tell("job", JSON.parse(event.data)));
    source.addEventListener("removed", (event) => tell("removed", { ...JSON.parse(event.data), revision: Number(event.lastEventId) }));
    source.onopen = () => tell("connection", true);
    source.onerror = () => tell("connection", false);
  }
  function disconnect() {
    source?.close();
    source = null;
  }

  channel.onmessage = (event) => take(event.data);
  return (revision) => {
    after = revision;
    if (navigator.locks) {
      navigator.locks.request("swaptalk-changes", () => { connect(); return new Promise(() => {}); });
      return;
    }
    const follow = () => (document.hidden ? disconnect() : connect());
    document.addEventListener("visibilitychange", follow);
    follow();
  };
}
