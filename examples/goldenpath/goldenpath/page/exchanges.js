// What has been asked and answered: the state that the page shows, fed by HTTP and by events.
//
// An exchange is one question and its answer, that is: one run. What the events say counts until the
// stored messages are there; both may come in any order, several times, and after the other.

import { newUuid } from "./ids.js";

export class Exchange {
  request = null; // UUID, if it was asked here
  run = null; // canonical ID, once the server has accepted it
  question = null;
  questionIds = [];
  answer = "";
  answerIds = [];
  status = "unsent"; // unsent | running | complete | failed | cancelled | lost | refused
  reason = "";
  sent = false; // at least once, be it in vain
  stored = false; // the answer is what the server keeps
  ended = false; // the last event has come
  seq = 0;
  events = []; // the tokens are one entry
  tokens = null;
  replaying = false; // events are missing and have been asked for

  constructor(thread, askedAt) {
    this.thread = thread;
    this.askedAt = askedAt; // seconds since 1970
    this.key = newUuid();
  }

  get running() {
    return this.status === "running";
  }

  /** Forget what the events said, to hear all of them again. */
  rewind() {
    this.seq = 0;
    this.events = [];
    this.tokens = null;
    this.replaying = false;
    if (!this.stored) this.answer = "";
  }
}

export class Exchanges {
  #all = [];

  of(thread) {
    return this.#all.filter((exchange) => exchange.thread === thread);
  }

  /** Those the server has not accepted yet. */
  unsent() {
    return this.#all.filter((exchange) => exchange.status === "unsent");
  }

  running() {
    return this.#all.filter((exchange) => exchange.running);
  }

  withRun(run) {
    return this.#all.find((exchange) => exchange.run === run);
  }

  withRequest(request) {
    return this.#all.find((exchange) => exchange.request === request);
  }

  /** A question that was just asked, or kept from before a reload. */
  ask(thread, question, request = newUuid()) {
    const exchange = this.#add(thread, Date.now() / 1000);
    Object.assign(exchange, { request, question });
    return exchange;
  }

  remove(exchange) {
    this.#all = this.#all.filter((other) => other !== exchange);
  }

  /** The server took the question; it may have done so before, unheard. */
  accept({ request, run }) {
    const exchange = this.withRequest(request);
    if (!exchange || exchange.run === run) return exchange ?? this.withRun(run);
    const known = this.withRun(run);
    if (known) {
      known.request = request;
      this.remove(exchange);
      return known;
    }
    exchange.run = run;
    exchange.status = "running";
    return exchange;
  }

  /** What the server keeps of a thread, and which of its runs are live. */
  load({ id, messages, runs }) {
    for (const message of messages) {
      const exchange = this.withRun(message.run) ?? this.#adopt(id, message) ?? this.#add(id, message.created_at);
      exchange.run = message.run;
      if (message.role === "user") this.#asked(exchange, message, runs);
      else this.#answered(exchange, message);
    }
    this.#all.sort((a, b) => placeOf(a) - placeOf(b));
  }

  #asked(exchange, message, runs) {
    exchange.question = message.text;
    exchange.questionIds = message.ids;
    exchange.askedAt = message.created_at;
    if (exchange.ended) return;
    if (exchange.status === "unsent" || runs.includes(exchange.run)) exchange.status = "running";
  }

  #answered(exchange, message) {
    if (message.status === "running" || (message.status === "lost" && exchange.ended)) return;
    exchange.answer = message.text;
    exchange.answerIds = message.ids;
    exchange.status = message.status;
    exchange.stored = true;
  }

  /** The exchange of a question that was sent from here, if the answer to that got lost on the way. */
  #adopt(thread, { role, text }) {
    return this.unsent().find((one) => role === "user" && one.thread === thread && one.sent && one.question === text);
  }

  #add(thread, askedAt) {
    const exchange = new Exchange(thread, askedAt);
    this.#all.push(exchange);
    return exchange;
  }

  /**
   * Take in one event. Says what came of it: "news", "old" (seen before), "hole" (events before it are
   * missing), "ended" (the last one) or "lost" (the server doesn't know the run any more).
   */
  event(message) {
    let exchange = this.withRun(message.run);
    if (message.seq === undefined) return exchange ? this.#lose(exchange) : "old";
    exchange ??= this.#begun(message);
    if (message.seq <= exchange.seq) return "old";
    if (message.seq > exchange.seq + 1) return "hole";
    exchange.seq = message.seq;
    exchange.replaying = false;
    this.#tell(exchange, message);
    if (!message.final) return "news";
    exchange.ended = true;
    return "ended";
  }

  /** A run that this page has not heard of: asked in another tab, or here a moment ago. */
  #begun({ run, thread, event, at, data }) {
    const mine = event === "agent_started" ? this.withRequest(data.request?.text) : null;
    const exchange = mine ?? this.#add(thread, Date.parse(at) / 1000);
    exchange.run = run;
    exchange.status = "running";
    return exchange;
  }

  #tell(exchange, { event, seq, at, data }) {
    if (event === "token") return this.#token(exchange, seq, at, data.text);
    exchange.events.push({ event, seq, at, data });
    if (event === "agent_started") exchange.question ??= data.text;
    if (event === "agent_failed" || event === "run_failed") exchange.reason = reasonOf(data) || exchange.reason;
    if (exchange.stored) return;
    if (event === "agent_completed") exchange.answer = data.text;
    if (event === "agent_completed" && data.message) exchange.answerIds = [data.message];
    if (event.startsWith("run_")) exchange.status = event === "run_completed" ? "complete" : event.slice("run_".length);
  }

  #token(exchange, seq, at, text) {
    if (exchange.tokens === null) {
      exchange.tokens = { event: "token", first: seq, at, count: 0 };
      exchange.events.push(exchange.tokens);
    }
    exchange.tokens.seq = seq;
    exchange.tokens.count += 1;
    if (!exchange.stored) exchange.answer += text;
  }

  #lose(exchange) {
    if (exchange.running) exchange.status = "lost";
    exchange.ended = true;
    return "lost";
  }

  /** Some events are no longer kept; the answer is read from what is stored. */
  gap({ run, from, to }) {
    const exchange = this.withRun(run);
    if (!exchange || to <= exchange.seq) return;
    exchange.seq = to;
    exchange.replaying = false;
    exchange.events.push({ event: "gap", seq: to, data: { from, to } });
    if (!exchange.stored) exchange.answer += "\n\n…\n\n";
  }
}

/** By the server's clock; what only this page has comes last. */
function placeOf({ run, askedAt }) {
  return run === null ? Infinity : askedAt;
}

function reasonOf({ reason, incident }) {
  return reason ?? (incident ? `incident ${incident}` : "");
}
