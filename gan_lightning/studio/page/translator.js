// Translations: an image is given, hints are clicked onto it, and the result is beside it.

import { ask, attempt, byId, dropZone, element, newest, send, showGiven } from "./asking.js";

let generator = null, offer = null, given = null, hints = [], reference = false, ready = false;

const refresh = newest(async () => {
  if (!given) return;
  const attributes = {};
  for (const box of document.querySelectorAll("#translation select[data-attribute]")) {
    if (box.value) attributes[box.dataset.attribute] = box.value === "with";
  }
  const told = await ask("translate", {
    generator, hints, reference, attributes, direction: byId("direction")?.value || null, seed: Number(byId("translation-seed").value),
  });
  const image = byId("translated");
  image.src = told.picture;
  image.hidden = false;
  image.dataset.made = Number(image.dataset.made || 0) + 1;
  byId("save-translation").href = told.picture;
  byId("translate-command").textContent = told.command;
});

export function openTranslator(source, told) {
  [generator, offer, hints, reference] = [source, told, [], false];
  if (!ready) prepare();
  const menu = (name, id, values) => element("label", { className: "field" }, name, element("select", { id, onchange: refresh }, ...values.map(([value, text]) => element("option", { value, textContent: text }))));
  const parts = [];
  if (offer.directions.length) parts.push(menu("direction", "direction", offer.directions.map((each) => [each, each])));
  for (const name of offer.attributes) {
    const field = menu(name, "", [["", "as it is"], ["with", "with"], ["without", "without"]]);
    field.querySelector("select").dataset.attribute = name;
    parts.push(field);
  }
  parts.push(element("label", { className: "field" }, "seed", element("input", { type: "number", min: 0, value: 0, id: "translation-seed", oninput: refresh })));
  if (offer.guidance.includes("reference")) {
    const zone = element("label", { className: "drop", id: "drop-reference" }, element("span", { textContent: "A picture whose colours are used" }), element("img", { hidden: true, alt: "" }), element("input", { type: "file", accept: "image/*" }));
    dropZone(zone, (file) => attempt(async () => {
      showGiven(zone, await send("give", { name: file.name, as: "reference" }, file));
      reference = true;
      refresh();
    }));
    parts.push(zone);
  }
  byId("translation").replaceChildren(...parts);
  byId("hint-tools").hidden = !offer.guidance.includes("hints");
  byId("drop-given").querySelector("canvas").hidden = !given || byId("hint-tools").hidden;
  drawHints();
  refresh();
}

function prepare() {
  ready = true;
  const zone = byId("drop-given"), canvas = zone.querySelector("canvas");
  dropZone(zone, (file) => attempt(async () => {
    given = await send("give", { name: file.name }, file);
    hints = [];
    showGiven(zone, given);
    canvas.hidden = byId("hint-tools").hidden;
    canvas.width = 512;
    canvas.height = Math.round((512 * given.height) / given.width);
    drawHints();
    refresh();
  }));
  canvas.addEventListener("click", (event) => {
    event.preventDefault();  // The label around it would open the files.
    const box = canvas.getBoundingClientRect();
    const at = (way, pixels) => Math.min(pixels - 1, Math.max(0, Math.floor(way * pixels)));
    hints.push([at((event.clientX - box.left) / box.width, given.width), at((event.clientY - box.top) / box.height, given.height), byId("hint-color").value]);
    changed();
  });
  byId("undo-hint").addEventListener("click", () => { hints.pop(); changed(); });
  byId("clear-hints").addEventListener("click", () => { hints = []; changed(); });
}

function changed() { drawHints(); refresh(); }

function drawHints() {
  const canvas = byId("drop-given").querySelector("canvas"), pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (const [x, y, color] of hints) {
    pen.beginPath();
    pen.arc(((x + 0.5) / given.width) * canvas.width, ((y + 0.5) / given.height) * canvas.height, 9, 0, 7);
    pen.fillStyle = color;
    pen.fill();
    pen.strokeStyle = "#fff";
    pen.lineWidth = 2.5;
    pen.stroke();
  }
  for (const id of ["undo-hint", "clear-hints"]) byId(id).disabled = !hints.length;
}
