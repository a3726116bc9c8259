// The page: which model is open.

import { openColourer } from "./colourer.js";
import { Model, element } from "./model.js";
import { openSampler } from "./sampler.js";

const byId = (id) => document.getElementById(id);
const opened = new Map();
let wanted = null;

function say(text, wrong = false) {
  byId("state").textContent = text;
  byId("state").classList.toggle("wrong", wrong);
}

async function choose(known) {
  wanted = known;
  say(`Loading ${(known.size / 1e6).toFixed(1)} MB`);
  const model = opened.get(known.name) ?? await Model.open(known);
  opened.set(known.name, model);
  if (wanted !== known) return;  // another was chosen meanwhile
  byId("controls").replaceChildren();
  byId("given").hidden = !known.inputs.hints;
  byId("about").replaceChildren(...[known.about, known.citation, `Data: ${known.data} (${known.licence}).`].map((text) =>
    element("p", { textContent: text })));
  await (known.inputs.hints ? openColourer(model) : openSampler(model, byId("controls")));
  say("");
  byId("model").dataset.open = known.name;
}

async function main() {
  const models = await (await fetch("models/models.json")).json();
  const list = byId("model");
  list.replaceChildren(...models.map(({ name, about }) => element("option", { value: name, textContent: `${name}: ${about}` })));
  const open = () => choose(models.find(({ name }) => name === list.value)).catch((error) => say(String(error), true));
  list.addEventListener("change", open);
  await open();
}

main().catch((error) => say(`${error}: has fill.py been run?`, true));
