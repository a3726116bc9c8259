// Two images in one: blended where painted, a box transferred or copied.

import { ask, attempt, byId, save } from "./asking.js";

export function openComposer(offer) {
  byId("compose-panel").hidden = byId("box").hidden = !offer;
  byId("other").hidden = byId("composed").hidden = byId("compose").disabled = true;
  if (!offer) {
    if (byId("box").classList.contains("on")) document.querySelector("[data-tool=dab]").click();
    return;
  }
  byId("level").max = offer.levels - 1;
  byId("level").value = Math.min(2, offer.levels - 1);
}

export function prepareComposer(canvas, given) {
  byId("keep").addEventListener("click", () => attempt(async () => {
    byId("other").src = (await ask("keep", given())).picture;
    byId("other").hidden = byId("compose").disabled = false;
  }));
  byId("save-other").addEventListener("click", () => attempt(() => save("other_latents", given(), "other.npz")));
  byId("compose").addEventListener("click", () => attempt(async () => {
    const [softness, level] = [Number(byId("softness").value), Number(byId("level").value)];
    const composition = { mode: byId("mode").value, softness, level, brushes: canvas.brushes, boxes: canvas.boxes };
    const told = await ask("compose", given({ composition }));
    const composed = byId("composed");
    composed.querySelector("img").src = composed.querySelector("a").href = told.picture;
    composed.dataset.made = Number(composed.dataset.made || 0) + 1;
    byId("compose-command").textContent = told.command;
    byId("save-map").hidden = !told.map;
    if (told.map) byId("save-map").href = told.map;
    composed.hidden = false;
  }));
}
