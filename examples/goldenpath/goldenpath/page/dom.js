// Building and updating DOM nodes. Text only ever becomes text nodes.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `on…` attributes are listeners; null and false ones are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else put(node, name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A 16 × 16 line icon. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const byId = (id) => document.getElementById(id);

/** Set an attribute if it differs; null and false remove it. */
export function put(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Set the text if it differs, so that nothing is selected or announced anew. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Make the children of `parent` show `items`: nodes of known keys are updated in place (they keep focus,
 * selection and scroll position), new ones made, others removed. `update(node, item)` runs for all.
 */
export function reconcile(parent, items, keyOf, make, update) {
  const wanted = new Set(items.map(keyOf));
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  for (const [key, node] of known) if (!wanted.has(key)) node.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = known.get(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
    update(node, item);
  }
}

/** A function that runs `work` once, `wait` ms after the first of a burst of calls. */
export function debounced(work, wait) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work();
    }, wait);
  };
}
