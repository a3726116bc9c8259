// Samples of latents: which ones, how far between two, their first numbers, their class or words.

import { element, integers, newest, numbers, show } from "./model.js";
import { tokens } from "./tokens.js";

const SLIDERS = 6;

// On the sphere near which normal latents lie, as `generate --interpolate`.
export function slerp(a, b, way) {
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.max(Math.acos(Math.min(1, Math.max(-1, cosine))), 1e-6);
  const [of_a, of_b] = [Math.sin((1 - way) * angle), Math.sin(way * angle)].map((sine) => sine / Math.sin(angle));
  return a.map((value, i) => of_a * value + of_b * b[i]);
}

export function openSampler(model, place) {
  const { known } = model, { inputs } = known;
  const inner = {};
  const draw = newest(async () => show(await model.image(given())));

  function add(id, title, control, event = "input") {
    inner[id] = Object.assign(control, { id });
    control.addEventListener(event, () => { if (["from", "to", "way"].includes(id)) follow(); draw(); });
    place.append(element("label", {}, title, control));
  }
  const range = (min, max, step, value) => element("input", { type: "range", min, max, step, value });
  const latent = () => slerp(model.latent(+inner.from.value), model.latent(+inner.to.value), +inner.way.value);

  // The sliders show the numbers of the latent that was chosen.
  const follow = () => latent().slice(0, SLIDERS).forEach((value, i) => { inner[`z${i}`].value = value; });

  function given() {
    const z = latent();
    for (let i = 0; i < SLIDERS; i++) {
      // A slider has steps: a number that nobody has moved stays as it is.
      if (Math.abs(inner[`z${i}`].value - z[i]) > 0.0051) z[i] = +inner[`z${i}`].value;
    }
    const made = { latent: numbers(z, [1, z.length]) };
    if (inputs.labels) made.labels = integers([+inner.label.value], [1]);
    if (inputs.truncation) made.truncation = numbers([+inner.psi.value], []);
    if (inputs.tokens) {
      const length = inputs.tokens.shape[1];
      made.tokens = integers(tokens(inner.text.value, JSON.parse(known.tokenizer), length), [1, length]);
    }
    return made;
  }

  if (inputs.labels) {
    const names = known.class_names ?? [...Array(known.num_classes).keys()];
    add("label", "class", element("select", {}, ...names.map((name, value) =>
      element("option", { value, textContent: name }))), "change");
  }
  if (inputs.tokens) add("text", "words", element("input", { type: "text", value: known.texts[0], maxLength: 200 }));
  if (inputs.truncation) add("psi", "truncation", range(0, 1, 0.01, 0.7));
  add("from", `sample of seed ${known.seed}`, range(0, known.samples - 1, 1, 0));
  add("to", "and another", range(0, known.samples - 1, 1, 1));
  add("way", "the way between them", range(0, 1, 0.01, 0));
  for (let i = 0; i < SLIDERS; i++) add(`z${i}`, `z ${i + 1}`, range(-4, 4, 0.01, 0));
  follow();
  return draw();
}
