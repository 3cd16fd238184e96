// The pill that tells how the connection is, and what the last close meant.

import { opens } from "./chips.js";
import { byId, el, put, say } from "./dom.js";
import { formsOf } from "./ids.js";
import { CODES } from "./link.js";

const pill = byId("connection");
const text = byId("connection-text");
const lastClose = byId("last-close");

/** Keep the pill true to a link; gives the function to call when it changes. */
export function showStatus(link) {
  const update = () => {
    put(pill, "data-state", link.state);
    put(pill, "data-code", link.last?.code ?? "");
    say(text, textOf(link));
    say(lastClose, link.last && link.state !== "live" ? closeOf(link.last) : "");
  };
  opens(pill, () => details(link));
  setInterval(update, 500);
  return update;
}

function textOf({ state, retryAt }) {
  if (state === "signed-out") return "signed out";
  if (state !== "reconnecting") return state;
  return `reconnecting in ${Math.max(1, Math.ceil((retryAt - Date.now()) / 1000))} s`;
}

function closeOf({ code }) {
  return `${code} · ${CODES[code] ?? "closed"}`;
}

function details({ state, connection, session, last }) {
  const row = (name, value) => el("div", { class: "form" }, el("dt", {}, name), el("dd", {}, value));
  return [
    el("p", { class: "popover-head" }, el("strong", {}, "Connection"), ` ${state}`),
    el(
      "dl",
      {},
      connection ? row("this connection", el("code", {}, formsOf(connection).text)) : null,
      connection ? row("session", el("code", {}, formsOf(session).text)) : null,
      row("last close", last ? closeOf(last) : "none so far"),
      last ? row("at", new Date(last.at).toLocaleTimeString([], { hourCycle: "h23" })) : null,
      last?.reason ? row("reason", last.reason) : null,
    ),
  ];
}
