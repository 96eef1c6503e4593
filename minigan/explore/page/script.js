"use strict";
// The explorer's page. `model` answers what it asks for: a server on this machine, or, in an exported page, kernels.js.

const $ = id => document.getElementById(id);
const REACH = 4; // standard deviations of z that a slider goes to either side
const CELLS = 12;
const token = location.pathname.replace(/[^/]*$/, "");

const served = {
  async ask(what, given = {}) {
    let answer;
    try {
      answer = await fetch(token + what, {method: "POST", body: JSON.stringify(given)});
    } catch {
      throw new Error("The server has ended: start it again, and open the address that it prints. Save JSON keeps what you have.");
    }
    if (!answer.ok) throw new Error((await answer.json()).error);
    return answer;
  },
  async facts() { return (await this.ask("model")).json(); },
  async latents(seed, count) { return (await (await this.ask("latents", {seed, count})).json()).z; },
  async draw(z, label) { return new Uint8Array(await (await this.ask("draw", {z, label})).arrayBuffer()); },
  async translate(file, mask) { // as PNG; `mask` is a canvas
    const sent = async blob => base64(new Uint8Array(await blob.arrayBuffer()));
    const masked = mask ? {mask: await sent(await new Promise(done => mask.toBlob(done)))} : {};
    const edited = facts.attributes ? {set: wantedValues()} : {};
    return (await this.ask("translate", {picture: await sent(file), ...masked, ...edited})).blob();
  },
};
const model = window.OFFLINE ? window.OFFLINE : served;

let facts;
let state; // {z, offsets: {direction: amount}, label, truncation, seed, cells, picked, stops}
let past = [], future = [];

// ---- z ------------------------------------------------------------------------------------------

const add = (a, b, t = 1) => a.map((v, i) => v + t * b[i]);
const norm = a => Math.hypot(...a);

function currentZ() {
  let z = state.z;
  for (const [number, amount] of Object.entries(state.offsets)) z = add(z, facts.directions[number].vector, amount);
  return z.map(v => v * state.truncation);
}

function gauss() { return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()); }

function between(a, b, t) { // along the great circle: Gaussian z lie near a sphere
  const cosine = Math.min(1, Math.max(-1, a.reduce((s, v, i) => s + v * b[i], 0) / (norm(a) * norm(b) || 1)));
  const angle = Math.acos(cosine), sine = Math.sin(angle);
  if (sine < 1e-6) return a.map((v, i) => (1 - t) * v + t * b[i]);
  return a.map((v, i) => (Math.sin((1 - t) * angle) * v + Math.sin(t * angle) * b[i]) / sine);
}

function middle(rows) { // their mean, as long as they are on average
  const mean = rows.reduce((a, b) => add(a, b)).map(v => v / rows.length);
  const length = rows.reduce((s, row) => s + norm(row), 0) / rows.length;
  return mean.map(v => v * length / (norm(mean) || 1));
}

// ---- drawing --------------------------------------------------------------------------------------

function paint(canvas, bytes, number = 0) {
  const [channels, height, width] = facts.shape, count = height * width;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[(number * count + i) * channels + (channels === 1 ? 0 : c)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

async function hear() { // the sample itself, which its picture only stands for
  const {html} = await (await served.ask("play", {z: [currentZ()], label: state.label})).json();
  $("played").innerHTML = html;
  const sound = $("played").querySelector("audio");
  if (sound) await sound.play();
}

let drawing = false, again = false;
async function draw() { // the newest state; what comes while one is drawn is drawn after it, once
  if (drawing) { again = true; return; }
  drawing = true;
  try {
    do {
      again = false;
      paint($("picture"), await model.draw([currentZ()], state.label));
    } while (again);
    $("picture").dataset.drawn = 1 + Number($("picture").dataset.drawn || 0);
  } catch (error) { tell(error.message, true); } finally { drawing = false; }
}

async function drawGrid() {
  const label = state.label, cells = state.cells;
  try {
    const bytes = await model.draw(cells.map(z => z.map(v => v * state.truncation)), label);
    if (cells !== state.cells) return;
    [...$("grid").querySelectorAll("canvas")].forEach((canvas, number) => paint(canvas, bytes, number));
  } catch (error) { tell(error.message, true); }
}

function tell(text, bad = false) {
  $("message").textContent = text;
  $("message").classList.toggle("error", bad);
}

// ---- state, undo ----------------------------------------------------------------------------------

const copy = value => JSON.parse(JSON.stringify(value));

function change(edit, coalesce = "") { // one step of undo; a slider that is being moved is one step
  if (!coalesce || coalesce !== change.last) { past.push(JSON.stringify(state)); if (past.length > 200) past.shift(); }
  change.last = coalesce;
  future = [];
  edit();
  show();
}

function travel(from, to) {
  if (!from.length) return;
  to.push(JSON.stringify(state));
  state = JSON.parse(from.pop());
  change.last = "";
  show();
}

let shown = {};
function show() {
  $("undo").disabled = !past.length;
  $("redo").disabled = !future.length;
  $("seed").value = state.seed;
  if (facts.classes.length) $("class").value = state.label;
  $("truncation").value = state.truncation;
  $("truncation-value").textContent = Number(state.truncation).toFixed(2);
  for (const input of $("directions").querySelectorAll("input")) {
    input.value = state.offsets[input.dataset.number] || 0;
    input.nextElementSibling.textContent = Number(input.value).toFixed(2);
  }
  for (const input of $("elements").querySelectorAll("input")) {
    input.value = state.z[input.dataset.number];
    input.nextElementSibling.textContent = state.z[input.dataset.number].toFixed(2);
  }
  [...$("grid").children].forEach((cell, number) => {
    const picked = state.picked.includes(number);
    cell.classList.toggle("picked", picked);
    cell.querySelector("input").checked = picked;
  });
  const n = state.stops.length;
  $("path-length").textContent = n ? `${n} stop${n > 1 ? "s" : ""}` : "no stops";
  for (const id of ["play", "gif", "strip"]) $(id).disabled = n < 2;
  drawPad();
  draw();
  const grid = JSON.stringify([state.cells, state.label, state.truncation]);
  if (grid !== shown.grid) { shown.grid = grid; drawGrid(); }
}

// ---- controls -------------------------------------------------------------------------------------

function slider(text, number, reach, change_) {
  const label = document.createElement("label");
  label.className = "slider";
  label.innerHTML = `<span></span><input type="range" min="${-reach}" max="${reach}" step="0.02"><output></output>`;
  label.firstChild.textContent = text;
  const input = label.querySelector("input");
  input.dataset.number = number;
  input.addEventListener("input", () => change_(Number(input.value)));
  input.addEventListener("change", () => { change.last = ""; });
  return label;
}

function fillDirections() {
  $("directions").replaceChildren();
  facts.directions.forEach((direction, number) => {
    if (direction.method !== $("method").value) return;
    const rank = facts.directions.filter((d, n) => d.method === direction.method && n <= number).length;
    const text = `${rank} (${(100 * direction.share).toFixed(0)} %)`;
    $("directions").append(slider(text, number, REACH, value => change(() => { state.offsets[number] = value; }, `d${number}`)));
  });
}

function fillElements() {
  if (!$("raw").open || $("elements").children.length) return;
  state.z.forEach((_, number) => $("elements").append(
    slider(`z[${number}]`, number, REACH, value => change(() => { state.z[number] = value; }, `z${number}`))));
  show();
}

function fillGrid() {
  for (let number = 0; number < CELLS; number++) {
    const cell = document.createElement("div");
    cell.className = "cell";
    cell.innerHTML = `<button aria-label="Show picture ${number + 1}"><canvas></canvas></button><input type="checkbox" aria-label="Pick picture ${number + 1}">`;
    cell.querySelector("button").onclick = () => change(() => { state.z = copy(state.cells[number]); state.offsets = {}; });
    cell.querySelector("input").onchange = event => change(() => {
      state.picked = state.picked.filter(n => n !== number);
      if (event.target.checked) state.picked.push(number);
    });
    $("grid").append(cell);
  }
}

const picks = () => state.picked.map(number => state.cells[number]);

async function fresh(seed) {
  const [z, ...cells] = await model.latents(seed, CELLS + 1);
  return {z, cells};
}

async function begin(seed) {
  if (!Number.isSafeInteger(seed) || seed < 0) return tell("A seed is a whole number of at least 0.", true);
  try {
    const {z} = await fresh(seed);
    change(() => { state.z = z; state.seed = seed; state.offsets = {}; });
    tell(`Seed ${seed}`);
  } catch (error) { tell(error.message, true); }
}

function child(parents) {
  const strength = Number($("mutation").value);
  return parents[0].map((_, i) => {
    const gene = parents[Math.floor(Math.random() * parents.length)][i];
    return Math.sqrt(1 - strength * strength) * gene + strength * gauss(); // of variance 1 again
  });
}

// ---- a path ---------------------------------------------------------------------------------------

const axes = () => [Number($("pad-x").value), Number($("pad-y").value)];

function drawPad() {
  const canvas = $("pad"), context = canvas.getContext("2d"), side = canvas.width;
  context.clearRect(0, 0, side, side);
  context.strokeStyle = "#8886";
  context.beginPath();
  context.moveTo(side / 2, 0); context.lineTo(side / 2, side); context.moveTo(0, side / 2); context.lineTo(side, side / 2);
  context.stroke();
  const at = stop => [(stop[0] / REACH + 1) / 2 * side, (1 - stop[1] / REACH) / 2 * side];
  context.strokeStyle = context.fillStyle = "#2563eb";
  context.lineWidth = 2;
  context.beginPath();
  state.stops.filter(stop => stop.at).forEach((stop, n) => context[n ? "lineTo" : "moveTo"](...at(stop.at)));
  context.stroke();
  const [x, y] = axes();
  context.beginPath();
  context.arc(...at([state.offsets[x] || 0, state.offsets[y] || 0]), 5, 0, 7);
  context.fill();
}

function padPoint(event) {
  const box = $("pad").getBoundingClientRect();
  const clamp = v => Math.max(-REACH, Math.min(REACH, v));
  return [clamp(((event.clientX - box.left) / box.width * 2 - 1) * REACH), clamp((1 - (event.clientY - box.top) / box.height * 2) * REACH)];
}

function movePad(point) {
  const [x, y] = axes();
  state.offsets[x] = point[0];
  if (y !== x) state.offsets[y] = point[1];
}

function pathZ(steps = 48) { // evenly many between all stops
  const stops = state.stops.map(stop => stop.z), rows = [];
  for (let i = 0; i < steps; i++) {
    const place = i / (steps - 1) * (stops.length - 1), n = Math.min(Math.floor(place), stops.length - 2);
    rows.push(between(stops[n], stops[n + 1], place - n));
  }
  return rows;
}

async function play() {
  const rows = pathZ(), bytes = await model.draw(rows, state.label);
  for (let n = 0; n < rows.length; n++) {
    paint($("picture"), bytes, n);
    await new Promise(done => setTimeout(done, 60));
  }
  draw();
}

async function strip() {
  const rows = pathZ(12);
  if (model === served) return save(new Blob([await (await served.ask("path", {z: rows, label: state.label, format: "strip"})).arrayBuffer()], {type: "image/png"}), "path.png");
  const bytes = await model.draw(rows, state.label), [, height, width] = facts.shape;
  const whole = Object.assign(document.createElement("canvas"), {width: width * rows.length, height});
  const one = document.createElement("canvas");
  rows.forEach((_, n) => { paint(one, bytes, n); whole.getContext("2d").drawImage(one, n * width, 0); });
  whole.toBlob(blob => save(blob, "path.png"));
}

// ---- files ----------------------------------------------------------------------------------------

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  document.body.dataset.saved = name;
}

function settings() {
  return {minigan: 1, model: facts.name, z_dim: facts.z_dim, latent: currentZ(), ...state};
}

function openSettings(text) {
  const row = z => Array.isArray(z) && z.length === facts.z_dim && z.every(Number.isFinite);
  let found;
  try { found = JSON.parse(text); } catch { return tell("This file is not JSON.", true); }
  if (!found || found.minigan !== 1 || !row(found.z)) return tell(`This file is not of a model with ${facts.z_dim} elements of z.`, true);
  const rows = Array.isArray(found.cells) && found.cells.length === CELLS && found.cells.every(row) ? found.cells : state.cells;
  const offsets = {};
  for (const [n, v] of Object.entries(found.offsets || {})) if (facts.directions[n] && Number.isFinite(v)) offsets[n] = v;
  const label = Number.isInteger(found.label) && found.label >= 0 && found.label < facts.classes.length ? found.label : state.label;
  change(() => {
    state = {
      z: found.z, offsets, label, cells: rows, seed: Number.isSafeInteger(found.seed) && found.seed >= 0 ? found.seed : 0,
      truncation: Math.min(1.5, Math.max(0, Number.isFinite(found.truncation) ? found.truncation : 1)),
      picked: (Array.isArray(found.picked) ? found.picked : []).filter(n => Number.isInteger(n) && n >= 0 && n < CELLS),
      stops: (Array.isArray(found.stops) ? found.stops : []).filter(stop => stop && row(stop.z)).slice(0, 256),
    };
  });
  tell("Opened.");
}

async function pixels(file, width, height, channels) { // the picture at the model's size, on white as in training
  const bitmap = await createImageBitmap(file, {resizeWidth: width, resizeHeight: height, resizeQuality: "high"});
  const canvas = Object.assign(document.createElement("canvas"), {width, height}), context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data, found = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = rgba.slice(4 * i, 4 * i + 3);
    if (channels === 1) found[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b); else found.set([r, g, b], 3 * i);
  }
  return found;
}

const base64 = bytes => { let text = ""; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); };

let search = "";
async function find(file) {
  try {
    const [channels, height, width] = facts.shape, wanted = await pixels(file, width, height, channels);
    paint($("wanted"), wanted);
    const own = search = (await (await served.ask("find", {picture: base64(wanted), label: state.label, steps: 200})).json()).search;
    $("find-stop").disabled = false;
    let last;
    do {
      await new Promise(done => setTimeout(done, 150));
      last = await (await served.ask("progress", {search: own})).json();
      $("find-progress").value = last.step / last.total;
      if (last.z) {
        $("psnr").textContent = `${last.psnr.toFixed(1)} dB`;
        paint($("found"), await model.draw([last.z], state.label));
      }
    } while (!last.done && search === own);
    if (search !== own) return;
    $("find-stop").disabled = true;
    search = "";
    if (!last.z) return tell("Stopped.");
    change(() => { state.z = last.z; state.offsets = {}; state.truncation = 1; });
    tell(`Found at ${last.psnr.toFixed(1)} dB after ${last.step} steps.`);
  } catch (error) { $("find-stop").disabled = true; tell(error.message || "This is no picture that the browser can read.", true); }
}

// ---- a picture through a network that takes one ----------------------------------------------------

async function drawn(file) { // upright, on white
  const bitmap = await createImageBitmap(file).catch(() => { throw new Error("This is no picture that the browser can read."); });
  const canvas = Object.assign(document.createElement("canvas"), {width: bitmap.width, height: bitmap.height});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return canvas;
}

function missing(canvas) { // 1 where it is white
  const rgba = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return Uint8Array.from({length: rgba.length / 4}, (_, i) => Number(rgba[4 * i] > 127));
}

let job = 0, source; // the newest thing to do, and the picture that is to be repaired
async function takePicture(file) {
  stopTranslating();
  const own = job;
  try { file = facts.whole ? await squared(file, facts.whole) : file; } catch (error) { return tell(error.message, true); }
  if (own !== job) return;
  source = file;
  if (facts.mask) beginMask(file); else translate(file);
}

async function squared(file, side) { // the square at the centre, at the size of the pictures that were learned from
  const whole = await drawn(file), {width, height} = whole, least = Math.min(width, height);
  const canvas = Object.assign(document.createElement("canvas"), {width: side, height: side});
  const place = [Math.floor((width - least) / 2), Math.floor((height - least) / 2), least, least];
  const resized = {resizeWidth: side, resizeHeight: side, resizeQuality: "high"};
  canvas.getContext("2d").drawImage(await createImageBitmap(whole, ...place, resized), 0, 0);
  return new Promise(done => canvas.toBlob(done));
}

async function translate(file, mask = null) {
  const own = ++job;
  tell("At work ...");
  $("working").hidden = false;
  $("translate-progress").removeAttribute("value");
  try {
    const made = await model.translate(file, mask, share => { if (own === job) $("translate-progress").value = share; return own === job; });
    if (own !== job) return;
    for (const id of ["before", "after"]) if ($(id).src) URL.revokeObjectURL($(id).src);
    $("before").src = URL.createObjectURL(file);
    $("after").src = $("save-after").href = URL.createObjectURL(made);
    $("compare").hidden = $("save-after").hidden = false;
    tell("");
  } catch (error) { if (own === job) tell(error.message, true); }
  if (own === job) $("working").hidden = true;
}

// ---- what is to be changed, by a model that changes one thing ---------------------------------------

function wantedValues() { // those that are not to stay as they are
  const found = {};
  for (const input of $("attributes").querySelectorAll("select, input[type=range]")) {
    if (input.type === "range" ? input.dataset.moved : input.value) found[input.dataset.name] = input.value;
  }
  return found;
}

function fillAttributes() {
  for (const {name, values, low, high} of facts.attributes) {
    const label = document.createElement("label"), input = document.createElement(values ? "select" : "input");
    label.className = "slider";
    const title = document.createElement("span");
    title.textContent = name;
    label.append(title, input);
    input.dataset.name = name;
    if (values) {
      input.append(new Option("as it is", ""), ...values.map(value => new Option(value)));
    } else {
      const output = document.createElement("output");
      Object.assign(input, {type: "range", min: low, max: high, step: "any", value: (low + high) / 2});
      input.oninput = () => { input.dataset.moved = "yes"; output.textContent = Number(input.value).toPrecision(3); };
      output.textContent = "as it is";
      label.append(output);
    }
    input.onchange = () => source && translate(source);
    $("attributes").append(label);
  }
}

function stopTranslating() {
  job++;
  $("working").hidden = true;
  tell("");
}

// ---- a mask: black, and white where something is missing --------------------------------------------

const spot = {x: 0, y: 0, erasing: false};

async function beginMask(file) {
  try {
    const canvas = await drawn(file);
    source = file;
    if ($("damaged").src) URL.revokeObjectURL($("damaged").src);
    $("damaged").src = URL.createObjectURL(file);
    Object.assign($("mask"), {width: canvas.width, height: canvas.height});
    clearMask();
    Object.assign(spot, {x: canvas.width / 2, y: canvas.height / 2});
    $("masking").hidden = false;
    $("compare").hidden = $("save-after").hidden = true;
  } catch (error) { tell(error.message, true); }
}

function clearMask() {
  const context = $("mask").getContext("2d", {willReadFrequently: true});
  context.fillStyle = "#000";
  context.fillRect(0, 0, $("mask").width, $("mask").height);
}

function dab(x, y, from = spot) { // a stroke from where the pen was
  const context = $("mask").getContext("2d");
  context.strokeStyle = spot.erasing ? "#000" : "#fff";
  context.lineCap = "round";
  context.lineWidth = Number($("brush").value);
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(x, y + 1e-3); // a point, too, is a stroke
  context.stroke();
  Object.assign(spot, {x, y});
}

function showSpot() { // in shares of the mask, which is shown at another size
  const {width, height} = $("mask"), percent = v => `${100 * v}%`;
  Object.assign($("spot").style, {left: percent(spot.x / width), top: percent(spot.y / height), width: percent($("brush").value / width)});
}

async function openMask(file) {
  try {
    const found = await drawn(file), mask = $("mask");
    if (found.width !== mask.width || found.height !== mask.height) {
      throw new Error(`The mask has ${found.width}x${found.height} pixels, the picture ${mask.width}x${mask.height}: open one of its size.`);
    }
    mask.getContext("2d").drawImage(found, 0, 0);
    tell("");
  } catch (error) { tell(error.message, true); }
}

function wireMask() {
  const mask = $("mask");
  const point = event => {
    const box = mask.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * mask.width, (event.clientY - box.top) / box.height * mask.height];
  };
  let pen = false;
  mask.addEventListener("pointerdown", event => {
    const [x, y] = point(event);
    pen = true;
    mask.setPointerCapture(event.pointerId);
    dab(x, y, {x, y});
  });
  mask.addEventListener("pointermove", event => { if (pen) dab(...point(event)); });
  for (const name of ["pointerup", "pointercancel"]) mask.addEventListener(name, () => { pen = false; showSpot(); });
  mask.addEventListener("focus", () => { $("spot").hidden = false; showSpot(); });
  mask.addEventListener("blur", () => { $("spot").hidden = true; });
  mask.addEventListener("keydown", event => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key], step = Math.max(1, $("brush").value / 2);
    if (!way && event.key !== " ") return;
    event.preventDefault();
    if (way) {
      spot.x = Math.min(mask.width, Math.max(0, spot.x + way[0] * step));
      spot.y = Math.min(mask.height, Math.max(0, spot.y + way[1] * step));
    } else dab(spot.x, spot.y);
    showSpot();
  });
  $("brush").oninput = showSpot;
  $("erase").onclick = () => {
    spot.erasing = !spot.erasing;
    $("erase").setAttribute("aria-pressed", spot.erasing);
  };
  $("clear-mask").onclick = clearMask;
  $("repair").onclick = () => translate(source, mask);
  dropZone($("mask-label"), $("mask-file"), openMask);
}

function dropZone(zone, input, use) {
  zone.addEventListener("dragover", event => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", event => { event.preventDefault(); zone.classList.remove("over"); if (event.dataTransfer.files[0]) use(event.dataTransfer.files[0]); });
  input.addEventListener("change", () => { if (input.files[0]) use(input.files[0]); input.value = ""; });
  zone.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); input.click(); } });
}

// ---- the start ------------------------------------------------------------------------------------

function wire() {
  $("undo").onclick = () => travel(past, future);
  $("redo").onclick = () => travel(future, past);
  document.addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.type === "number") return;
    event.preventDefault();
    if (event.shiftKey) travel(future, past); else travel(past, future);
  });
  $("go").onclick = () => begin(Number($("seed").value));
  $("seed").addEventListener("keydown", event => { if (event.key === "Enter") begin(Number($("seed").value)); });
  $("random").onclick = () => begin(Math.floor(Math.random() * 1e6));
  $("copy").onclick = async () => {
    try { await navigator.clipboard.writeText(String(state.seed)); tell(`Copied ${state.seed}`); } catch { $("seed").select(); tell("Select and copy it: the browser does not let this page."); }
  };
  $("class").onchange = event => change(() => { state.label = Number(event.target.value); });
  $("truncation").oninput = event => change(() => { state.truncation = Number(event.target.value); }, "truncation");
  $("method").onchange = () => { fillDirections(); show(); };
  $("centre").onclick = () => change(() => { state.offsets = {}; });
  $("raw").ontoggle = fillElements;
  $("new").onclick = async () => {
    try {
      const {cells} = await fresh(Math.floor(Math.random() * 1e9));
      change(() => { state.cells = cells; state.picked = []; });
    } catch (error) { tell(error.message, true); }
  };
  $("mix").onclick = () => picks().length < 2 ? tell("Pick two or more to mix.", true) : change(() => { state.z = middle(picks()); state.offsets = {}; });
  $("breed").onclick = () => picks().length < 2 ? tell("Pick two or more to breed.", true) : change(() => {
    const parents = picks();
    state.cells = state.cells.map(() => child(parents));
    state.picked = [];
  });
  $("near").onclick = () => change(() => {
    const here = [currentZ().map(v => v / (state.truncation || 1))];
    state.cells = state.cells.map(() => child(here));
    state.picked = [];
  });
  for (const id of ["pad-x", "pad-y"]) $(id).onchange = drawPad;
  let pen = false;
  $("pad").addEventListener("pointerdown", event => {
    pen = true;
    $("pad").setPointerCapture(event.pointerId);
    change(() => { state.stops = []; movePad(padPoint(event)); state.stops.push({at: padPoint(event), z: currentZ()}); }, "pen");
  });
  $("pad").addEventListener("pointermove", event => {
    if (!pen) return;
    const point = padPoint(event), last = state.stops.at(-1).at;
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.25 || state.stops.length > 200) return;
    change(() => { movePad(point); state.stops.push({at: point, z: currentZ()}); }, "pen");
  });
  for (const name of ["pointerup", "pointercancel"]) $("pad").addEventListener(name, () => { pen = false; change.last = ""; });
  $("pad").addEventListener("keydown", event => {
    const step = {ArrowLeft: [-0.25, 0], ArrowRight: [0.25, 0], ArrowUp: [0, 0.25], ArrowDown: [0, -0.25]}[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = axes();
    change(() => movePad([(state.offsets[x] || 0) + step[0], (state.offsets[y] || 0) + step[1]]), "arrows");
  });
  $("add-stop").onclick = () => change(() => { state.stops.push({z: currentZ()}); });
  $("clear-path").onclick = () => change(() => { state.stops = []; });
  $("play").onclick = () => play().catch(error => tell(error.message, true));
  $("strip").onclick = () => strip().catch(error => tell(error.message, true));
  $("gif").onclick = async () => {
    try {
      const answer = await served.ask("path", {z: pathZ(), label: state.label, format: "gif"});
      save(new Blob([await answer.arrayBuffer()], {type: "image/gif"}), "path.gif");
    } catch (error) { tell(error.message, true); }
  };
  $("hear").onclick = () => hear().catch(error => tell(error.message, true));
  $("save-png").onclick = () => $("picture").toBlob(blob => save(blob, "picture.png"));
  $("save-json").onclick = () => save(new Blob([JSON.stringify(settings())], {type: "application/json"}), "latent.json");
  dropZone($("open-json-label"), $("open-json"), async file => openSettings(await file.text()));
  dropZone($("drop"), $("find-file"), find);
  $("find-stop").onclick = () => search && served.ask("progress", {search, stop: true}).catch(error => tell(error.message, true));
}

async function start() {
  facts = await model.facts();
  $("name").textContent = facts.name;
  document.title = `${facts.name} - minigan explorer`;
  const latent = facts.kind === "latent";
  for (const part of document.querySelectorAll(".latent")) part.hidden = !latent;
  for (const part of document.querySelectorAll("main.picture")) part.hidden = latent;
  if (!latent) {
    dropZone($("source-drop"), $("source"), takePicture);
    wireMask();
    if (facts.attributes) fillAttributes();
    $("translate-stop").onclick = stopTranslating;
    $("after").onload = () => { // a small picture is no blur as wide as the page
      $("compare").style.maxWidth = `${Math.max(384, $("after").naturalWidth)}px`;
    };
    $("divider").oninput = event => $("compare").style.setProperty("--at", `${event.target.value}%`);
    document.body.dataset.ready = "yes";
    return;
  }
  for (const part of document.querySelectorAll(".server")) part.hidden = !facts.server;
  for (const part of document.querySelectorAll(".plays")) part.hidden = !facts.plays;
  if (facts.plays) { $("find").hidden = true; $("hear").textContent = {".txt": "Read it", ".gif": "Play it"}[facts.plays] || "Hear it"; }
  const [, height, width] = facts.shape;
  document.documentElement.style.setProperty("--shape", `${width} / ${height}`);
  facts.classes.forEach((name, number) => $("class").append(new Option(name, number)));
  $("class-row").hidden = !facts.classes.length;
  for (const method of new Set(facts.directions.map(d => d.method))) $("method").append(new Option(method));
  facts.directions.forEach((d, number) => {
    const rank = facts.directions.filter((other, n) => other.method === d.method && n <= number).length;
    for (const id of ["pad-x", "pad-y"]) $(id).append(new Option(`${d.method} ${rank}`, number));
  });
  $("pad-y").selectedIndex = Math.min(1, facts.directions.length - 1);
  state = {...await fresh(0), offsets: {}, label: facts.classes.length ? 0 : null, truncation: 1, seed: 0, picked: [], stops: []};
  fillDirections();
  fillGrid();
  wire();
  show();
  document.body.dataset.ready = "yes";
}

start().catch(error => tell(error.message, true));
