// Runs as they train: their pictures by step, and their curves.

import { ask, attempt, byId, element } from "./asking.js";

const EVERY = 3000;
let name = null, told = null, timer = null, shown = null;

export async function openRuns() {
  closeRuns();
  await attempt(look);
  timer = setInterval(() => attempt(look), EVERY);
}

export function closeRuns() { clearInterval(timer); timer = null; }

async function look() {
  const { runs } = await ask("runs");
  name ??= runs[0] ?? null;
  byId("run-list").replaceChildren(...runs.map((each) => {
    const button = element("button", { textContent: each, className: each === name ? "on" : "" });
    button.addEventListener("click", () => { name = each; shown = null; attempt(look); });
    return button;
  }));
  if (!name) { byId("run-list").textContent = "There are no runs yet."; return; }
  told = await ask("run", { run: name });
  kinds();
  await picture(true);
  byId("curves").replaceChildren(...Object.entries(told.curves).map(curve));
}

function kinds() {
  const menu = byId("kind"), names = Object.keys(told.pictures);
  if (names.join() !== [...menu.options].map((option) => option.value).join()) {
    menu.replaceChildren(...names.map((value) => element("option", { value, textContent: value })));
    if (names.includes("samples")) menu.value = "samples";
  }
}

// The newest one, unless the user looks at an earlier step.
async function picture(fresh) {
  const files = told.pictures[byId("kind").value] || [], slider = byId("step");
  const atEnd = slider.value === slider.max || shown === null;
  slider.max = Math.max(0, files.length - 1);
  if (fresh && atEnd) slider.value = slider.max;
  const file = files[slider.value];
  byId("run-picture").hidden = !file;
  byId("step-name").textContent = file || "";
  if (!file || shown === `${name}/${file}`) return;
  const content = await ask("run_picture", { run: name, picture: file }, (response) => response.blob());
  URL.revokeObjectURL(byId("run-picture").src);
  byId("run-picture").src = URL.createObjectURL(content);
  shown = `${name}/${file}`;
}

for (const id of ["kind", "step"]) {
  byId(id).addEventListener("input", () => { if (id === "kind") shown = null; attempt(() => picture(id === "kind")); });
}

function curve([title, points]) {
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const at = points.map(([x, y]) => `${34 + (160 * (x - left)) / (right - left || 1)},${84 - (70 * (y - low)) / (high - low || 1)}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 200 100");
  const add = (kind, attributes, text = "") => {
    const part = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    part.textContent = text;
    svg.append(part);
  };
  add("polyline", { points: at.join(" ") });
  for (const [y, value] of [[17, high], [87, low]]) add("text", { x: 2, y }, value.toPrecision(3));
  add("text", { x: 34, y: 97 }, String(left));
  add("text", { x: 194, y: 97, "text-anchor": "end" }, String(right));
  return element("figure", {}, svg, element("figcaption", { textContent: title }));
}
