// Samples: sliders, brushes, photographs that are found.

import { ask, attempt, byId, dropZone, element, newest, save, send, showGiven } from "./asking.js";
import { Canvas } from "./canvas.js";
import { openComposer, prepareComposer } from "./composer.js";
import { Controls } from "./controls.js";

let generator = null, offer = null, controls = null, late = null, canvas = null, working = false;

const given = (more = {}) => ({ generator, choice: controls.choice, ...more });

const refresh = newest(async () => {
  const asked = performance.now(), of = generator;
  const told = await ask("picture", given({ components: offer.components > 0 }));
  if (of !== generator) return;
  const image = byId("picture");
  image.src = told.picture;
  await image.decode();
  if (!offer.points) canvas.fit(image.naturalWidth, image.naturalHeight);
  image.dataset.ms = (performance.now() - asked).toFixed(1);
  image.dataset.made = Number(image.dataset.made || 0) + 1;
  byId("time").textContent = `${Math.round(image.dataset.ms)} ms`;
  byId("save-picture").href = told.picture;
  byId("command").textContent = told.command;
  byId("origin").textContent = told.origin ? `from a ${told.origin}` : "";
  byId("undo").disabled = byId("forget").disabled = !told.undo;
  controls.follow(told.components);
  const edited = byId("edited");
  edited.hidden = !told.photograph;
  if (told.photograph) edited.querySelector("img").src = edited.querySelector("a").href = told.photograph;
});

const variations = newest(async () => {
  const of = generator, { components, strengths, noise, noise_seed, ...choice } = controls.choice;
  const told = await ask("variations", { generator, choice, n: 8 });
  if (of !== generator) return;
  byId("variations").replaceChildren(...told.variations.map(({ seed, picture }) => {
    const button = element("button", { title: `seed ${seed}` }, element("img", { src: picture, alt: `seed ${seed}` }));
    button.addEventListener("click", () => { controls.seed.value = seed; controls.reset(); changed(true); });
    return button;
  }));
});

function changed(sample) {
  refresh();
  if (sample) { clearTimeout(late); late = setTimeout(variations, 250); }
}

export async function openSampler(source, told) {
  [generator, offer] = [source, told];
  canvas ??= prepare();
  controls = new Controls(byId("controls"), offer, changed);
  byId("tools").hidden = byId("canvas").hidden = byId("photo-panel").hidden = !offer.moved;
  for (const id of ["save-latent", "undo", "forget", "reset"]) byId(id).hidden = !offer.moved;
  byId("open-latent").parentElement.hidden = !offer.moved;
  byId("space").replaceChildren(...offer.spaces.map((value) => element("option", { value, textContent: value })));
  const starts = offer.starts.map((value) => element("option", { value, textContent: value }));
  byId("start").replaceChildren(element("option", { value: "", textContent: "as usual" }), ...starts);
  byId("space-label").hidden = offer.spaces.length < 2;
  openComposer(offer.compose);
  await refresh();
  variations();
}

function prepare() {
  const made = new Canvas(byId("canvas"), () => {
    for (const id of ["undo-stroke", "clear"]) byId(id).disabled = !made.strokes.length;
    byId("paint").disabled = !made.brushes.length || working;
  });
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => {
      document.querySelector("[data-tool].on").classList.remove("on");
      button.classList.add("on");
      made.tool = button.dataset.tool;
    });
  }
  byId("color").addEventListener("input", (event) => { made.color = event.target.value; });
  byId("radius").addEventListener("input", (event) => { made.radius = Number(event.target.value); });
  byId("undo-stroke").addEventListener("click", () => made.undo());
  byId("clear").addEventListener("click", () => made.clear());
  byId("paint").addEventListener("click", () => work("paint", { brushes: made.brushes, brush: byId("brush").value, steps: byId("brush").value === "contextual" ? 10 : 50 }, () => made.clear()));
  byId("invert").addEventListener("click", () => work("invert", { steps: Number(byId("steps").value), space: byId("space").value, start: byId("start").value }));
  byId("cancel").addEventListener("click", () => attempt(() => ask("cancel")));
  byId("reset").addEventListener("click", () => { controls.reset(); changed(false); });
  for (const name of ["undo", "forget"]) {
    byId(name).addEventListener("click", () => attempt(async () => { await ask(name, given()); controls.reset(); changed(false); }));
  }
  byId("copy").addEventListener("click", () => navigator.clipboard.writeText(byId("command").textContent));
  byId("save-latent").addEventListener("click", () => attempt(() => save("latents", given(), "latent.npz")));
  prepareComposer(made, given);
  byId("open-latent").addEventListener("change", (event) => attempt(async () => {
    const [file] = event.target.files;
    event.target.value = "";
    await send("open", { generator }, file);
    controls.reset();
    changed(false);
  }));
  dropZone(byId("drop-photo"), (file) => attempt(async () => {
    showGiven(byId("drop-photo"), await send("give", { name: file.name }, file));
    byId("invert").disabled = working;
  }));
  return made;
}

// Begin long work, show how far it is, and show what it has made.
async function work(name, more, then = () => {}) {
  const bar = byId("job"), of = generator;
  const busy = (state) => {
    working = state;
    bar.hidden = !state;
    byId("invert").disabled = state || byId("drop-photo").querySelector("img").hidden;
    byId("paint").disabled = state || !canvas.brushes.length;
  };
  await attempt(async () => {
    let job = await ask(name, given(more));
    busy(true);
    while (["waiting", "running"].includes(job.state)) {
      const [caption, progress] = [bar.querySelector("span"), bar.querySelector("progress")];
      caption.textContent = job.state === "waiting" ? `${job.title}: waits for others` : `${job.title} ${job.done}/${job.total || "?"}`;
      progress.max = job.total || 1;
      progress.value = job.done;
      await new Promise((resolve) => setTimeout(resolve, 200));
      job = await ask("job");
    }
    if (job.state === "failed") throw new Error(job.error);
    if (job.state === "done" && of === generator) { then(); controls.reset(); changed(false); }
  });
  busy(false);
}
