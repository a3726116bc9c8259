// Sliders, menus and fields of a generator; `choice` is what the studio is asked for.

import { element } from "./asking.js";

export class Controls {
  constructor(place, offer, changed) {
    Object.assign(this, { place, offer, changed, touched: {}, sliders: {} });
    place.replaceChildren();
    this.seed = this.field("seed", element("input", { type: "number", min: 0, value: 0, id: "seed" }));
    this.sample();
    if (offer.components) {
      this.heading("Latent");
      for (let i = 0; i < offer.components; i++) this.slider("components", String(i), `z ${i}`, -3, 3, 0.05, 0);
    }
    if (offer.directions.length) {
      this.heading("Directions");
      for (const each of offer.directions) {
        this.slider("strengths", each.name, each.name, -5, 5, 0.1, 0, `${each.source}, in ${each.unit}`);
      }
    }
    if (offer.noise) {
      this.heading("Noise");
      this.slider("own", "noise", "amount", 0, 2, 0.05, 1);
      this.slider("own", "noise_seed", "which", 0, 20, 1, 0);
    }
  }

  sample() {
    const { offer } = this;
    if (offer.classes.length) this.label = this.menu("class", ["as in the data", ...offer.classes], "label");
    if (offer.text !== null) {
      this.text = this.field("words", element("input", { type: "text", id: "words", placeholder: offer.text }));
    }
    if (offer.domains.length) this.domain = this.menu("domain", offer.domains, "domain");
    if (offer.codes) {
      const categories = Array.from({ length: offer.codes.categories }, (_, i) => String(i));
      this.category = this.menu("category", ["drawn", ...categories], "category");
      for (let i = 0; i < offer.codes.continuous; i++) this.slider("codes", `continuous${i}`, `code ${i}`, -2, 2, 0.05, 0);
    }
    if (offer.truncation) {
      const { low, high, none } = offer.truncation;
      this.slider("own", "truncation", "truncation", low, high, 0.05, none, "the smaller, the less samples differ");
    }
  }

  heading(text) { this.place.append(element("h2", { textContent: text })); }

  field(name, input) {
    this.place.append(element("label", { className: "field" }, name, input));
    input.addEventListener("input", () => this.changed(true));
    return input;
  }

  menu(name, values, id) {
    const options = values.map((value) => element("option", { value, textContent: value }));
    return this.field(name, element("select", { id }, ...options));
  }

  slider(group, name, caption, min, max, step, value, title = caption) {
    const input = element("input", { type: "range", min, max, step, value, id: `${group}-${name}` });
    input.defaultValue = value;
    const output = element("output", { textContent: "" });
    input.addEventListener("input", () => {
      output.textContent = input.value;
      (this.touched[group] ??= {})[name] = Number(input.value);
      this.changed(group === "codes" || name === "truncation");
    });
    this.sliders[`${group}-${name}`] = { input, output };
    this.place.append(element("label", { className: "slider", title }, element("span", { textContent: caption }), input, output));
  }

  // The first numbers of the latent that is shown, where the user has set no others.
  follow(components) {
    (components || []).forEach((value, i) => {
      const { input, output } = this.sliders[`components-${i}`];
      if (this.touched.components?.[i] === undefined) {
        input.value = value;
        output.textContent = value.toFixed(2);
      }
    });
  }

  reset() {
    this.touched = {};
    for (const { input, output } of Object.values(this.sliders)) {
      input.value = input.defaultValue;
      output.textContent = "";
    }
  }

  get choice() {
    const { own = {}, codes = {}, components = {}, strengths = {} } = this.touched;
    const chosen = { seed: Math.max(0, Math.trunc(Number(this.seed.value))), components, strengths, ...own, codes: { ...codes } };
    if (this.label?.selectedIndex > 0) chosen.label = this.label.value;
    if (this.text?.value.trim()) chosen.text = this.text.value.trim();
    if (this.domain?.selectedIndex > 0) chosen.domain = this.domain.value;
    if (this.category?.selectedIndex > 0) chosen.codes.category = Number(this.category.value);
    return chosen;
  }
}
