// The agent's plain text as DOM nodes: paragraphs, line breaks, `code`, > quotes and - lists.

import { el } from "./dom.js";

/** The nodes of a text. */
export function rendered(text) {
  return text
    .split(/\n{2,}/)
    .filter((block) => block.trim())
    .flatMap((block) => [...runsOf(block.split("\n"))]);
}

/** Consecutive lines of one sort make one block. */
function* runsOf(lines) {
  let sort = null;
  let held = [];
  for (const line of lines) {
    const now = sortOf(line);
    if (now !== sort && held.length) yield blockOf(sort, held);
    if (now !== sort) held = [];
    sort = now;
    held.push(line);
  }
  if (held.length) yield blockOf(sort, held);
}

function sortOf(line) {
  if (/^\s*> ?/.test(line)) return "quote";
  return /^\s*[-*•] /.test(line) ? "list" : "text";
}

function blockOf(sort, lines) {
  if (sort === "quote") return el("blockquote", {}, broken(lines.map((line) => line.replace(/^\s*> ?/, ""))));
  if (sort === "text") return el("p", {}, broken(lines));
  return el("ul", {}, lines.map((line) => el("li", {}, inline(line.replace(/^\s*[-*•] /, "")))));
}

function broken(lines) {
  return lines.flatMap((line, at) => (at ? [el("br"), ...inline(line)] : inline(line)));
}

function inline(line) {
  return line
    .split(/(`[^`]+`)/)
    .filter(Boolean)
    .map((part) => (/^`[^`]+`$/.test(part) ? el("code", {}, part.slice(1, -1)) : part));
}
