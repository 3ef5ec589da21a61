// Boxes over the picture, drawn at the screen's own resolution.

const COLOURS = {
  car: "#5cc1ff", truck: "#fb9a4c", bus: "#f5cf3d", pedestrian: "#f48ac0", bicycle: "#63d98a", motorcycle: "#b39dfa",
};

export function drawBoxes(canvas, state, shown, hovered) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const scale = width / state.size[0];
  for (const box of state.boxes) {
    pen.strokeStyle = pen.fillStyle = COLOURS[box.kind];
    pen.lineWidth = (box.actor === hovered ? 2.5 : 1.5) * ratio;
    if (shown.amodal) frame(pen, box.amodal, scale, [4 * ratio, 3 * ratio]);
    if (shown.visible) frame(pen, box.visible, scale, []);
    if (shown.space) lines(pen, state.boxes3d[box.actor] || [], scale / 10);
    if ((shown.visible || shown.amodal) && box.visible[3] - box.visible[1] > 16) {
      pen.font = `${11 * ratio}px system-ui, sans-serif`;
      pen.fillText(box.kind, box.visible[0] * scale, box.visible[1] * scale - 4 * ratio);
    }
  }
}

function frame(pen, [left, top, right, bottom], scale, dash) {
  pen.setLineDash(dash);
  pen.strokeRect(left * scale, top * scale, (right - left) * scale, (bottom - top) * scale);
  pen.setLineDash([]);
}

function lines(pen, edges, scale) {
  pen.beginPath();
  for (const [u, v, s, t] of edges) {
    pen.moveTo(u * scale, v * scale);
    pen.lineTo(s * scale, t * scale);
  }
  pen.stroke();
}

// The nearest actor whose visible box holds the point, in pixels of the picture.
export function boxAt(state, u, v) {
  let best = null;
  for (const box of state.boxes) {
    const [left, top, right, bottom] = box.visible;
    const inside = u >= left - 1 && u <= right + 1 && v >= top - 1 && v <= bottom + 1;
    if (inside && (!best || right - left < best.visible[2] - best.visible[0])) best = box;
  }
  return best;
}

export function describe(state, box) {
  const actor = state.actors.find((a) => a.n === box.actor);
  if (!actor) return box.kind;
  const far = Math.hypot(actor.at[0] - state.eye.x, actor.at[1] - state.eye.y);
  const who = box.actor === 0 ? "ego" : `${box.kind} ${box.actor}`;
  const hidden = box.occlusion > 0.005 ? `\nhidden ${Math.round(box.occlusion * 100)} %` : "";
  const cut = box.truncation > 0.005 ? `\ncut off ${Math.round(box.truncation * 100)} %` : "";
  return `${who}\n${far.toFixed(0)} m, ${(actor.speed_mps * 3.6).toFixed(0)} km/h${hidden}${cut}`;
}
