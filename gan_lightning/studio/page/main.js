// The page: which generator is open, and whether it samples or translates.

import { ask, attempt, byId, element } from "./asking.js";
import { closeRuns, openRuns } from "./runs.js";
import { openSampler } from "./sampler.js";
import { openTranslator } from "./translator.js";

function turnTo(view) {
  for (const id of ["sampler", "translator", "runs"]) byId(id).hidden = id !== view;
  byId("tab-runs").classList.toggle("on", view === "runs");
  if (view !== "runs") closeRuns();
}

async function open() {
  const source = byId("generator").value;
  const offer = await ask("offer", { generator: source });
  byId("variant").textContent = offer.variant;
  turnTo(offer.kind);
  if (offer.kind === "sampler") await openSampler(source, offer);
  else openTranslator(source, offer);
}

// The part of a path that tells runs apart.
const short = (source) => source.replace(/\/checkpoints\/last\.ckpt$/, "").split("/").slice(-2).join("/");

attempt(async () => {
  const { generators, runs } = await ask("listing");
  byId("generator").replaceChildren(...generators.map((value) => element("option", { value, textContent: short(value), title: value })));
  byId("generator").addEventListener("change", () => attempt(open));
  byId("tab-runs").hidden = !runs;
  byId("tab-runs").addEventListener("click", () => (byId("runs").hidden ? (turnTo("runs"), openRuns()) : attempt(open)));
  if (generators.length) await open();
  else { turnTo("runs"); await openRuns(); }
});
