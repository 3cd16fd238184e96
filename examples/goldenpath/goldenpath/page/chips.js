// ID chips, and the one popover that shows every form of an ID.

import { byId, el, icon, put, say } from "./dom.js";
import { formsOf, rowsOf } from "./ids.js";

const OPEN_AFTER = 180; // ms of hovering
const CLOSE_AFTER = 350; // ms to cross the space between a chip and its popover
const GAP = 6; // px
export const SHORT = [13, 6]; // characters shown of a long ID: from its start and from its end
export const MEDIUM = [16, 8];
export const LONG = [22, 9];
const COPY = "M5.5 5.5v-3h8v8h-3m-8-5h8v8h-8z";
const DONE = "M3 8.5 6.5 12 13 4.5";

const popover = byId("popover");
let shown = null; // the button it belongs to
let pinned = false;
let timer = null;

/** A button for an ID (forms, or a canonical text), which opens its forms. */
export function chip(id, length = SHORT) {
  const { kind } = formsOf(id);
  const node = el(
    "button",
    { class: "chip", type: "button", "data-testid": "id-chip", "aria-haspopup": "dialog", "aria-expanded": "false" },
    el("span", { class: "kind-dot", "data-kind": kind, "aria-hidden": "true" }),
    el("span", { class: "chip-text" }),
  );
  node.shows = { length };
  updateChip(node, id);
  opens(node, () => idRows(node.shows.id));
  return node;
}

/** Show another, or a better known, ID in a chip. */
export function updateChip(node, id) {
  const { kind, canonical, text } = formsOf(id);
  node.shows.id = id;
  put(node, "data-kind", kind);
  put(node, "data-canonical", canonical);
  put(node, "data-text", text);
  put(node, "aria-label", `${kind} ${text}, show every form`);
  say(node.lastElementChild, shortened(text, ...node.shows.length));
}

/** Let a button open the popover with what `content()` gives: on hover, on keyboard focus, and to stay on click. */
export function opens(button, content) {
  const later = (work, wait) => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
  button.addEventListener("pointerenter", (event) => {
    if (event.pointerType === "mouse") later(() => pinned || show(button, content), OPEN_AFTER);
  });
  button.addEventListener("pointerleave", () => later(() => pinned || hide(), CLOSE_AFTER));
  button.addEventListener("focus", () => button.matches(":focus-visible") && show(button, content));
  button.addEventListener("blur", (event) => {
    if (!popover.contains(event.relatedTarget) && !pinned) hide();
  });
  button.addEventListener("click", (event) => {
    clearTimeout(timer);
    if (pinned && shown === button) return hide();
    show(button, content);
    pinned = true;
    if (event.detail === 0) popover.querySelector("button")?.focus(); // by keyboard
  });
}

function show(button, content) {
  if (shown !== button) hide();
  shown = button;
  put(button, "aria-expanded", "true");
  popover.replaceChildren(...content());
  popover.hidden = false;
  place(button);
}

function hide() {
  clearTimeout(timer);
  if (shown) put(shown, "aria-expanded", "false");
  shown = null;
  pinned = false;
  popover.hidden = true;
}

function place(button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const column = button.closest(".inspector")?.getBoundingClientRect();
  const beside = column ? column.left - GAP - width : 0;
  const fits = beside > 0; // then it covers nothing of what it explains
  const left = fits ? beside : Math.max(GAP, Math.min(at.left, document.documentElement.clientWidth - width - 2 * GAP));
  const above = at.top - GAP - height;
  const below = at.bottom + GAP + height > innerHeight && above > 0 ? above : at.bottom + GAP;
  const top = fits ? at.top - GAP : below;
  popover.style.left = `${left}px`;
  popover.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
}

function idRows(id) {
  const { kind, canonical, text } = formsOf(id);
  const rows = rowsOf(id);
  return [
    el(
      "p",
      { class: "popover-head" },
      el("span", { class: "kind-dot", "data-kind": kind, "aria-hidden": "true" }),
      el("strong", {}, kind),
      ` known by ${rows.length} ${rows.length === 1 ? "form" : "forms"}`,
    ),
    el("dl", {}, rows.map(([format, form]) => formRow(format, form, form === text, form === canonical))),
  ];
}

function formRow(format, form, created, canonical) {
  const tags = [created && "as created", canonical && "canonical"].filter((tag) => tag && tag !== format);
  const copy = el(
    "button",
    { class: "copy", type: "button", "aria-label": `Copy the ${format} form`, onclick: () => copied(copy, form) },
    icon(COPY),
  );
  return el(
    "div",
    { class: "form", "data-format": format },
    el("dt", {}, format, tags.map((tag) => el("span", { class: "tag" }, tag))),
    el("dd", {}, el("code", {}, form), copy),
  );
}

/** Whether Tab would leave the popover, which is the last thing in the document. */
function leaves(backwards) {
  const buttons = [...popover.querySelectorAll("button")];
  return buttons.length > 0 && document.activeElement === buttons.at(backwards ? 0 : -1);
}

function back(event) {
  const button = shown;
  const inside = popover.contains(document.activeElement);
  hide();
  if (!inside) return;
  event.preventDefault();
  button.focus();
  hide(); // focus has just opened it
}

async function copied(button, text) {
  if (!(await copy(text))) return;
  button.replaceChildren(icon(DONE));
  button.classList.add("done");
  say(byId("announcer"), "Copied");
  setTimeout(() => {
    button.replaceChildren(icon(COPY));
    button.classList.remove("done");
  }, 1200);
}

/** The clipboard API exists in secure contexts only; a selection can be copied anywhere. */
async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  const field = el("textarea", { class: "hidden", readonly: "" });
  field.value = text;
  popover.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

function shortened(text, head, tail) {
  return text.length > head + tail + 1 ? `${text.slice(0, head)}…${text.slice(-tail)}` : text;
}

popover.addEventListener("pointerenter", () => clearTimeout(timer));
popover.addEventListener("pointerleave", () => {
  if (!pinned) timer = setTimeout(hide, CLOSE_AFTER);
});
popover.addEventListener("focusout", (event) => {
  if (event.relatedTarget && event.relatedTarget !== shown && !popover.contains(event.relatedTarget)) hide();
});
document.addEventListener("pointerdown", (event) => {
  if (shown && !popover.contains(event.target) && !shown.contains(event.target)) hide();
});
document.addEventListener("keydown", (event) => {
  if (shown && (event.key === "Escape" || (event.key === "Tab" && leaves(event.shiftKey)))) back(event);
});
// It would be left behind by what moves: scrolled columns and chips that are gone.
document.addEventListener("scroll", ({ target }) => shown && target.contains(shown) && hide(), true);
addEventListener("resize", hide);
setInterval(() => shown && !shown.isConnected && hide(), 500);
