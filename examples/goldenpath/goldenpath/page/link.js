// One WebSocket to the server, kept alive: a ticket for each connection, back-off between attempts, and a
// watch over silence, sleep and the network, since a dead TCP connection says nothing.

import { ApiError, call, refresh } from "./api.js";

const PROTOCOL = "canonid.v1";
const READY_WITHIN = 10_000; // ms from opening to the server's `ready`
const SILENCE = 50_000; // ms; the server pings every 20 s
const CHECK_EVERY = 2_000;
const SLEPT = 10_000; // a check that comes this late: the machine was asleep, or the tab was frozen
const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;
const STEADY = 5_000; // a connection that lived this long makes the next delay a first one

export const CODES = {
  1000: "done",
  1001: "page or server went away",
  1006: "connection lost",
  1008: "against the rules",
  1009: "message too big",
  1011: "server error",
  1012: "server restarting",
  1013: "too slow to keep up",
  4401: "not signed in, or not any more",
  4404: "unknown, or not yours",
};

/**
 * `states` are signed-out, connecting, live and reconnecting. Calls back `onState()`, `onMessage(message)`
 * and, before it reconnects, `await onClosed(code)`.
 */
export class Link {
  state = "signed-out";
  connection = null; // canonical ID, while live
  session = null;
  last = null; // the last close: {code, reason, at}
  retryAt = 0;

  #socket = null;
  #attempt = 0; // grows with each; what an older one still reports is ignored
  #failures = 0;
  #liveSince = 0;
  #heardAt = 0;
  #checkedAt = Date.now();
  #timer = null;
  #callbacks;

  constructor(callbacks) {
    this.#callbacks = callbacks;
    setInterval(() => this.#check(), CHECK_EVERY);
    addEventListener("online", () => this.reconnect());
    document.addEventListener("visibilitychange", () => this.#looked());
    addEventListener("pageshow", (event) => event.persisted && this.reconnect());
    addEventListener("pagehide", () => this.#drop());
  }

  start() {
    this.#failures = 0;
    this.#connect();
  }

  /** Close for good: signed out. */
  stop() {
    this.#drop();
    this.#become("signed-out");
  }

  /** Whether the message was handed to a live connection. */
  send(message) {
    if (this.state !== "live") return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Replace the connection, or stop waiting for the next attempt. */
  reconnect() {
    if (this.state === "signed-out") return;
    this.#failures = 0;
    this.#connect();
  }

  async #connect() {
    this.#drop();
    const attempt = this.#attempt;
    this.#become("connecting");
    try {
      const { ticket } = await call("POST", "/api/ticket");
      if (attempt === this.#attempt) this.#open(attempt, ticket);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) this.stop();
      else this.#later();
    }
  }

  #open(attempt, ticket) {
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, [PROTOCOL, `ticket.${ticket}`]);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(), READY_WITHIN);
    socket.onmessage = (event) => attempt === this.#attempt && this.#heard(JSON.parse(event.data));
    socket.onclose = (event) => attempt === this.#attempt && this.#closed(event.code, event.reason);
  }

  #heard(message) {
    this.#heardAt = Date.now();
    if (message.type === "ping") {
      this.#socket.send(JSON.stringify({ type: "pong", n: message.n }));
      return;
    }
    if (message.type === "ready") {
      clearTimeout(this.#timer);
      this.#liveSince = Date.now();
      this.connection = message.connection;
      this.session = message.session;
      this.#become("live");
    }
    this.#callbacks.onMessage(message);
  }

  async #closed(code, reason) {
    const steady = this.state === "live" && Date.now() - this.#liveSince >= STEADY;
    if (steady) this.#failures = 0;
    this.last = { code, reason, at: Date.now() };
    this.#drop();
    const attempt = this.#attempt;
    this.#become("connecting");
    await this.#callbacks.onClosed(code);
    if (attempt !== this.#attempt) return;
    if (code !== 4401) return this.#later();
    try {
      await refresh();
    } catch (error) {
      if (attempt !== this.#attempt) return;
      return error.status === 401 ? this.stop() : this.#later();
    }
    if (attempt !== this.#attempt) return;
    if (steady) this.#connect();
    else this.#later();
  }

  /** Nothing can be heard any more; the browser would take minutes to say so. */
  #lost() {
    this.#closed(1006, "no sign of life");
  }

  #later() {
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    const delay = longest / 2 + (Math.random() * longest) / 2; // not everybody at once after a restart
    this.#failures += 1;
    this.retryAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#become("reconnecting");
  }

  #drop() {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
    this.connection = null;
  }

  #looked() {
    if (document.visibilityState === "visible" && this.state === "reconnecting") this.reconnect();
    else this.#check();
  }

  #check() {
    const now = Date.now();
    const slept = now - this.#checkedAt > SLEPT;
    this.#checkedAt = now;
    if (this.state === "reconnecting" && slept) this.reconnect();
    if (this.state !== "live") return;
    const silent = now - this.#heardAt;
    if (silent > SILENCE) this.#lost();
    else if (slept && silent > SLEPT) this.reconnect(); // a frozen tab still hears pings; a sleeping machine doesn't
  }

  #become(state) {
    this.state = state;
    this.#callbacks.onState();
  }
}
