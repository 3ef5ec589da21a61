// The page: asks for picture after picture, each with the camera and the keys of the moment, and sends orders.

import { boxAt, describe, drawBoxes } from "/overlay.js";
import { RoadMap } from "/map.js";

const $ = (id) => document.getElementById(id);
const PLAY = "M4 2.5l9 5.5-9 5.5z", PAUSE = "M4 3h3v10H4zM9 3h3v10H9z";
const SLIDERS = [
  { key: "time_h", name: "time", min: 0, max: 24, step: 0.25, text: (v) => `${Math.floor(v)}:${String(Math.round(v % 1 * 60)).padStart(2, "0")}` },
  { key: "cloud", name: "clouds", min: 0, max: 1, step: 0.02, text: percent },
  { key: "rain_mmph", name: "rain", min: 0, max: 1, step: 0.02, to: (p) => 40 * p * p, from: (v) => Math.sqrt(v / 40), text: (v) => `${v.toFixed(1)} mm/h` },
  { key: "visibility_m", name: "visibility", min: 0, max: 1, step: 0.01, to: (p) => 30 * Math.pow(1000, p), from: (v) => Math.log(v / 30) / Math.log(1000), text: (v) => v < 1000 ? `${v.toFixed(0)} m` : `${(v / 1000).toFixed(1)} km` },
  { key: "wet", name: "wetness", min: 0, max: 1, step: 0.02, text: percent },
  { key: "snowfall_mmph", name: "snowfall", min: 0, max: 4, step: 0.1, text: (v) => `${v.toFixed(1)} mm/h` },
  { key: "snow", name: "snow", min: 0, max: 1, step: 0.02, text: percent },
  { key: "exposure_ev", name: "exposure", min: -2, max: 2, step: 0.1, text: (v) => `${v > 0.05 ? "+" : ""}${(Math.round(v * 10) / 10 || 0).toFixed(1)} EV` },
];
const LAYERS = { none: "off", things: "panoptic" };
const FLY_KEYS = { KeyW: [1, 0, 0], KeyS: [-1, 0, 0], KeyA: [0, 1, 0], KeyD: [0, -1, 0], KeyE: [0, 0, 1], KeyQ: [0, 0, -1] };
const DRIVE_KEYS = { ArrowUp: "gas", ArrowDown: "brake", ArrowLeft: "left", ArrowRight: "right", KeyW: "gas", KeyS: "brake", KeyA: "left", KeyD: "right" };

const view = {
  camera: "dash",
  dash: { yaw_deg: 0, pitch_deg: 0 },
  orbit: { azimuth_deg: 25, elevation_deg: 14, distance_m: 9 },
  fly: null,
  layer: "none",
  keys: new Set(),
  hovered: -1,
  mouse: null,
  state: null,
  seen: -1,
  version: null,
  pictures: [],
};
const map = new RoadMap($("map"), clickMap);
window.roadloop = view; // for tests and the curious

function percent(v) { return `${Math.round(v * 100)} %`; }
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// ------------------------------------------------------------------------------------------------ asking

async function post(path, body) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

async function order(body) {
  try {
    const answer = await post("/order", body);
    if (!answer.ok) toast(await answer.text(), true);
  } catch { /* the stream says so */ }
}

function wish() {
  const camera = { mode: view.camera, ...view[view.camera] };
  const hands = {};
  for (const code of view.keys) {
    const hand = DRIVE_KEYS[code];
    if (hand && !(view.camera === "fly" && code in FLY_KEYS)) hands[hand] = true;
  }
  return {
    seen: view.seen, camera, hands, layer: view.layer, opacity: Number($("opacity").value),
    boxes_3d: $("boxes-3d").checked, width_px: Number($("width").value), sharp: $("sharp").checked,
  };
}

async function stream() {
  for (;;) {
    try {
      const answer = await post("/frame", wish());
      if (answer.status === 202) {
        waiting((await answer.json()).status);
        continue;
      }
      if (!answer.ok) throw new Error(await answer.text());
      const data = await answer.arrayBuffer();
      const length = new DataView(data).getUint32(0);
      const state = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
      view.seen = state.number;
      show(state, new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
    } catch (error) {
      busy(error instanceof TypeError ? "Roadloop has ended; waiting for it" : error.message, true);
      view.seen = -1;
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

async function loadMap() {
  map.load(null);
  for (let tries = 0; tries < 100; tries++) {
    const shapes = await (await fetch("/map")).json();
    if (shapes.surfaces) {
      map.load(shapes);
      map.redraw();
      return;
    }
    await new Promise((done) => setTimeout(done, 200));
  }
}

// ----------------------------------------------------------------------------------------------- showing

async function show(state, jpeg) {
  const image = await createImageBitmap(jpeg);
  const canvas = $("picture");
  $("stage").style.setProperty("--aspect", state.size[0] / state.size[1]);
  const pixels = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.round(canvas.clientWidth * pixels), height = Math.round(canvas.clientHeight * pixels);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d", { alpha: false });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, width, height);
  image.close();
  const before = view.state;
  view.state = state;
  const now = performance.now();
  view.pictures = [...view.pictures.filter((t) => now - t < 2000), now];
  if (!before || before.world !== state.world) {
    loadMap();
    $("seed").value = state.seed;
    if (view.options.roads.includes(state.place)) $("road").value = state.place;
  }
  busy("");
  write(state);
  overlays();
  map.draw(state);
}

function write(state) {
  const { ego } = state;
  $("place").textContent = (view.options.worlds ? "" : state.place) + (state.over ? `, over: ${state.over}` : "");
  const span = view.pictures.length > 1 ? (view.pictures.at(-1) - view.pictures[0]) / 1000 : 0;
  const fps = span > 0.2 ? `${((view.pictures.length - 1) / span).toFixed(0)} frames/s` : "";
  const rates = state.playing ? [fps, `${state.draw_ms.toFixed(0)} ms`, `${state.rate.toFixed(1)}× time`] : ["paused"];
  $("rates").textContent = rates.filter(Boolean).join("  ·  ");
  const speed = ego.speed_mps * 3.6;
  $("speed").textContent = speed.toFixed(0);
  $("speed").className = speed > ego.limit_mps * 3.6 + 5 ? "over" : "";
  $("limit").textContent = ego.limit_mps > 0 ? `limit ${(ego.limit_mps * 3.6).toFixed(0)}` : "";
  bar($("pedals"), ego.accel_mps2 / (ego.accel_mps2 > 0 ? 4 : 8), ego.accel_mps2 < 0);
  bar($("steering"), -ego.steer_rad / 0.5, false);
  $("clock").textContent = `${state.time_s.toFixed(1)} s  ·  tick ${state.tick}`;
  $("play-icon").setAttribute("d", state.playing ? PAUSE : PLAY);
  press("driver", state.driver);
  for (const button of $("map-click").children) if (button.dataset.value === "ego") button.disabled = !state.movable;
  if (document.activeElement !== $("pace") && !$("pace").matches(":active")) {
    $("pace").value = Math.log2(state.pace);
    $("pace-out").textContent = `${+state.pace.toFixed(2)}×`;
  }
  writeWeather(state.weather);
  const said = state.befell || state.notice;
  if (said) toast(said, true, 1500);
}

function writeWeather(weather) {
  if (!$("preset").matches(":focus")) $("preset").value = weather.preset;
  for (const slider of SLIDERS) {
    if (slider.input.matches(":active") || slider.pending) continue;
    const value = weather[slider.key];
    slider.input.value = slider.from ? slider.from(Math.max(value, 1e-9)) : value;
    slider.output.textContent = slider.text(value);
  }
}

function bar(element, share, brake) {
  const part = clamp(share, -1, 1) * 50;
  element.style.left = `${50 + Math.min(part, 0)}%`;
  element.style.width = `${Math.abs(part)}%`;
  element.className = brake ? "brake" : "";
}

function overlays() {
  if (!view.state) return;
  const shown = { visible: $("boxes-visible").checked, amodal: $("boxes-amodal").checked, space: $("boxes-3d").checked };
  const any = shown.visible || shown.amodal || shown.space;
  const over = any && view.mouse && boxAt(view.state, ...pixel(view.mouse));
  view.hovered = over ? over.actor : -1;
  drawBoxes($("overlay"), view.state, shown, view.hovered);
  $("tip").hidden = !over;
  if (over) {
    $("tip").textContent = describe(view.state, over);
    const stage = $("stage").getBoundingClientRect();
    $("tip").style.left = `${clamp(view.mouse[0] - stage.left + 14, 0, stage.width - 150)}px`;
    $("tip").style.top = `${clamp(view.mouse[1] - stage.top + 14, 0, stage.height - 80)}px`;
  }
}

function pixel([x, y]) {
  const box = $("picture").getBoundingClientRect();
  return [(x - box.left) / box.width * view.state.size[0], (y - box.top) / box.height * view.state.size[1]];
}

function busy(text, failed = false) {
  $("busy").className = text ? (failed ? "failed" : "") : "done";
  if (text) $("busy").lastElementChild.textContent = text;
}

function waiting(status) {
  if (status.busy) busy(status.busy);
}

let fading = 0;
function toast(text, warn = false, ms = 3500) {
  $("toast").textContent = text;
  $("toast").className = warn ? "warn" : "";
  $("toast").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { $("toast").hidden = true; }, ms);
}

function press(group, value) {
  for (const button of $(group).children) button.setAttribute("aria-pressed", String(button.dataset.value === value));
}

// ---------------------------------------------------------------------------------------------- controls

function setCamera(name) {
  if (name === "fly" && view.state && view.camera !== "fly") {
    const { x, y, z, yaw_deg, pitch_deg } = view.state.eye;
    view.fly = { x_m: x, y_m: y, z_m: clamp(z, 0.5, 1900), yaw_deg: yaw_deg % 360, pitch_deg: clamp(pitch_deg, -90, 90) };
  }
  if (name === "fly" && !view.fly) return;
  view.camera = name;
  press("camera", name);
}

function setLayer(name) {
  view.layer = name;
  press("layers", name);
  const legend = $("legend");
  legend.replaceChildren();
  if (name === "semantic" || name === "things") {
    for (const [label, colour] of view.options.classes) {
      const entry = document.createElement("span");
      entry.textContent = label;
      entry.style.setProperty("--c", colour);
      legend.append(entry);
    }
  } else if (name === "depth") {
    const ramp = document.createElement("div");
    ramp.className = "ramp";
    const [near, far] = ["2 m", "250 m"].map((text) => Object.assign(document.createElement("em"), { textContent: text }));
    legend.append(near, ramp, far);
  }
  legend.hidden = !legend.childElementCount;
}

function clickMap(x, y) {
  if ($("map-click").querySelector("[aria-pressed=true]").dataset.value === "ego") {
    order({ do: "ego", x_m: x, y_m: y });
    return;
  }
  setCamera("fly");
  if (!view.fly) return;
  const back = clamp(view.fly.z_m, 2, 60);
  Object.assign(view.fly, { x_m: x, y_m: y, z_m: back });
}

function drive(code) {
  const takes = code in DRIVE_KEYS && !(view.camera === "fly" && code in FLY_KEYS);
  if (!takes || !view.state || view.state.driver === "you") return;
  if (view.options.scenario && view.state.driver === "none") {
    toast("choose you as the driver to take the wheel: the scenario then begins anew");
    return;
  }
  order({ do: "driver", name: "you" });
  toast("you have the wheel");
}

function fly(seconds) {
  const move = [0, 0, 0];
  for (const code of view.keys) (FLY_KEYS[code] || []).forEach((v, i) => { move[i] += v; });
  if (!move.some(Boolean)) return;
  const { fly: at } = view, yaw = at.yaw_deg * Math.PI / 180;
  const step = seconds * clamp(8 + 0.6 * at.z_m, 8, 150) * (view.keys.has("ShiftLeft") || view.keys.has("ShiftRight") ? 4 : 1);
  const level = move[0] * Math.cos(at.pitch_deg * Math.PI / 180);
  at.x_m += step * (level * Math.cos(yaw) - move[1] * Math.sin(yaw));
  at.y_m += step * (level * Math.sin(yaw) + move[1] * Math.cos(yaw));
  at.z_m = clamp(at.z_m + step * (move[2] - move[0] * Math.sin(at.pitch_deg * Math.PI / 180)), 0.5, 1900);
}

let ticked = performance.now();
function tick(now) {
  if (view.camera === "fly" && view.fly) fly(Math.min((now - ticked) / 1000, 0.1));
  ticked = now;
  requestAnimationFrame(tick);
}

function turn(dx, dy) {
  const camera = view[view.camera], k = 0.25;
  if (view.camera === "orbit") {
    camera.azimuth_deg = (camera.azimuth_deg - dx * k) % 360;
    camera.elevation_deg = clamp(camera.elevation_deg + dy * k, -5, 88);
  } else {
    const limit = view.camera === "dash" ? 60 : 89;
    camera.yaw_deg = (camera.yaw_deg + dx * k * 0.6) % 360;
    camera.pitch_deg = clamp(camera.pitch_deg - dy * k * 0.6, -limit, limit);
  }
}

function zoom(amount) {
  if (view.camera === "orbit") view.orbit.distance_m = clamp(view.orbit.distance_m * Math.exp(amount), 3, 300);
  if (view.camera === "fly") {
    const { fly: at } = view, yaw = at.yaw_deg * Math.PI / 180, pitch = at.pitch_deg * Math.PI / 180;
    const step = -amount * clamp(10 + at.z_m, 10, 200);
    at.x_m += step * Math.cos(pitch) * Math.cos(yaw);
    at.y_m += step * Math.cos(pitch) * Math.sin(yaw);
    at.z_m = clamp(at.z_m - step * Math.sin(pitch), 0.5, 1900);
  }
}

function listenToPicture() {
  const picture = $("picture");
  let from = null;
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    from = [event.clientX, event.clientY];
  });
  picture.addEventListener("pointermove", (event) => {
    view.mouse = [event.clientX, event.clientY];
    if (from) {
      turn(event.clientX - from[0], event.clientY - from[1]);
      from = view.mouse;
    }
    overlays();
  });
  picture.addEventListener("pointerup", () => { from = null; });
  picture.addEventListener("pointercancel", () => { from = null; });
  picture.addEventListener("pointerleave", () => { view.mouse = null; overlays(); });
  picture.addEventListener("dblclick", () => {
    Object.assign(view.dash, { yaw_deg: 0, pitch_deg: 0 });
    Object.assign(view.orbit, { azimuth_deg: 25, elevation_deg: 14, distance_m: 9 });
  });
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY * 0.0012);
  }, { passive: false });
}

const PRESSED = {
  Space: () => $("play").click(),
  Period: () => $("step").click(),
  KeyR: () => $("reset").click(),
  KeyN: () => $("traffic").click(),
  KeyH: () => $("help-open").click(),
  KeyB: nextBoxes,
  Digit1: () => setCamera("dash"),
  Digit2: () => setCamera("orbit"),
  Digit3: () => setCamera("fly"),
};

function nextBoxes() {
  const now = $("boxes-3d").checked ? 2 : $("boxes-visible").checked || $("boxes-amodal").checked ? 1 : 0;
  $("boxes-visible").checked = now === 0;
  $("boxes-3d").checked = now === 1;
  $("boxes-amodal").checked = false;
  overlays();
}

function listenToKeys() {
  window.addEventListener("keydown", (event) => {
    const typing = event.target.matches("select, input:not([type=checkbox])") || $("help").open;
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.code === "Space" && event.target.matches("button, input")) return;
    if (!event.repeat) {
      if (event.code === "KeyL") {
        const names = view.options.layers, at = names.indexOf(view.layer) + (event.shiftKey ? -1 : 1);
        setLayer(names.at(at % names.length));
      }
      PRESSED[event.code]?.();
      drive(event.code);
    }
    view.keys.add(event.code);
    if (event.code in DRIVE_KEYS || event.code === "Space") event.preventDefault();
  });
  window.addEventListener("keyup", (event) => view.keys.delete(event.code));
  window.addEventListener("blur", () => view.keys.clear());
}

function choose(group, act) {
  $(group).addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) act(button.dataset.value);
  });
}

function fill(id, names, label = (name) => name) {
  $(id).replaceChildren(...names.map((name) => {
    const tag = $(id).matches("select") ? "option" : "button";
    const element = Object.assign(document.createElement(tag), { textContent: label(name) });
    if (tag === "option") element.value = name;
    else element.dataset.value = name;
    return element;
  }));
}

function makeSliders() {
  for (const slider of SLIDERS) {
    const label = Object.assign(document.createElement("label"), { className: "slider" });
    const { min, max, step } = slider;
    slider.input = Object.assign(document.createElement("input"), { type: "range", min, max, step, id: `sky-${slider.key}` });
    slider.output = document.createElement("output");
    label.append(slider.name, slider.input, slider.output);
    $("sky").append(label);
    const send = () => {
      const value = slider.to ? slider.to(Number(slider.input.value)) : Number(slider.input.value);
      slider.output.textContent = slider.text(value);
      order({ do: "sky", [slider.key]: value });
    };
    slider.input.addEventListener("input", () => {
      clearTimeout(slider.pending);
      slider.pending = setTimeout(() => { slider.pending = 0; send(); }, 30);
    });
  }
}

function listenToControls() {
  $("play").onclick = () => order({ do: "play", running: !view.state?.playing });
  $("step").onclick = () => order({ do: "step", seconds: 0.1 });
  $("reset").onclick = () => order({ do: "restart" });
  $("traffic").onclick = () => order({ do: "restart", seed: (view.state?.seed ?? 0) + 1 });
  $("world").onclick = () => {
    const own = Number($("seed").value), same = own === view.state?.seed && $("road").value === view.state?.place;
    $("seed").value = same ? own + 1 : own;
    order({ do: "world", road: $("road").value, seed: Number($("seed").value) });
    busy("building the world");
  };
  $("pace").oninput = () => {
    const factor = Math.pow(2, Number($("pace").value));
    $("pace-out").textContent = `${+factor.toFixed(2)}×`;
    order({ do: "pace", factor });
  };
  $("preset").onchange = () => { order({ do: "preset", name: $("preset").value }); $("preset").blur(); };
  $("help-open").onclick = () => $("help").showModal();
  $("map-follow").onclick = () => map.setFollow(!map.follow);
  map.onFollow = (on) => $("map-follow").setAttribute("aria-pressed", String(on));
  choose("camera", setCamera);
  choose("layers", setLayer);
  choose("driver", (name) => order({ do: "driver", name }));
  choose("map-click", (name) => press("map-click", name));
  for (const id of ["boxes-visible", "boxes-amodal", "boxes-3d"]) $(id).onchange = overlays;
  $("opacity").oninput = () => { $("opacity").nextElementSibling.textContent = percent(Number($("opacity").value)); };
  $("opacity").oninput();
  // The arrows are for driving again once a control has been used with the mouse.
  for (const control of document.querySelectorAll("input, select, button")) {
    control.addEventListener("pointerup", () => setTimeout(() => { if (!control.matches("select, [type=number]")) control.blur(); }));
  }
}

async function begin() {
  view.options = await (await fetch("/options")).json();
  fill("layers", view.options.layers, (name) => LAYERS[name] || name);
  const nobody = view.options.scenario ? "as written" : "nobody";
  fill("driver", view.options.drivers, (name) => name === "none" ? nobody : name.split(/[\\/]/).at(-1));
  fill("preset", view.options.weathers, (name) => name.replace("_", " "));
  fill("road", view.options.roads);
  fill("width", view.options.widths, (px) => `${px} px`);
  $("width").value = 640;
  $("road").value = view.options.road;
  $("worlds").hidden = !view.options.worlds;
  $("traffic").hidden = view.options.scenario;
  makeSliders();
  listenToControls();
  listenToPicture();
  listenToKeys();
  setCamera("dash");
  setLayer("none");
  requestAnimationFrame(tick);
  stream();
}

begin();
