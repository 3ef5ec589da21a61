// The map: lanes from the server drawn once per zoom, actors on top of them at every picture.

const SURFACES = {
  driving: "#323c46", sidewalk: "#232b32", parking: "#2c3342", biking: "#3c3034", shoulder: "#262e35",
  border: "#222a30", median: "#1f2c26",
};
const KINDS = { car: "#aab6c2", truck: "#fb9a4c", bus: "#f5cf3d", pedestrian: "#f48ac0", bicycle: "#63d98a", motorcycle: "#b39dfa" };
const LIGHTS = ["#f0625a", "#f0c14b", "#56cc83"];
const MARGIN = 2; // of the backdrop, in sizes of the map

export class RoadMap {
  constructor(canvas, onClick) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.back = document.createElement("canvas");
    this.scale = 2.2; // CSS pixels per metre
    this.middle = [0, 0];
    this.follow = true;
    this.shapes = null;
    this.stale = true;
    this.listen(onClick);
  }

  load(shapes) {
    this.shapes = shapes;
    this.stale = true;
  }

  draw(state) {
    const { canvas, pen } = this;
    this.state = state;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      this.stale = true;
    }
    if (this.follow) this.middle = [state.ego.x, state.ego.y];
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "#12181c";
    pen.fillRect(0, 0, width, height);
    if (!this.shapes) return;
    this.backdrop(width, height, ratio);
    const k = this.scale * ratio;
    const shift = [(this.at[0] - this.middle[0]) * k, (this.middle[1] - this.at[1]) * k];
    pen.drawImage(this.back, (width - this.back.width) / 2 + shift[0], (height - this.back.height) / 2 + shift[1]);
    pen.setTransform(k, 0, 0, -k, width / 2 - this.middle[0] * k, height / 2 + this.middle[1] * k);
    this.drawLights(pen, state, k, ratio);
    this.drawRoute(pen, state, k, ratio);
    for (const actor of state.actors) this.drawActor(pen, actor, k, ratio);
    this.drawCamera(pen, state.eye, k, ratio);
  }

  // Lanes and lines in a picture larger than the map, drawn anew when the map leaves it or zooms.
  backdrop(width, height, ratio) {
    const k = this.scale * ratio;
    const away = this.at ? Math.max(Math.abs(this.at[0] - this.middle[0]) * k / width, Math.abs(this.at[1] - this.middle[1]) * k / height) : 1;
    if (!this.stale && this.drawn === k && away < (MARGIN - 1) / 2) return;
    Object.assign(this, { stale: false, drawn: k, at: [...this.middle] });
    const { back } = this;
    Object.assign(back, { width: Math.round(width * MARGIN), height: Math.round(height * MARGIN) });
    const pen = back.getContext("2d");
    const x0 = this.middle[0] - back.width / 2 / k, y1 = this.middle[1] + back.height / 2 / k;
    pen.setTransform(k, 0, 0, -k, -x0 * k, y1 * k);
    const box = [x0, y1 - back.height / k, x0 + back.width / k, y1];
    for (const [kind, xy] of this.shapes.surfaces) {
      if (!near(xy, box)) continue;
      trace(pen, xy);
      pen.fillStyle = pen.strokeStyle = SURFACES[kind];
      pen.lineWidth = 0.6 / k;
      pen.fill();
      pen.stroke();
    }
    if (k / ratio < 1.2) return;
    pen.lineWidth = Math.max(0.14, 0.7 / k);
    for (const [colour, gap, xy] of this.shapes.lines) {
      if (!near(xy, box)) continue;
      trace(pen, xy);
      pen.strokeStyle = colour === "yellow" ? "#b39a55" : "#77838f";
      pen.setLineDash(gap > 0 ? [3, gap] : []);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  drawLights(pen, state, k, ratio) {
    if (k / ratio < 0.6) return;
    const radius = Math.max(0.7, 2.2 * ratio / k);
    for (const [x, y, group] of this.shapes.lights) {
      pen.fillStyle = LIGHTS[state.signals[group]] || "#555";
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.fill();
    }
  }

  drawRoute(pen, state, k, ratio) {
    if (state.route.length < 2) return;
    const cos = Math.cos(state.ego.yaw), sin = Math.sin(state.ego.yaw);
    pen.beginPath();
    for (const [x, y] of state.route) pen.lineTo(state.ego.x + cos * x - sin * y, state.ego.y + sin * x + cos * y);
    pen.strokeStyle = "#79bfd866";
    pen.lineWidth = Math.max(1.2, 3 * ratio / k);
    pen.lineJoin = pen.lineCap = "round";
    pen.stroke();
  }

  drawActor(pen, { n, kind, at: [x, y, yaw], size: [length, width, ahead] }, k, ratio) {
    const least = 4 * ratio / k;
    const l = Math.max(length, least), w = Math.max(width, least * 0.7);
    pen.save();
    pen.translate(x, y);
    pen.rotate(yaw);
    pen.fillStyle = n === 0 ? "#79bfd8" : KINDS[kind];
    pen.fillRect(ahead - l / 2, -w / 2, l, w);
    pen.restore();
  }

  drawCamera(pen, eye, k, ratio) {
    const yaw = eye.yaw_deg * Math.PI / 180, half = eye.fov_deg * Math.PI / 360, reach = 46 * ratio / k;
    pen.beginPath();
    pen.moveTo(eye.x, eye.y);
    pen.arc(eye.x, eye.y, reach, yaw - half, yaw + half);
    pen.closePath();
    pen.fillStyle = "#e4e9ee1c";
    pen.fill();
    pen.beginPath();
    pen.arc(eye.x, eye.y, 2.2 * ratio / k, 0, 7);
    pen.fillStyle = "#e4e9ee";
    pen.fill();
  }

  listen(onClick) {
    const { canvas } = this;
    let start = null, moved = false;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      start = [event.clientX, event.clientY, ...this.middle];
      moved = false;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!start) return;
      const dx = event.clientX - start[0], dy = event.clientY - start[1];
      if (!moved && Math.hypot(dx, dy) < 5) return;
      moved = true;
      this.setFollow(false);
      this.middle = [start[2] - dx / this.scale, start[3] + dy / this.scale];
      this.redraw();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (start && !moved) onClick(...this.place(event));
      start = null;
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const before = this.place(event);
      this.scale = Math.min(Math.max(this.scale * Math.exp(-event.deltaY * 0.0015), 0.05), 14);
      const after = this.place(event);
      if (!this.follow) this.middle = [this.middle[0] + before[0] - after[0], this.middle[1] + before[1] - after[1]];
      this.redraw();
    }, { passive: false });
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      this.middle[0] + (event.clientX - box.left - box.width / 2) / this.scale,
      this.middle[1] - (event.clientY - box.top - box.height / 2) / this.scale,
    ];
  }

  setFollow(on) {
    this.follow = on;
    if (this.onFollow) this.onFollow(on);
    this.redraw();
  }

  redraw() {
    if (this.state) this.draw(this.state);
  }
}

function trace(pen, xy) {
  pen.beginPath();
  for (let i = 0; i < xy.length; i += 2) pen.lineTo(xy[i], xy[i + 1]);
}

function near(xy, [x0, y0, x1, y1]) {
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (let i = 0; i < xy.length; i += 2) {
    left = Math.min(left, xy[i]); right = Math.max(right, xy[i]);
    low = Math.min(low, xy[i + 1]); high = Math.max(high, xy[i + 1]);
  }
  return right >= x0 && left <= x1 && high >= y0 && low <= y1;
}
