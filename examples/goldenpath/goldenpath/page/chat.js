// The middle: questions and answers of one thread.

import { chip, updateChip } from "./chips.js";
import { byId, el, put, reconcile, say } from "./dom.js";
import { rendered } from "./markup.js";

const NEAR_END = 80; // px from the end within which the view follows the answer

const scroller = byId("scroller");
const messages = byId("messages");
const toEnd = byId("to-end");
let following = true;

/** Show a thread's exchanges; `askAgain(exchange)` is called from the ones that went wrong. */
export function showChat(exchanges, askAgain) {
  reconcile(
    messages,
    exchanges,
    (exchange) => exchange.key,
    () => el("article", { class: "exchange" }, message("user"), message("assistant")),
    (node, exchange) => update(node, exchange, askAgain),
  );
  if (following) scrollToEnd();
}

export function scrollToEnd() {
  scroller.scrollTop = scroller.scrollHeight;
  following = true;
}

function message(role) {
  return el(
    "div",
    { class: `message ${role}`, "data-testid": "message", "data-role": role },
    el("span", { class: "hidden" }, role === "user" ? "You asked: " : "The answer: "),
    el("div", { class: "bubble" }),
    el("div", { class: "outcome" }),
    el("div", { class: "chips" }),
  );
}

function update(node, exchange, askAgain) {
  const [user, assistant] = node.children;
  const sent = exchange.run !== null;
  put(user, "data-status", sent ? "complete" : exchange.status);
  const asked = exchange.questionIds.filter((id) => id.kind !== "run");
  fill(user, exchange.question ?? "…", asked, sent ? null : outcomeOf(exchange), exchange, askAgain);
  assistant.hidden = !sent;
  put(assistant, "data-status", exchange.status);
  put(assistant, "data-run", exchange.run);
  put(assistant, "aria-busy", String(exchange.running));
  const ids = exchange.answerIds.filter((id) => id.kind !== "run");
  if (sent) fill(assistant, exchange.answer, [...ids, exchange.run], outcomeOf(exchange), exchange, askAgain);
}

function fill(node, text, ids, outcome, exchange, askAgain) {
  const [, bubble, below, chips] = node.children;
  bubble.hidden = !text;
  if (bubble.shows !== text) {
    bubble.shows = text;
    bubble.replaceChildren(...(node.dataset.role === "user" ? [el("p", { class: "asked" }, text)] : rendered(text)));
  }
  below.hidden = outcome === null;
  if (below.shows !== outcome?.text) {
    below.shows = outcome?.text;
    below.replaceChildren(...(outcome ? outcomeNodes(outcome, exchange, askAgain) : []));
  }
  reconcile(chips, ids, (id) => id.canonical ?? id, (id) => chip(id), updateChip);
}

function outcomeNodes({ text, again, busy }, exchange, askAgain) {
  return [
    busy ? el("span", { class: "busy", "aria-hidden": "true" }) : null,
    el("span", {}, text),
    again ? el("button", { class: "link", type: "button", onclick: () => askAgain(exchange) }, "Ask again") : null,
  ].filter(Boolean);
}

/** What is to be said about an exchange beside its texts: {text, again, busy} or null. */
function outcomeOf({ status, reason, answer, events }) {
  switch (status) {
    case "unsent":
      return { text: "Not sent yet; it will be when the connection is back.", busy: true };
    case "refused":
      return { text: `Not accepted: ${reason}.`, again: true };
    case "running":
      return answer ? null : { text: activityOf(events), busy: true };
    case "failed":
      return { text: `Failed${reason ? `: ${reason}` : ""}.`, again: true };
    case "cancelled":
      return { text: "Stopped.", again: true };
    case "lost":
      return { text: "Lost: the server stopped while it was answering.", again: true };
    default:
      return null;
  }
}

function activityOf(events) {
  const last = events.at(-1);
  if (last?.event === "tool_executing") return `Using ${last.data.name.replaceAll("_", " ")}…`;
  return "Thinking…";
}

scroller.addEventListener("scroll", () => {
  following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END;
  toEnd.hidden = following;
});
new ResizeObserver(() => following && scrollToEnd()).observe(scroller);
toEnd.addEventListener("click", () => scroller.scrollTo({ top: scroller.scrollHeight, behavior: "smooth" }));
