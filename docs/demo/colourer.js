// Line art that is drawn here, and colours that are set on it.

import { newest, numbers, show } from "./model.js";

const byId = (id) => document.getElementById(id);
let model = null, hints = [], ready = false;

const draw = newest(async () => show(await model.image(given())));
const context = () => byId("drawing").getContext("2d", { willReadFrequently: true });

// The drawing as 1 x H x W in [-1, 1]; the hints as planes of colours in [-1, 1] and of where they are.
function given() {
  const { width, height } = byId("drawing"), n = width * height;
  const { data } = lines();
  const image = Float32Array.from({ length: n }, (_, i) => data[4 * i] / 127.5 - 1);
  const planes = new Float32Array(4 * n), side = model.known.hint_side;
  for (const { x, y, colour } of hints) {
    const [left, top] = [x, y].map((at) => at - Math.floor((side - 1) / 2));
    for (let row = Math.max(top, 0); row < Math.min(top + side, height); row++) {
      for (let column = Math.max(left, 0); column < Math.min(left + side, width); column++) {
        [...colour, 1].forEach((value, plane) => { planes[plane * n + row * width + column] = value; });
      }
    }
  }
  const length = model.known.inputs.palette.shape[1];
  return {
    image: numbers(image, [1, 1, height, width]),
    hints: numbers(planes, [1, 4, height, width]),
    palette: numbers(new Float32Array(length), [1, length]),  // none is given
  };
}

// The lines alone: dots of hints are shown over them, and are no part of the drawing.
let kept = null;
const lines = () => kept;
const keep = () => { kept = context().getImageData(0, 0, byId("drawing").width, byId("drawing").height); };

function dots() {
  context().putImageData(kept, 0, 0);
  for (const { x, y, css } of hints) {
    context().fillStyle = css;
    context().fillRect(x - 1, y - 1, 3, 3);
  }
}

function clear() {
  const { width, height } = byId("drawing");
  context().fillStyle = "#fff";
  context().fillRect(0, 0, width, height);
  hints = [];
  keep();
}

// A balloon on a string.
function example() {
  clear();
  const { width, height } = byId("drawing"), pen = context();
  pen.strokeStyle = "#000";
  pen.lineWidth = 1;
  pen.beginPath();
  pen.ellipse(width / 2, height * 0.4, width * 0.27, height * 0.31, 0, 0, 2 * Math.PI);
  pen.moveTo(width / 2, height * 0.71);
  pen.bezierCurveTo(width * 0.4, height * 0.8, width * 0.6, height * 0.85, width / 2, height * 0.96);
  pen.stroke();
  keep();
}

function prepare() {
  const canvas = byId("drawing"), tool = () => document.querySelector("[name=tool]:checked").value;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  };
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    if (tool() === "hint") {
      const css = byId("colour").value;
      const colour = [1, 3, 5].map((at) => parseInt(css.slice(at, at + 2), 16) / 127.5 - 1);
      hints.push({ x: Math.floor(x), y: Math.floor(y), colour, css });
      dots();
      draw();
      return;
    }
    last = [x, y];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null) return;
    const pen = context(), next = place(event);
    pen.putImageData(kept, 0, 0);
    pen.strokeStyle = tool() === "pen" ? "#000" : "#fff";
    pen.lineWidth = tool() === "pen" ? 1 : 4;
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...next);
    pen.stroke();
    last = next;
    keep();
    dots();
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  const acts = { clear, example, "no-hints": () => { hints = []; dots(); } };
  for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", () => { act(); draw(); });
  ready = true;
}

export function openColourer(opened) {
  model = opened;
  const [, height, width] = model.known.shape, canvas = byId("drawing");
  [canvas.width, canvas.height] = [width, height];
  if (!ready) prepare();
  example();
  return draw();
}
