// What is painted on a picture, in its own pixels, until it is applied: dabs, lines, warps and boxes, with undo.

export class Canvas {
  constructor(canvas, changed) {
    Object.assign(this, { canvas, changed, strokes: [], size: [1, 1], tool: "dab", color: "#d22f27", radius: 4 });
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.end());
  }

  fit(width, height) {
    if (this.size[0] === width && this.size[1] === height) return;
    this.size = [width, height];
    this.scale = Math.max(1, Math.round(512 / Math.max(width, height)));
    this.canvas.width = width * this.scale;
    this.canvas.height = height * this.scale;
    this.clear();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (client, start, length, pixels) => Math.min(pixels - 1, Math.max(0, Math.floor(((client - start) / length) * pixels)));
    return [at(event.clientX, box.left, box.width, this.size[0]), at(event.clientY, box.top, box.height, this.size[1])];
  }

  begin(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.strokes.push({ tool: this.tool, brushes: [], start: this.last });
    this.add(this.last);
  }

  move(event) {
    if (!this.last) return;
    const [x, y] = this.place(event);
    if (x !== this.last[0] || y !== this.last[1]) { this.last = [x, y]; this.add([x, y]); }
  }

  add([x, y]) {
    const stroke = this.strokes.at(-1), [left, top] = stroke.start;
    if (stroke.tool === "dab") stroke.brushes.push(["dab", x, y, this.radius, this.color]);
    else if (stroke.tool === "line") stroke.brushes = [["line", left, top, x, y]];
    else if (stroke.tool === "box") {
      stroke.brushes = [["box", Math.min(left, x), Math.min(top, y), Math.max(left, x) + 1, Math.max(top, y) + 1]];
    } else stroke.brushes = [["warp", left, top, this.radius, x - left, y - top]];
    this.draw();
  }

  end() { this.last = null; this.changed(); }
  undo() { this.strokes.pop(); this.draw(); this.changed(); }
  clear() { this.strokes = []; this.draw(); this.changed(); }
  get marks() { return this.strokes.flatMap((stroke) => stroke.brushes); }
  get brushes() { return this.marks.filter(([kind]) => kind !== "box"); }
  get boxes() { return this.marks.filter(([kind]) => kind === "box").map(([, ...sides]) => sides); }

  draw() {
    const pen = this.canvas.getContext("2d"), s = this.scale || 1;
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.lineWidth = Math.max(2, s / 2);
    for (const [kind, ...n] of this.marks) {
      pen.strokeStyle = pen.fillStyle = kind === "dab" ? n[3] : "#ffd23f";
      pen.beginPath();
      if (kind === "dab") {
        pen.arc((n[0] + 0.5) * s, (n[1] + 0.5) * s, (n[2] + 0.5) * s, 0, 7);
        pen.fill();
      } else if (kind === "line") {
        pen.moveTo((n[0] + 0.5) * s, (n[1] + 0.5) * s);
        pen.lineTo((n[2] + 0.5) * s, (n[3] + 0.5) * s);
        pen.stroke();
      } else if (kind === "box") {
        pen.strokeRect(n[0] * s, n[1] * s, (n[2] - n[0]) * s, (n[3] - n[1]) * s);
      } else {
        const side = (2 * n[2] + 1) * s;
        pen.strokeRect((n[0] - n[2]) * s, (n[1] - n[2]) * s, side, side);
        pen.strokeRect((n[0] + n[3] - n[2]) * s, (n[1] + n[4] - n[2]) * s, side, side);
        pen.moveTo((n[0] + 0.5) * s, (n[1] + 0.5) * s);
        pen.lineTo((n[0] + n[3] + 0.5) * s, (n[1] + n[4] + 0.5) * s);
        pen.stroke();
      }
    }
  }
}
