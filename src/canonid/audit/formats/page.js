"use strict";
const form = document.getElementById("filters");
const text = document.getElementById("text");
const shown = document.getElementById("shown");
const findings = [...document.querySelectorAll("article")].map((element) => ({
  element,
  words: null, // what can be searched, made at the first search
}));
const names = ["priority", "confidence", "category", "place"];

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
    if (finding.element.hidden === meant) finding.element.hidden = !meant;
    if (meant) count += 1;
  }
  shown.textContent = `${count.toLocaleString("en")} of ${findings.length.toLocaleString("en")} shown`;
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
form.addEventListener("input", filter);
form.hidden = false;
filter();
