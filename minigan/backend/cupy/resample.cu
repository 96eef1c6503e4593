// Pooling and its adjoint: a convolution with ones and its input gradient, channel by channel; moving pictures. One thread
// an element.

// y[n,i,j,c] = sum_{a,b} x[n, sh i + dh a - ph, sw j + dw b - pw, c]
KERNEL sum_pool(const real* x, real* y, Conv p) {
    index_t t = flat_index();
    if (t >= (index_t)p.N * p.oh * p.ow * p.C) return;
    int c = t % p.C, j = t / p.C % p.ow, i = t / ((index_t)p.C * p.ow) % p.oh;
    index_t n = t / ((index_t)p.C * p.ow * p.oh);
    real sum = 0;
    for (int a = 0; a < p.kh; a++)
        for (int b = 0; b < p.kw; b++) {
            int h = p.sh * i + p.dh * a - p.ph, w = p.sw * j + p.dw * b - p.pw;
            if (h >= 0 && h < p.H && w >= 0 && w < p.W) sum += x[((n * p.H + h) * p.W + w) * p.C + c];
        }
    y[t] = sum;
}

// x[n,h,w,c] = sum of g[n,i,j,c] over the windows (i, j) that position (h, w) is in: sh i = h + ph - dh a, for some a
KERNEL spread(const real* g, real* x, Conv p) {
    index_t t = flat_index();
    if (t >= (index_t)p.N * p.H * p.W * p.C) return;
    int c = t % p.C, w = t / p.C % p.W, h = t / ((index_t)p.C * p.W) % p.H;
    index_t n = t / ((index_t)p.C * p.W * p.H);
    Meeting rows = meeting(h, p.sh, p.ph, p.dh, p.kh), columns = meeting(w, p.sw, p.pw, p.dw, p.kw);
    real sum = 0;
    for (int a = rows.first, i = rows.window; a < p.kh; a += rows.step, i -= rows.back) {
        if (i < 0 || i >= p.oh) continue;
        for (int b = columns.first, j = columns.window; b < p.kw; b += columns.step, j -= columns.back)
            if (j >= 0 && j < p.ow) sum += g[((n * p.oh + i) * p.ow + j) * p.C + c];
    }
    x[t] = sum;
}

// y[n,i,j,c] = x[n, i - offsets[n,0], j - offsets[n,1], c], zero where that is outside
KERNEL translate(const real* x, const index_t* offsets, real* y, int N, int H, int W, int C) {
    index_t t = flat_index();
    if (t >= (index_t)N * H * W * C) return;
    int c = t % C, w = t / C % W, h = t / ((index_t)C * W) % H;
    index_t n = t / ((index_t)C * W * H), i = h - offsets[2 * n], j = w - offsets[2 * n + 1];
    y[t] = i >= 0 && i < H && j >= 0 && j < W ? x[((n * H + i) * W + j) * C + c] : 0;
}
