// On the left: the threads, newest first, and which one is open. The address holds it: #thread=<ID>.

import { byId, el, put, reconcile, say } from "./dom.js";

const list = byId("thread-list");
const nothing = el("p", { class: "nothing" }, "No threads yet: ask something.");
list.before(nothing);

/** The thread that the address names, or null. */
export function threadInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("thread");
}

/** Let the address name a thread, or none; `replace` leaves no trace in the history. */
export function keepAddress(thread, { replace = false } = {}) {
  if (threadInAddress() === thread) return;
  const address = thread ? `#thread=${encodeURIComponent(thread)}` : location.pathname;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}

/** Show the threads; `live` are the IDs of those in which something runs. */
export function showThreads(threads, current, live) {
  nothing.hidden = threads.length > 0;
  reconcile(
    list,
    threads,
    ({ id }) => id,
    ({ id }) =>
      el(
        "li",
        {},
        el(
          "a",
          { href: `#thread=${encodeURIComponent(id)}` },
          el("span", { class: "thread-title" }),
          el("span", { class: "running", role: "img", "aria-label": "is being answered", hidden: "" }),
          el("time", { class: "time" }),
        ),
      ),
    (node, { id, title, created_at: createdAt }) => {
      const [name, running, time] = node.firstElementChild.children;
      put(node.firstElementChild, "aria-current", id === current ? "page" : null);
      say(name, title || "New thread");
      running.hidden = !live.has(id);
      say(time, ageOf(createdAt * 1000));
    },
  );
}

function ageOf(at) {
  const date = new Date(at);
  const today = new Date().toDateString() === date.toDateString();
  if (today) return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return date.toLocaleDateString([], { day: "numeric", month: "short" });
}
