// On the right, above: the events of the runs in the open thread, as they come.

import { LONG, chip, updateChip } from "./chips.js";
import { byId, el, put, reconcile, say } from "./dom.js";

export const SHOWN_RUNS = 5; // at most, newest first
const LONGEST = 160; // characters of an event's text

const list = byId("timeline");
const nothing = el(
  "div",
  { class: "nothing" },
  el("p", {}, "Ask something, and what the agent does shows up here:"),
  el(
    "dl",
    {},
    [
      ["agent_started", "the question has reached the agent"],
      ["agent_thinking", "it decides what to do"],
      ["tool_executing", "it calculates, or searches the docs"],
      ["tool_completed", "the tool’s result is back"],
      ["agent_completed", "the whole answer is written and stored"],
    ].map(([event, meaning]) => el("div", {}, el("dt", {}, event), el("dd", {}, meaning))),
  ),
);
const runs = el("div", { class: "runs" });
list.append(nothing, runs);

/** Show the events of these exchanges. */
export function showTimeline(exchanges) {
  const told = exchanges
    .filter(({ run, events, running }) => run && (events.length || running))
    .slice(-SHOWN_RUNS)
    .reverse();
  nothing.hidden = told.length > 0;
  const before = newestRow();
  reconcile(runs, told, ({ key }) => key, makeRun, updateRun);
  if (newestRow() !== before) follow();
}

const newestRow = () => runs.querySelector(".run .event:last-child");

/** Keep the newest event in sight, unless somebody is looking at another one. */
function follow() {
  if (list.matches(":hover, :focus-within")) return;
  const row = newestRow()?.getBoundingClientRect();
  if (row) list.scrollTop = Math.max(0, list.scrollTop + row.bottom - list.getBoundingClientRect().bottom);
}

function makeRun({ run }) {
  return el(
    "section",
    { class: "run", "aria-label": "Events of a run" },
    el("div", { class: "run-head" }, chip(run, LONG), el("span", { class: "status" })),
    el("ol", { class: "events" }),
  );
}

function updateRun(node, { run, status, events, ended }) {
  const [head, rows] = node.children;
  updateChip(head.firstElementChild, run);
  put(head.lastElementChild, "data-status", status);
  say(head.lastElementChild, status);
  put(rows, "data-live", ended || status !== "running" ? null : "");
  reconcile(rows, events, keyOf, makeRow, updateRow);
}

const keyOf = ({ event, seq }) => (event === "token" ? "token" : `${seq}`);

function makeRow(entry) {
  return el(
    "li",
    { class: "event", "data-testid": "event", "data-event": entry.event },
    el(
      "div",
      { class: "event-head" },
      el("span", { class: "event-name" }),
      el("span", { class: "seq", title: "sequence number" }),
      el("time", { class: "time" }),
    ),
    el("p", { class: "event-text" }),
    el("div", { class: "chips" }, idsIn(entry).map((id) => chip(id))),
  );
}

function updateRow(node, entry) {
  const [head, text, chips] = node.children;
  const [name, seq, time] = head.children;
  put(node, "data-seq", entry.seq);
  put(node, "data-ok", entry.data?.ok === false ? "false" : null);
  say(name, entry.event === "token" ? "streaming" : entry.event);
  say(seq, entry.event === "token" && entry.count > 1 ? `${entry.first}–${entry.seq}` : `${entry.seq}`);
  if (entry.at) say(time, clock(entry.at));
  say(text, textOf(entry));
  text.hidden = !text.textContent;
  chips.hidden = !chips.childElementCount;
}

function idsIn({ data = {} }) {
  return Object.values(data).filter((value) => value?.canonical);
}

/** A short sentence about an event. */
function textOf({ event, data = {}, count }) {
  switch (event) {
    case "token":
      return `${count} ${count === 1 ? "token" : "tokens"}`;
    case "gap":
      return `events ${data.from} to ${data.to} are no longer kept`;
    case "tool_executing":
      return `${data.name}(${Object.values(data.arguments ?? {}).map((value) => JSON.stringify(value)).join(", ")})`;
    case "tool_completed":
      return cut(data.ok ? data.result : `failed: ${data.result}`);
    case "agent_completed":
      return data.usage ? `${data.usage.tokens_in} tokens in, ${data.usage.tokens_out} out` : "";
    case "run_failed":
      return data.reason ?? (data.incident ? `incident ${data.incident}` : "");
    default:
      return cut(data.text ?? data.reason ?? "");
  }
}

function cut(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

function clock(at) {
  const date = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
