// The page put together: what the server says goes into the state, and the state is shown.

import { ApiError, call, refresh, threadPath } from "./api.js";
import { scrollToEnd, showChat } from "./chat.js";
import { chip } from "./chips.js";
import { byId, debounced, el, put, reconcile, say } from "./dom.js";
import { Exchanges } from "./exchanges.js";
import { learn } from "./ids.js";
import { Link } from "./link.js";
import { showOpen } from "./open.js";
import { showSignIn } from "./sign-in.js";
import { showStatus } from "./status.js";
import { keepAddress, showThreads, threadInAddress } from "./threads.js";
import { SHOWN_RUNS, showTimeline } from "./timeline.js";

const UNSENT = "goldenpath.unsent"; // questions kept over a reload, in this tab
const SUGGESTIONS = [
  "What is 12.5% of 80?",
  "What does lineage mean here?",
  "How do old and new IDs both resolve?",
];
const REFRESH_BEFORE = 60; // seconds before the token expires
const OPEN_EVERY = 3_000; // ms between two looks at what is open, while something runs
const OPEN_IDLE = 15_000;

let me = null;
let threads = [];
let listed = false; // whether `threads` is what the server says
let making = null; // the thread being made
let current = null; // the open thread
let exchanges = new Exchanges();
let renewal = null;
let openAt = 0;
const attached = new Set(); // runs whose events this connection gets

const question = byId("question");
const link = new Link({ onState, onMessage, onClosed });
const updateStatus = showStatus(link);

// Signing in and out

async function begin() {
  try {
    me = await call("GET", "/api/me");
  } catch (error) {
    if (error.status === 401) return signedOut();
    notice(`${error.message} Trying again…`);
    setTimeout(begin, 2000);
    return;
  }
  notice("");
  learn(me);
  renewBefore(me.expires_at);
  byId("app").hidden = false;
  byId("sign-in").hidden = true;
  showAccount();
  restoreUnsent();
  await loadThreads();
  if (listed) await openWanted();
  link.start();
}

/** Open the thread that the address names, by any of its forms; else the newest one. */
async function openWanted() {
  const wanted = threadInAddress();
  const found = threads.find(({ id, thread }) => id === wanted || Object.values(thread.forms).includes(wanted));
  const thread = (found ?? threads[0])?.id ?? null;
  notice(wanted && !found ? "That thread is unknown, or not yours." : "");
  if (thread === current) keepAddress(thread, { replace: true });
  else await open(thread, { replace: true });
}

function signedOut() {
  clearTimeout(renewal);
  me = null;
  link.stop();
  threads = [];
  listed = false;
  current = null;
  exchanges = new Exchanges();
  show();
  byId("app").hidden = true;
  if (byId("sign-in").hidden) showSignIn(begin);
}

async function logOut() {
  try {
    await call("POST", "/auth/logout");
  } catch (error) {
    return notice(error.message);
  }
  sessionStorage.removeItem(UNSENT);
  keepAddress(null, { replace: true });
  signedOut();
}

function renewBefore(expiresAt) {
  clearTimeout(renewal);
  const seconds = expiresAt - Date.now() / 1000 - REFRESH_BEFORE;
  renewal = setTimeout(renew, Math.min(Math.max(seconds, 5), 24 * 3600) * 1000);
}

/** A connection lives as long as the token that it began with: renew both. */
async function renew() {
  try {
    renewBefore((await refresh()).expires_at);
    link.reconnect();
  } catch (error) {
    if (error.status === 401) signedOut();
    else renewal = setTimeout(renew, 5000);
  }
}

function showAccount() {
  const name = me.name ?? "You";
  say(byId("who"), name);
  say(byId("initial"), name[0].toUpperCase());
  byId("account-ids").replaceChildren(chip(me.user), chip(me.session));
}

// Threads

async function loadThreads() {
  const user = me;
  let loaded;
  try {
    loaded = await call("GET", "/api/threads");
  } catch (error) {
    return failed(error);
  }
  if (me !== user) return; // logged out meanwhile
  threads = loaded;
  listed = true;
  learn(threads);
  show();
}

/** Open a thread, or with null the page to begin one. */
async function open(thread, { replace = false } = {}) {
  keepAddress(thread, { replace });
  current = thread;
  jump = true;
  show();
  if (thread === null) return;
  link.send({ type: "watch", thread });
  await load(thread);
  jump = thread === current;
}

async function load(thread) {
  const user = me;
  let loaded;
  try {
    loaded = await call("GET", threadPath(thread));
  } catch (error) {
    if (me !== user) return undefined;
    if (error.status !== 404) return failed(error);
    notice("This thread is unknown, or not yours.");
    return drop(thread);
  }
  if (me !== user) return undefined;
  learn(loaded);
  exchanges.load(loaded);
  loaded.runs.forEach(subscribe);
  return show();
}

async function drop(thread) {
  exchanges.of(thread).forEach((exchange) => exchanges.remove(exchange));
  keepUnsent();
  await loadThreads();
  if (thread === current) await open(threads[0]?.id ?? null, { replace: true });
}

/** A thread to ask in: the open one if it is empty, else a new one. */
function newThread() {
  if (current !== null && !exchanges.of(current).length) return Promise.resolve(current);
  making ??= makeThread().finally(() => {
    making = null;
  });
  return making;
}

async function makeThread() {
  const made = await call("POST", "/api/threads", {});
  learn(made);
  threads = [made, ...threads];
  await open(made.id);
  return made.id;
}

// Asking

async function ask(text) {
  notice("");
  let thread = current;
  try {
    thread ??= await newThread();
  } catch (error) {
    question.value ||= text;
    grow();
    failed(error);
    return notice(error.message);
  }
  send(exchanges.ask(thread, text));
  keepUnsent();
  jump = true;
  show();
}

function send(exchange) {
  const { thread, request, question: text } = exchange;
  link.send({ type: "watch", thread });
  if (link.send({ type: "chat", thread, request, text })) exchange.sent = true;
}

function askAgain(exchange) {
  if (exchange.status === "refused") exchanges.remove(exchange);
  ask(exchange.question);
}

function keepUnsent() {
  const unsent = exchanges.unsent().map(({ thread, request, question: text }) => ({ thread, request, text }));
  if (unsent.length) sessionStorage.setItem(UNSENT, JSON.stringify({ user: me.user.canonical, unsent }));
  else sessionStorage.removeItem(UNSENT);
}

function restoreUnsent() {
  const kept = JSON.parse(sessionStorage.getItem(UNSENT) ?? "null");
  if (kept?.user !== me.user.canonical) return;
  for (const { thread, request, text } of kept.unsent) {
    if (!exchanges.withRequest(request)) exchanges.ask(thread, text, request).sent = true;
  }
}

// The connection

function onState() {
  updateStatus();
  show();
  if (link.state === "signed-out" && me !== null) signedOut();
}

async function onClosed(code) {
  if (me === null) return;
  if (code === 1008) exchanges.running().forEach((exchange) => exchange.rewind());
  if (code === 1009) exchanges.unsent().forEach((exchange) => refuse(exchange, "the question is too long"));
  if (code === 4404) await dropUnknown();
}

/** Something that was asked for is not there, or not ours any more: find out what. */
async function dropUnknown() {
  await loadThreads();
  const known = new Set(threads.map(({ id }) => id));
  for (const exchange of [...exchanges.unsent(), ...exchanges.running()]) {
    if (!known.has(exchange.thread)) exchanges.remove(exchange);
    else if (exchange.run) exchange.status = "lost"; // unless the thread, loaded again, says that it lives
  }
  keepUnsent();
  if (current !== null && !known.has(current)) await open(threads[0]?.id ?? null, { replace: true });
}

function onMessage(message) {
  learn(message);
  switch (message.type) {
    case "ready":
      return ready(message);
    case "watching":
      return watching(message);
    case "accepted":
      return accepted(message);
    case "event":
      return happened(message);
    case "gap":
      exchanges.gap(message);
      return reloadSoon();
    case "error":
      return refused(message);
    default:
      return undefined; // a newer server may say more
  }
}

async function ready() {
  attached.clear();
  exchanges.running().forEach(({ run }) => subscribe(run));
  exchanges.unsent().forEach(send);
  lookSoon();
  if (current !== null) {
    link.send({ type: "watch", thread: current });
    await load(current);
  }
  await loadThreads();
  if (listed && current === null) await openWanted();
  await checkUser();
}

/** In another tab somebody else may have logged in; the cookie is the same for all tabs. */
async function checkUser() {
  try {
    const { user } = await call("GET", "/api/me");
    if (me !== null && user.canonical !== me.user.canonical) location.reload();
  } catch (error) {
    failed(error);
  }
}

/** Also of runs that have ended the server keeps the events for a while: the timeline shows them again. */
function watching({ thread, runs }) {
  if (thread === current) runs.slice(-SHOWN_RUNS).forEach(({ run }) => subscribe(run));
}

function subscribe(run) {
  const exchange = exchanges.withRun(run);
  if (attached.has(run) || exchange?.ended) return;
  if (link.send({ type: "subscribe", run, last_seq: exchange?.seq ?? 0 })) attached.add(run);
}

function accepted(message) {
  const exchange = exchanges.accept(message);
  keepUnsent();
  if (exchange) subscribe(message.run);
  show();
  reloadSoon(); // for the forms of the new IDs
  listSoon();
}

function happened(message) {
  const outcome = exchanges.event(message);
  if (outcome === "old") return;
  const exchange = exchanges.withRun(message.run);
  if (outcome === "hole") return fetchMissing(exchange);
  if (message.seq) attached.add(message.run);
  if (message.event !== "token") lookSoon();
  if (message.seq === 1) {
    keepUnsent();
    listSoon();
  }
  if (outcome !== "news") finished(exchange, outcome);
  show();
}

function fetchMissing(exchange) {
  if (exchange.replaying) return;
  exchange.replaying = true;
  link.send({ type: "unsubscribe", run: exchange.run });
  link.send({ type: "subscribe", run: exchange.run, last_seq: exchange.seq });
}

function finished(exchange, outcome) {
  attached.delete(exchange.run);
  if (exchange.thread === current && !exchange.stored) {
    const answers = { complete: `The answer: ${exchange.answer}`, cancelled: "The answer was stopped." };
    say(byId("announcer"), answers[exchange.status] ?? "There is no answer.");
  }
  if (outcome === "lost" || !exchange.stored) reloadSoon();
}

function refused({ request, reason }) {
  const exchange = request && exchanges.withRequest(request);
  if (exchange) refuse(exchange, reason);
  else notice(reason);
  show();
}

function refuse(exchange, reason) {
  Object.assign(exchange, { status: "refused", reason });
  keepUnsent();
}

const reloadSoon = debounced(() => current && load(current), 150);
const listSoon = debounced(() => me && loadThreads(), 300);
const lookSoon = debounced(lookOpen, 300);

async function lookOpen() {
  if (me === null) return;
  openAt = Date.now();
  try {
    const { open: nodes } = await call("GET", "/api/open");
    learn(nodes);
    showOpen(nodes, link.connection);
  } catch (error) {
    failed(error);
  }
}

setInterval(() => {
  const every = exchanges.running().length ? OPEN_EVERY : OPEN_IDLE;
  if (document.visibilityState === "visible" && link.state === "live" && Date.now() - openAt >= every) lookOpen();
}, 1000);

// Showing

let waiting = false; // for the next frame
let jump = false; // to the newest message

/** Show the state at the next frame. */
function show() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    showNow();
  });
}

function showNow() {
  const here = current === null ? [] : exchanges.of(current);
  const thread = threads.find(({ id }) => id === current);
  const running = exchanges.running();
  showThreads(threads, current, new Set(running.map((exchange) => exchange.thread)));
  say(byId("thread-title"), thread?.title || "New thread");
  document.title = thread?.title ? `${thread.title} · Golden path` : "Golden path";
  reconcile(byId("thread-id"), thread ? [thread.thread] : [], ({ canonical }) => canonical, (id) => chip(id), () => {});
  byId("empty").hidden = here.length > 0;
  showChat(here, askAgain);
  if (jump) scrollToEnd();
  jump = false;
  showTimeline(here);
  byId("stop").hidden = link.state !== "live" || !here.some((exchange) => exchange.running);
  put(byId("open"), "data-stale", link.state === "live" ? null : "");
  put(byId("app"), "data-busy", running.length ? "" : null);
}

function notice(text) {
  const node = byId("notice");
  node.hidden = !text;
  say(node, text);
}

/** Something in the background went wrong. That the server is not reached, the pill says already. */
function failed(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401) signedOut();
  else if (error.status !== 0) notice(error.message);
}

function grow() {
  question.style.height = "auto";
  if (question.scrollHeight) question.style.height = `${question.scrollHeight}px`; // none while it is hidden
  byId("ask").querySelector(".send").disabled = !question.value.trim();
}

function view(name) {
  put(byId("app"), "data-view", name);
  for (const button of document.querySelectorAll("[data-show]")) {
    put(button, "aria-current", button.dataset.show === name ? "page" : null);
  }
}

// What people do

question.addEventListener("input", grow);
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("ask").requestSubmit();
});
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (!text) return;
  question.value = "";
  grow();
  ask(text);
});
byId("stop").addEventListener("click", () => {
  const running = exchanges.of(current).filter((exchange) => exchange.running);
  for (const { run } of running) link.send({ type: "cancel", run });
});
byId("new-thread").addEventListener("click", async () => {
  view("chat");
  await newThread().catch((error) => notice(error.message));
  question.focus();
});
byId("logout").addEventListener("click", logOut);
byId("thread-list").addEventListener("click", () => view("chat"));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the thread
  question.focus();
});
for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => view(button.dataset.show));
}
addEventListener("hashchange", () => me && openWanted());
byId("suggestions").append(
  ...SUGGESTIONS.map((text) => el("li", {}, el("button", { type: "button", onclick: () => ask(text) }, text))),
);

view("chat");
grow();
begin();
