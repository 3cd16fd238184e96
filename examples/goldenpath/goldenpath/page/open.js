// On the right, below: the live tree of what is open now.

import { MEDIUM, chip, updateChip } from "./chips.js";
import { byId, el, put, reconcile, say } from "./dom.js";

const nothing = el("p", { class: "nothing" }, "Nothing is open.");
const tree = el("ul", { class: "tree" });
byId("open").append(nothing, tree);

/** Show the nodes; `own` is the canonical ID of this page's connection. */
export function showOpen(nodes, own) {
  nothing.hidden = nodes.length > 0;
  showLevel(tree, nodes, own);
}

function showLevel(list, nodes, own) {
  reconcile(list, nodes, ({ kind, canonical }) => `${kind} ${canonical}`, makeNode, (item, node) => {
    const [row, children] = item.children;
    const [, id, mine, since] = row.children;
    updateChip(id, node);
    mine.hidden = node.canonical !== own;
    since.hidden = !mine.hidden;
    if (node.opened_at) say(since, new Date(node.opened_at).toLocaleTimeString([], { hourCycle: "h23" }));
    children.hidden = !node.children.length;
    showLevel(children, node.children, own);
  });
}

function makeNode(node) {
  return el(
    "li",
    {},
    el(
      "div",
      { class: "node", "data-testid": "open-node", "data-kind": node.kind },
      el("span", { class: "kind" }, node.kind),
      chip(node, MEDIUM),
      el("span", { class: "tag" }, "this tab"),
      el("time", { class: "time", title: "open since" }),
    ),
    el("ul"),
  );
}

