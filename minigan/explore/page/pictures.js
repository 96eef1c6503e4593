"use strict";
// A picture through a network that takes one, part by part: what minigan/restoration/restore.py does, without a server.

const Pictures = (() => {
  const picture = (height, width, channels = 3) => ({height, width, channels, data: new Float32Array(height * width * channels)});
  const toBytes = v => Math.round(Math.min(1, Math.max(0, v)) * 255);

  // The picture where it is known, elsewhere a smooth guess: made smaller until there is no hole, and larger again.
  function fillIn({height, width, channels, data}, known) {
    const out = picture(height, width, channels);
    if (known.every(v => v)) { out.data.set(data); return out; }
    if (Math.max(height, width) === 1) { out.data.fill(0.5); return out; }
    const h = Math.ceil(height / 2), w = Math.ceil(width / 2), half = picture(h, w, channels), weight = new Float32Array(h * w);
    for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) {
      if (!known[i * width + j]) continue;
      const at = (i >> 1) * w + (j >> 1);
      weight[at]++;
      for (let c = 0; c < channels; c++) half.data[at * channels + c] += data[(i * width + j) * channels + c];
    }
    for (let at = 0; at < h * w; at++) for (let c = 0; c < channels; c++) half.data[at * channels + c] /= Math.max(weight[at], 1);
    const coarse = fillIn(half, weight);
    const look = (i, j, c) => coarse.data[((Math.min(Math.max(i, 0), 2 * h - 1) >> 1) * w + (Math.min(Math.max(j, 0), 2 * w - 1) >> 1)) * channels + c];
    for (let i = 0; i < height; i++) for (let j = 0; j < width; j++) for (let c = 0; c < channels; c++) {
      const at = (i * width + j) * channels + c;
      if (known[i * width + j]) { out.data[at] = data[at]; continue; }
      const across = row => (look(row, j - 1, c) + 2 * look(row, j, c) + look(row, j + 1, c)) / 4;
      out.data[at] = (across(i - 1) + 2 * across(i) + across(i + 1)) / 4;
    }
    return out;
  }

  function cubic(x, a = -0.5) { // Keys 1981
    x = Math.abs(x);
    if (x < 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
    return x < 2 ? a * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
  }

  function enlarged({height, width, channels, data}, times) { // bicubic
    const sides = length => Array.from({length: length * times}, (_, to) => {
      const centre = (to + 0.5) / times, found = [];
      for (let from = Math.max(0, Math.floor(centre - 2.5)); from < Math.min(length, centre + 2.5); from++) found.push([from, cubic(from + 0.5 - centre)]);
      const sum = found.reduce((total, [, weight]) => total + weight, 0);
      return found.map(([from, weight]) => [from, weight / sum]);
    });
    const out = picture(height * times, width * times, channels), rows = sides(height), columns = sides(width);
    rows.forEach((down, i) => columns.forEach((across, j) => {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [y, v] of down) for (const [x, u] of across) sum += v * u * data[(y * width + x) * channels + c];
        out.data[(i * out.width + j) * channels + c] = sum;
      }
    }));
    return out;
  }

  function* tiles(height, width, {tile, reach, step}) { // what is kept of each part, and what is looked at for it
    tile = Math.ceil(tile / step) * step;
    reach = Math.ceil(reach / step) * step;
    for (let top = 0; top < height; top += tile) for (let left = 0; left < width; left += tile) {
      const bottom = Math.min(top + tile, height), right = Math.min(left + tile, width);
      yield {
        inner: {top, left, bottom, right},
        outer: {top: Math.max(0, top - reach), left: Math.max(0, left - reach), bottom: Math.min(height, bottom + reach), right: Math.min(width, right + reach)},
      };
    }
  }

  function mirrored(x, multiple) { // with more rows and columns, so that it can be halved
    const grow = (t, axis) => {
      const side = t.shape[axis], whole = Math.ceil(side / multiple) * multiple, turn = Math.max(1, 2 * side - 2);
      if (whole === side) return t;
      const index = Array.from({length: whole}, (_, i) => i % turn < side ? i % turn : turn - i % turn);
      return Kernels.run({constants: {}, nodes: [{op: "Take", settings: {axis, index}, inputs: ["x"], output: "y"}], output: "y"}, {x: t});
    };
    return grow(grow(x, 2), 3);
  }

  return {picture, toBytes, fillIn, enlarged, tiles, mirrored};
})();

function pictures(facts, program, weights) {
  const {picture, toBytes, fillIn, enlarged, tiles, mirrored} = Pictures, TILE = 128;
  unpack(program, weights);

  // What the network is shown of a part: (1, C, H, W) in [-1, 1], in whole grey levels; the last channel may be a mask.
  function sourceOf(pixels, mask, {top, left, bottom, right}) {
    let part = picture(bottom - top, right - left);
    for (let i = 0; i < part.height; i++) {
      const from = ((top + i) * pixels.width + left) * 3;
      for (let j = 0; j < part.width * 3; j++) part.data[i * part.width * 3 + j] = pixels.data[from + j] / 255;
    }
    if (facts.enlarge > 1) part = enlarged(part, facts.enlarge);
    const source = Kernels.tensor([1, facts.channels, part.height, part.width]), count = part.height * part.width;
    for (let i = 0; i < count; i++) {
      const [r, g, b] = part.data.subarray(3 * i, 3 * i + 3);
      const shown = facts.channels === 1 ? [0.299 * r + 0.587 * g + 0.114 * b] : [r, g, b];
      shown.forEach((v, c) => { source.data[c * count + i] = toBytes(v) / 127.5 - 1; });
      if (facts.mask) source.data[3 * count + i] = mask[(top + Math.floor(i / part.width)) * pixels.width + left + i % part.width];
    }
    return source;
  }

  function whole(mask, width, {top, left, bottom, right}) { // whether nothing of a part is missing
    for (let i = top; i < bottom; i++) if (mask.subarray(i * width + left, i * width + right).some(v => v)) return false;
    return true;
  }

  async function through(source, tell) { // undefined where it is told to stop
    const going = Kernels.steps(program, {picture: mirrored(source, facts.multiple)});
    for (let n = 1; ; n++) {
      const last = going.next();
      if (last.done) return last.value;
      await new Promise(done => setTimeout(done)); // the page stays awake
      if (!tell(n / program.nodes.length)) return;
    }
  }

  // RGBA in, RGBA out; `mask` has 1 where the picture is missing; undefined where `tell(share)` says to stop.
  async function translated({height, width, data: rgba}, mask, tell) {
    let pixels = {height, width, data: Uint8ClampedArray.from({length: height * width * 3}, (_, i) => rgba[Math.floor(i / 3) * 4 + i % 3])};
    if (facts.mask) {
      if (!mask || !mask.some(v => v)) throw new Error("Say what is missing: paint over it, or open a mask.");
      if (mask.every(v => v)) throw new Error("All of the picture is painted over: there is nothing left to go by.");
      const guess = fillIn({height, width, channels: 3, data: Float32Array.from(pixels.data, v => v / 255)}, mask.map(v => 1 - v));
      pixels = {height, width, data: Uint8ClampedArray.from(guess.data, toBytes)};
    }
    const times = facts.scale, out = new ImageData(width * times, height * times);
    const parts = facts.tiles ? [...tiles(height, width, {...facts.tiles, tile: TILE})] : [...tiles(height, width, {tile: Math.max(height, width), reach: 0, step: 1})];
    for (let i = 0; facts.mask && i < height * width; i++) out.data.set([...pixels.data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    for (const [number, {inner, outer}] of parts.entries()) {
      if (facts.mask && whole(mask, width, inner)) continue;
      const found = await through(sourceOf(pixels, mask, outer), share => tell((number + share) / parts.length));
      if (!found) return;
      const [, channels, high, wide] = found.shape, made = found.data;
      for (let i = inner.top * times; i < inner.bottom * times; i++) for (let j = inner.left * times; j < inner.right * times; j++) {
        const at = (i - outer.top * times) * wide + j - outer.left * times, to = 4 * (i * out.width + j);
        for (let c = 0; c < 3; c++) out.data[to + c] = toBytes((made[(channels === 1 ? 0 : c) * high * wide + at] + 1) / 2);
        out.data[to + 3] = 255;
      }
    }
    return out;
  }

  return {
    translated,
    image: source => Kernels.run(program, {picture: source}),
    async facts() { return facts; },
    async translate(file, mask, tell) {
      const canvas = await drawn(file), context = canvas.getContext("2d");
      const made = await translated(context.getImageData(0, 0, canvas.width, canvas.height), mask && missing(mask), tell);
      if (!made) return;
      canvas.width = made.width;
      canvas.height = made.height;
      context.putImageData(made, 0, 0);
      return new Promise(done => canvas.toBlob(done));
    },
  };
}
