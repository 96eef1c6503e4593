"use strict";
// A forward in plain JavaScript: the steps of a program (minigan/export/program.py), each op a loop over Float32Arrays.

const Kernels = (() => {
  const size = shape => shape.reduce((a, b) => a * b, 1);
  const tensor = (shape, data) => ({shape, data: data || new Float32Array(size(shape))});

  // out[m, n] += a[m, k] b[k, n], each at its place in a larger array
  function multiply(a, b, out, m, k, n, aAt = 0, bAt = 0, outAt = 0) {
    for (let i = 0; i < m; i++) {
      const row = out.subarray(outAt + i * n, outAt + (i + 1) * n);
      for (let l = 0; l < k; l++) {
        const v = a[aAt + i * k + l];
        if (v === 0) continue;
        const from = bAt + l * n;
        for (let j = 0; j < n; j++) row[j] += v * b[from + j];
      }
    }
  }

  function turned(a, m, n) { // (m, n) -> (n, m)
    const out = new Float32Array(m * n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j * m + i] = a[i * n + j];
    return out;
  }

  // The place in the small map that each tap (a, b) of each place in the large one meets, or -1 in the padding.
  function eachTap(hw, kernel, outHw, s, visit, first = 0) { // outHw: so many rows from the `first` on
    const [kh, kw] = kernel, [height, width] = hw, [oh, ow] = outHw;
    for (let a = 0; a < kh; a++) for (let b = 0; b < kw; b++) for (let i = 0; i < oh; i++) {
      const y = (first + i) * s.stride[0] + a * s.dilation[0] - s.padding[0];
      if (y < 0 || y >= height) continue;
      for (let j = 0; j < ow; j++) {
        const x = j * s.stride[1] + b * s.dilation[1] - s.padding[1];
        if (x >= 0 && x < width) visit(a * kw + b, i * ow + j, y * width + x);
      }
    }
  }

  const PATCHES = 1 << 18; // numbers at once: what a processor's cache holds, however large the picture

  function conv(s, x, w) { // as a matrix product with the picture's patches, some rows at a time
    const [n, c, h, wide] = x.shape, [f, , kh, kw] = w.shape;
    const side = (length, k, axis) => Math.floor((length + 2 * s.padding[axis] - s.dilation[axis] * (k - 1) - 1) / s.stride[axis]) + 1;
    const oh = side(h, kh, 0), ow = side(wide, kw, 1), out = tensor([n, f, oh, ow]), taps = kh * kw;
    const most = Math.max(1, Math.floor(PATCHES / (c * taps * ow)));
    for (let sample = 0; sample < n; sample++) for (let first = 0; first < oh; first += most) {
      const rows = Math.min(most, oh - first), run = rows * ow;
      const patches = new Float32Array(c * taps * run), made = new Float32Array(f * run);
      eachTap([h, wide], [kh, kw], [rows, ow], s, (tap, to, from) => {
        for (let q = 0; q < c; q++) patches[(q * taps + tap) * run + to] = x.data[(sample * c + q) * h * wide + from];
      }, first);
      multiply(w.data, patches, made, f, c * taps, run);
      for (let q = 0; q < f; q++) out.data.set(made.subarray(q * run, (q + 1) * run), ((sample * f + q) * oh + first) * ow);
    }
    return out;
  }

  function convTranspose(s, x, w) { // its adjoint: the product first, then each patch is added where it came from
    const [n, f, h, wide] = x.shape, [, c, kh, kw] = w.shape, taps = kh * kw;
    const side = (length, k, axis) => (length - 1) * s.stride[axis] - 2 * s.padding[axis] + s.dilation[axis] * (k - 1) + 1 + s.output_padding[axis];
    const oh = side(h, kh, 0), ow = side(wide, kw, 1), out = tensor([n, c, oh, ow]);
    const across = w.turned || (w.turned = turned(w.data, f, c * taps));
    for (let sample = 0; sample < n; sample++) {
      const patches = new Float32Array(c * taps * h * wide);
      multiply(across, x.data, patches, c * taps, f, h * wide, 0, sample * f * h * wide);
      eachTap([oh, ow], [kh, kw], [h, wide], s, (tap, from, to) => {
        for (let q = 0; q < c; q++) out.data[(sample * c + q) * oh * ow + to] += patches[(q * taps + tap) * h * wide + from];
      });
    }
    return out;
  }

  function linear(s, x, w, bias) {
    const [rows, k] = w.shape, count = size(x.shape) / k, out = tensor([...x.shape.slice(0, -1), rows]);
    for (let i = 0; i < count; i++) for (let r = 0; r < rows; r++) {
      let sum = bias ? bias.data[r] : 0;
      for (let l = 0; l < k; l++) sum += x.data[i * k + l] * w.data[r * k + l];
      out.data[i * rows + r] = sum;
    }
    return out;
  }

  function matmul(s, a, b) {
    const m = a.shape.at(-2), k = a.shape.at(-1), n = b.shape.at(-1), many = size(a.shape) / (m * k);
    const out = tensor([...a.shape.slice(0, -1), n]), same = size(b.shape) === k * n;
    for (let i = 0; i < many; i++) multiply(a.data, b.data, out.data, m, k, n, i * m * k, same ? 0 : i * k * n, i * m * n);
    return out;
  }

  const strides = shape => shape.map((_, axis) => size(shape.slice(axis + 1)));

  // f(offset in the output, offsets in each input), for every element of `shape`; steps are 0 along repeated axes
  function walk(shape, steps, visit) {
    const index = shape.map(() => 0), at = steps.map(() => 0), total = size(shape);
    for (let place = 0; place < total; place++) {
      visit(place, at);
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        index[axis]++;
        for (let t = 0; t < at.length; t++) at[t] += steps[t][axis];
        if (index[axis] < shape[axis]) break;
        for (let t = 0; t < at.length; t++) at[t] -= steps[t][axis] * shape[axis];
        index[axis] = 0;
      }
    }
  }

  function repeated(from, shape) { // the steps of an array that is broadcast to `shape`
    const lead = shape.length - from.length, own = strides(from);
    return shape.map((_, axis) => axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead]);
  }

  const binary = f => (s, a, b) => {
    const rank = Math.max(a.shape.length, b.shape.length);
    const sideOf = (t, axis) => t.shape[axis - rank + t.shape.length] ?? 1;
    const shape = Array.from({length: rank}, (_, axis) => Math.max(sideOf(a, axis), sideOf(b, axis)));
    const out = tensor(shape);
    walk(shape, [repeated(a.shape, shape), repeated(b.shape, shape)], (place, [p, q]) => { out.data[place] = f(a.data[p], b.data[q]); });
    return out;
  };

  const unary = f => (s, x) => {
    const out = tensor(x.shape);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(x.data[i], s);
    return out;
  };

  const reduce = (start, f, end = v => v) => (s, x) => {
    const kept = x.shape.map((n, axis) => s.axes.includes(axis) ? 1 : n);
    const sums = new Float64Array(size(kept)).fill(start);
    walk(x.shape, [repeated(kept, x.shape)], (place, [at]) => { sums[at] = f(sums[at], x.data[place]); });
    const count = size(x.shape) / sums.length;
    return tensor(s.keepdims ? kept : x.shape.filter((_, axis) => !s.axes.includes(axis)), Float32Array.from(sums, v => end(v, count)));
  };
  const largest = reduce(-Infinity, Math.max), total = reduce(0, (a, b) => a + b), mean = reduce(0, (a, b) => a + b, (v, n) => v / n);

  function softmax(s, x, log = false) {
    const along = {axes: [s.axis], keepdims: true}, minus = binary((a, b) => a - b);
    const shifted = minus(s, x, largest(along, x)), e = unary(Math.exp)(s, shifted), sum = total(along, e);
    return log ? minus(s, shifted, unary(Math.log)(s, sum)) : binary((a, b) => a / b)(s, e, sum);
  }

  function picked(x, shape, start, steps) { // out[i] = x[start + steps . i]
    const out = tensor(shape);
    walk(shape, [steps], (place, [at]) => { out.data[place] = x.data[start + at]; });
    return out;
  }

  function slice(s, x) {
    const shape = [...x.shape], steps = strides(x.shape);
    let start = 0;
    s.axes.forEach((axis, n) => {
      start += s.starts[n] * steps[axis];
      shape[axis] = Math.max(0, Math.ceil((s.stops[n] - s.starts[n]) / s.steps[n]));
      steps[axis] *= s.steps[n];
    });
    return picked(x, shape, start, steps);
  }

  function take(s, x) { // rows of an axis, by number
    const before = size(x.shape.slice(0, s.axis)), after = size(x.shape.slice(s.axis + 1)), side = x.shape[s.axis];
    const out = tensor(x.shape.map((n, axis) => axis === s.axis ? s.index.length : n));
    for (let a = 0; a < before; a++) s.index.forEach((row, n) => {
      const from = (a * side + row) * after;
      out.data.set(x.data.subarray(from, from + after), (a * s.index.length + n) * after);
    });
    return out;
  }

  function concat(s, ...parts) {
    const shape = [...parts[0].shape];
    shape[s.axis] = parts.reduce((sum, part) => sum + part.shape[s.axis], 0);
    const out = tensor(shape), before = size(shape.slice(0, s.axis)), step = size(shape.slice(s.axis));
    let at = 0;
    for (const part of parts) {
      const run = size(part.shape.slice(s.axis));
      for (let a = 0; a < before; a++) out.data.set(part.data.subarray(a * run, (a + 1) * run), a * step + at);
      at += run;
    }
    return out;
  }

  function pad(s, x) {
    const shape = x.shape.map((n, axis) => n + s.before[axis] + s.after[axis]), out = tensor(shape), steps = strides(shape);
    const start = s.before.reduce((sum, n, axis) => sum + n * steps[axis], 0);
    walk(x.shape, [steps], (place, [at]) => { out.data[start + at] = x.data[place]; });
    return out;
  }

  function upsample(s, x) {
    const [n, c, h, w] = x.shape, [a, b] = s.scale, out = tensor([n, c, h * a, w * b]);
    for (let plane = 0; plane < n * c; plane++) for (let i = 0; i < h * a; i++) for (let j = 0; j < w * b; j++) {
      out.data[(plane * h * a + i) * w * b + j] = x.data[(plane * h + Math.floor(i / a)) * w + Math.floor(j / b)];
    }
    return out;
  }

  function sumPool(s, x) {
    const [n, c, h, w] = x.shape, [kh, kw] = s.kernel, steps = {...s, dilation: [1, 1]};
    const oh = Math.floor((h + 2 * s.padding[0] - kh) / s.stride[0]) + 1, ow = Math.floor((w + 2 * s.padding[1] - kw) / s.stride[1]) + 1;
    const out = tensor([n, c, oh, ow]);
    eachTap([h, w], [kh, kw], [oh, ow], steps, (tap, to, from) => {
      for (let plane = 0; plane < n * c; plane++) out.data[plane * oh * ow + to] += x.data[plane * h * w + from];
    });
    return out;
  }

  function reshape(s, x) {
    const shape = s.shape.map((n, axis) => n === 0 ? x.shape[axis] : n), left = size(x.shape) / size(shape.filter(n => n !== -1));
    return tensor(shape.map(n => n === -1 ? left : n), x.data);
  }

  function transpose(s, x) {
    const steps = strides(x.shape);
    return picked(x, s.axes.map(axis => x.shape[axis]), 0, s.axes.map(axis => steps[axis]));
  }

  function pixelShuffle({factor: r}, x) {
    const [n, channels, h, w] = x.shape, c = channels / (r * r);
    const split = tensor([n, c, r, r, h, w], x.data);
    return tensor([n, c, h * r, w * r], transpose({axes: [0, 1, 4, 2, 5, 3]}, split).data);
  }

  function pixelUnshuffle({factor: r}, x) {
    const [n, c, height, width] = x.shape, h = height / r, w = width / r;
    const split = tensor([n, c, h, r, w, r], x.data);
    return tensor([n, c * r * r, h, w], transpose({axes: [0, 1, 3, 5, 2, 4]}, split).data);
  }

  function bilinear(s, x) {
    const [n, c, h, w] = x.shape, oh = h * s.scale[0], ow = w * s.scale[1], out = tensor([n, c, oh, ow]);
    const sides = (length, count) => Array.from({length: count}, (_, i) => {
      const at = Math.max((i + 0.5) * length / count - 0.5, 0), below = Math.min(Math.floor(at), length - 1);
      return [below, Math.min(below + 1, length - 1), at - below];
    });
    const rows = sides(h, oh), columns = sides(w, ow);
    for (let plane = 0; plane < n * c; plane++) rows.forEach(([top, bottom, down], i) => columns.forEach(([left, right, across], j) => {
      const at = (row, column) => x.data[(plane * h + row) * w + column];
      const mix = row => at(row, left) * (1 - across) + at(row, right) * across;
      out.data[(plane * oh + i) * ow + j] = mix(top) * (1 - down) + mix(bottom) * down;
    }));
    return out;
  }

  function choose(s, z) { // how many of the thresholds the first number of each z is above
    const [n, dim] = z.shape;
    return Array.from({length: n}, (_, i) => s.thresholds.filter(least => z.data[i * dim] > least).length);
  }

  function groupNorm(s, x, gain, bias) {
    const [n, c] = x.shape, pixels = size(x.shape.slice(2)), run = c / s.groups * pixels, out = tensor(x.shape);
    for (let group = 0; group < n * s.groups; group++) {
      let sum = 0, squares = 0;
      for (let i = 0; i < run; i++) sum += x.data[group * run + i];
      for (let i = 0; i < run; i++) squares += (x.data[group * run + i] - sum / run) ** 2;
      const scale = 1 / Math.sqrt(squares / run + s.eps);
      for (let i = 0; i < run; i++) {
        const channel = Math.floor((group * run + i) / pixels) % c;
        out.data[group * run + i] = (x.data[group * run + i] - sum / run) * scale * gain.data[channel] + bias.data[channel];
      }
    }
    return out;
  }

  function prelu(s, x, slope) {
    const pixels = size(x.shape.slice(2)), c = x.shape[1], out = tensor(x.shape), shared = slope.data.length === 1;
    for (let i = 0; i < out.data.length; i++) {
      const v = x.data[i];
      out.data[i] = v > 0 ? v : v * slope.data[shared ? 0 : Math.floor(i / pixels) % c];
    }
    return out;
  }

  function erf(x) { // Abramowitz & Stegun 7.1.26, to 1.5e-7
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * Math.exp(-x * x);
    return Math.sign(x) * (1 - tail);
  }

  const OPS = {
    Conv: conv, ConvTranspose: convTranspose, Linear: linear, MatMul: matmul,
    Add: binary((a, b) => a + b), Sub: binary((a, b) => a - b), Mul: binary((a, b) => a * b), Div: binary((a, b) => a / b),
    Neg: unary(v => -v), Exp: unary(v => Math.exp(v)), Log: unary(v => Math.log(v)), Sqrt: unary(v => Math.sqrt(v)), Abs: unary(v => Math.abs(v)),
    Tanh: unary(v => Math.tanh(v)), Sigmoid: unary(v => 1 / (1 + Math.exp(-v))), Erf: unary(erf),
    Softplus: unary(v => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)))),
    Pow: unary((v, s) => v ** s.exponent), LeakyReLU: unary((v, s) => v > 0 ? v : v * s.slope),
    ELU: unary((v, s) => v > 0 ? v : s.alpha * Math.expm1(v)), PReLU: prelu,
    Sum: total, Mean: mean, Max: largest, Softmax: softmax, LogSoftmax: (s, x) => softmax(s, x, true),
    Broadcast: (s, x) => picked(x, s.shape, 0, repeated(x.shape, s.shape)),
    Reshape: reshape, Transpose: transpose, Concat: concat, Take: take, Slice: slice, Pad: pad,
    Upsample: upsample, SumPool: sumPool, PixelShuffle: pixelShuffle, PixelUnshuffle: pixelUnshuffle, Bilinear: bilinear,
    GroupNorm: groupNorm, Choose: choose,
    Embedding: (s, table, labels) => take({axis: 0, index: labels}, table),
  };

  // What a program makes of its inputs, {name: tensor, or numbers of classes}; `steps` stops after each op.
  function* steps(program, inputs) {
    const known = {...program.constants, ...inputs};
    for (const node of program.nodes) {
      known[node.output] = OPS[node.op](node.settings, ...node.inputs.map(name => known[name]));
      yield;
    }
    return known[program.output];
  }

  function run(program, inputs) {
    const going = steps(program, inputs);
    let last = going.next();
    while (!last.done) last = going.next();
    return last.value;
  }

  return {run, steps, tensor, names: Object.keys(OPS)};
})();

// ---- an exported page's model: what the server answers, without one --------------------------------

function unpack(program, weights) { // the constants become tensors
  const bytes = Uint8Array.from(atob(weights), c => c.charCodeAt(0));
  for (const [name, {shape, at}] of Object.entries(program.constants)) {
    const length = shape.reduce((a, b) => a * b, 1);
    program.constants[name] = Kernels.tensor(shape, new Float32Array(bytes.buffer, at, length));
  }
}

function offline(facts, program, weights) {
  unpack(program, weights);
  const image = (z, label) => Kernels.run(program, {z: Kernels.tensor([1, z.length], Float32Array.from(z)), labels: [label]});

  function generator(seed) { // mulberry32: this page's seeds are its own
    let a = seed >>> 0;
    return () => {
      a = a + 0x6d2b79f5 | 0;
      let t = Math.imul(a ^ a >>> 15, 1 | a);
      t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
      return ((t ^ t >>> 14) >>> 0) / 4294967296;
    };
  }

  return {
    image,
    async facts() { return facts; },
    async latents(seed, count) {
      const next = generator(seed);
      const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      return Array.from({length: count}, () => Array.from({length: facts.z_dim}, normal));
    },
    async draw(rows, label) {
      const [channels, height, width] = facts.shape, count = height * width, out = new Uint8Array(rows.length * count * channels);
      for (let n = 0; n < rows.length; n++) {
        const made = image(rows[n], label).data;
        for (let c = 0; c < channels; c++) for (let i = 0; i < count; i++) {
          out[(n * count + i) * channels + c] = Math.round(Math.min(1, Math.max(-1, made[c * count + i])) * 127.5 + 127.5);
        }
        if (rows.length > 1) await new Promise(done => setTimeout(done)); // the page stays awake
      }
      return out;
    },
  };
}
