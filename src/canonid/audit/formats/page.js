"use strict";
const PAGE = 500; // findings that are shown at once: laying out many thousands takes seconds
const form = document.getElementById("filters");
const text = document.getElementById("text");
const shown = document.getElementById("shown");
const more = document.getElementById("more");
const findings = [...document.querySelectorAll("article")].map((element) => ({
  element,
  words: null, // what can be searched, made at the first search
}));
const names = ["priority", "confidence", "category", "place"];
let limit = PAGE;
let waiting;

function filter() {
  const wanted = text.value.trim().toLowerCase();
  const allowed = names.map((name) => new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value)));
  let count = 0;
  for (const finding of findings) {
    let meant = names.every((name, place) => allowed[place].has(finding.element.dataset[name]));
    if (meant && wanted) {
      finding.words ??= finding.element.textContent.toLowerCase();
      meant = finding.words.includes(wanted);
    }
    if (meant) count += 1;
    const visible = meant && count <= limit;
    if (finding.element.hidden === visible) finding.element.hidden = !visible;
  }
  const total = `${count.toLocaleString("en")} of ${findings.length.toLocaleString("en")}`;
  shown.textContent = count > limit ? `${total} found, the first ${limit.toLocaleString("en")} shown` : `${total} shown`;
  more.hidden = count <= limit;
}

function again(delay) {
  limit = PAGE;
  clearTimeout(waiting);
  waiting = setTimeout(filter, delay);
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => again(0));
form.addEventListener("input", (event) => again(event.target === text ? 150 : 0));
more.addEventListener("click", () => {
  limit += PAGE;
  filter();
});
form.hidden = false;
filter();
