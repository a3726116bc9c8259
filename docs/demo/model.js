// A model: its session, what it takes, and its pictures.

import * as ort from "./vendor/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("vendor/", document.baseURI).href;
ort.env.wasm.numThreads = 1;  // More need headers that a plain server of files does not send.

export class Model {
  static async open(known) {
    const file = (suffix) => new URL(`models/${known.name}.${suffix}`, document.baseURI).href;
    const model = new Model();
    model.known = known;
    model.session = await ort.InferenceSession.create(file("onnx"));
    if (known.samples) model.latents = new Float32Array(await (await fetch(file("latents"))).arrayBuffer());
    return model;
  }

  // Latent number i of the seed.
  latent(i) {
    const length = this.known.inputs.latent.shape[1];
    return this.latents.slice(i * length, (i + 1) * length);
  }

  // The image of inputs by name, as 3 x H x W numbers in [-1, 1], and the milliseconds that it took.
  async image(inputs) {
    const began = performance.now();
    const { images } = await this.session.run(inputs);
    const ms = performance.now() - began;
    const [, channels, height, width] = images.dims;
    const rgb = new Float32Array(3 * height * width);
    for (let channel = 0; channel < 3; channel++) {
      const from = Math.min(channel, channels - 1) * height * width;
      rgb.set(images.data.subarray(from, from + height * width), channel * height * width);
    }
    return { image: new ort.Tensor("float32", rgb, [1, 3, height, width]), ms };
  }
}

export const numbers = (values, shape) => new ort.Tensor("float32", Float32Array.from(values), shape);
export const integers = (values, shape) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);

// Show an image, and say how long it took.
export function show({ image, ms }) {
  const canvas = document.getElementById("picture");
  const pixels = image.toImageData({ format: "RGB", norm: { mean: 127.5, bias: -1 } });  // 127.5 (x + 1)
  [canvas.width, canvas.height] = [pixels.width, pixels.height];
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  canvas.dataset.ms = ms.toFixed(1);
  canvas.dataset.made = Number(canvas.dataset.made || 0) + 1;
  document.getElementById("time").textContent = `${ms.toFixed(1)} ms`;
  document.getElementById("save").href = canvas.toDataURL();
}

// One picture at a time: while it is made, the newest wish waits and older ones are forgotten.
export function newest(work) {
  let busy = false, again = false;
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again) { again = false; await work(); }
    } finally { busy = false; }
  };
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
