// Convolution, transposed convolution and weight gradient, each as one matrix product whose big matrix is never stored.
//
// All three read patches of an image: at pixel (t, v) and kernel tap (a, b) stands image[n, row(t, a), column(v, b), c],
// where row and column are linear in both, and zero where that is outside the image. With pixels as rows and taps times
// channels as columns these patches are a matrix P, and
//
//     conv2d          y = P(x) W             pixels (n,i,j),  columns (a,b,c):  row = sh i - ph + dh a
//     conv2d_input    x = P(g) W             pixels (n,h,w),  columns (a,b,f):  row = (h + ph - dh a) / sh
//     conv2d_weight   W = g^T P(x)           summed over the pixels (n,i,j)
//
// The division in conv2d_input is exact for some of the taps only, and which ones depends on h mod sh alone. So the
// pixels are dealt into sh * sw phases; within a phase the taps that count are every so many-th, row is linear again
// with step 1, and no product with zero is ever computed.

// ---- one axis of the patches ---------------------------------------------------------------------------------------

struct Axis {
    int count, first, step;    // pixel t lies at first + t * step of the output, t = 0 .. count - 1
    int taps, tap, tap_step;   // tap u is number tap + u * tap_step of the kernel, u = 0 .. taps - 1
    int origin, stride, shift; // it meets image row origin + t * stride + u * shift
    int size;                  // the image's rows are 0 .. size - 1
};

__device__ inline Axis forward_axis(int in, int out, int kernel, int stride, int padding, int dilation) {
    return Axis{out, 0, 1, kernel, 0, 1, -padding, stride, dilation, in};
}

// The outputs h = phase, phase + s, ... meet g[i] by tap a where s i = h + p - d a: the a with d a = h + p (mod s).
__device__ inline Axis backward_axis(int in, int out, int kernel, int s, int p, int d, int phase) {
    int tap_step = 1;
    while (d * tap_step % s) tap_step++;
    int tap = 0;
    while (tap < tap_step && (phase + p - d * tap) % s) tap++;
    int taps = tap < tap_step && tap < kernel ? (kernel - 1 - tap) / tap_step + 1 : 0;
    return Axis{(in - phase + s - 1) / s, phase, s, taps, tap, tap_step, (phase + p - d * tap) / s, 1,
                -(d * tap_step / s), out};
}

// ---- the patches ---------------------------------------------------------------------------------------------------

const int OUTSIDE = -(1 << 29);  // a row that stays outside of any image, whatever shift is added

struct Pixel {
    index_t sample;  // where the image of its sample begins
    int top, left;
};

struct Tap {
    int down, right, channel;
};

struct Patches {
    const real* image;
    Axis rows, columns;
    int channels;

    __device__ int depth() const { return rows.taps * columns.taps * channels; }

    __device__ Pixel pixel(int m, int pixels) const {
        if (m >= pixels) return Pixel{0, OUTSIDE, 0};
        int v = m % columns.count, rest = m / columns.count, t = rest % rows.count, n = rest / rows.count;
        return Pixel{(index_t)n * rows.size * columns.size * channels, rows.origin + t * rows.stride,
                     columns.origin + v * columns.stride};
    }

    __device__ Tap tap(int k, int end) const {
        if (k >= end) return Tap{OUTSIDE, 0, 0};
        int c = k % channels, rest = k / channels, b = rest % columns.taps, a = rest / columns.taps;
        return Tap{a * rows.shift, b * columns.shift, c};
    }

    __device__ real at(Pixel pixel, Tap tap) const {
        int h = pixel.top + tap.down, w = pixel.left + tap.right;
        if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) return 0;
        return image[pixel.sample + ((index_t)h * columns.size + w) * channels + tap.channel];
    }
};

// ---- the matrix product --------------------------------------------------------------------------------------------
//
// A block computes a BM x BN tile of  out[m, n] = sum_k A[m, k] B[n, k],  k from begin to end, in slices of BK that it
// brings to shared memory. Its 16 x 16 threads each keep TM x TN of the results in registers. While they multiply one
// slice, they already fetch their elements of the next.
//
// An operand is anything with row(m), column(k) (worked out once, and once a slice) and at(row, column), which is zero
// outside the matrix. `along_k` says whether elements of neighbouring k, or of neighbouring m, are neighbours in memory.

const int BK = 16;

template <class Operand, int SIZE>
struct Slice {
    static const int COUNT = SIZE * BK / THREADS;  // elements that each thread brings
    const Operand& operand;
    typename Operand::Row rows[COUNT];
    real fetched[COUNT];

    __device__ static int m(int q) {
        return Operand::along_k ? threadIdx.x / BK + q * (THREADS / BK) : (threadIdx.x + q * THREADS) % SIZE;
    }
    __device__ static int k(int q) {
        return Operand::along_k ? threadIdx.x % BK : (threadIdx.x + q * THREADS) / SIZE;
    }
    __device__ Slice(const Operand& operand, int start) : operand(operand) {
        for (int q = 0; q < COUNT; q++) rows[q] = operand.row(start + m(q));
    }
    __device__ void fetch(int k0) {
        for (int q = 0; q < COUNT; q++) fetched[q] = operand.at(rows[q], operand.column(k0 + k(q)));
    }
    __device__ void store(real (*shared)[SIZE + 4]) const {
        for (int q = 0; q < COUNT; q++) shared[k(q)][m(q)] = fetched[q];
    }
};

template <int BM, int BN, class A, class B, class Store>
__device__ void matrix_product(const A& a, const B& b, int begin, int end, const Store& store) {
    const int TM = BM / 16, TN = BN / 16;
    alignas(16) __shared__ real a_slice[BK][BM + 4];  // 4 more, so that a column's elements lie in different banks
    alignas(16) __shared__ real b_slice[BK][BN + 4];
    int m0 = blockIdx.x * BM, n0 = blockIdx.y * BN;
    int tm = threadIdx.x / 16 * TM, tn = threadIdx.x % 16 * TN;
    Slice<A, BM> from_a(a, m0);
    Slice<B, BN> from_b(b, n0);
    real sums[TM][TN] = {};

    from_a.fetch(begin), from_b.fetch(begin);
    for (int k0 = begin; k0 < end; k0 += BK) {
        from_a.store(a_slice), from_b.store(b_slice);
        __syncthreads();
        if (k0 + BK < end) from_a.fetch(k0 + BK), from_b.fetch(k0 + BK);
#pragma unroll
        for (int k = 0; k < BK; k++)
            for (int i = 0; i < TM; i++)
                for (int j = 0; j < TN; j++) sums[i][j] += a_slice[k][tm + i] * b_slice[k][tn + j];
        __syncthreads();
    }
    for (int i = 0; i < TM; i++)
        if (real* row = store.row(m0 + tm + i))
            for (int j = 0; j < TN; j++)
                if (n0 + tn + j < store.width()) row[n0 + tn + j] = sums[i][j];
}

// The part of 0 .. depth - 1 that split number `split` sums over: a whole number of slices.
struct Range {
    int begin, end;
    __device__ Range(int depth, int split, int splits) {
        int slices = (depth + BK - 1) / BK, share = (slices + splits - 1) / splits;
        begin = min(split * share * BK, depth), end = min(begin + share * BK, depth);
    }
};

// ---- operands ------------------------------------------------------------------------------------------------------

struct PatchRows {  // P[m, k]: rows are pixels
    Patches p;
    int pixels, end;
    typedef Pixel Row;
    static const bool along_k = true;
    __device__ Pixel row(int m) const { return p.pixel(m, pixels); }
    __device__ Tap column(int k) const { return p.tap(k, end); }
    __device__ real at(Pixel pixel, Tap tap) const { return p.at(pixel, tap); }
};

struct PatchColumns {  // P^T[n, k]: rows are taps
    Patches p;
    int end;
    typedef Tap Row;
    static const bool along_k = false;
    __device__ Tap row(int n) const { return p.tap(n, p.depth()); }
    __device__ Pixel column(int k) const { return p.pixel(k, end); }
    __device__ real at(Tap tap, Pixel pixel) const { return p.at(pixel, tap); }
};

template <bool BACKWARD>
struct Weights {  // W[n, k] from w (F, kh, kw, C): rows are filters f, or channels c when BACKWARD
    const real* w;
    Patches p;
    int filters, kh, kw, channels, end;
    typedef int Row;
    static const bool along_k = !BACKWARD;
    __device__ int row(int n) const { return n; }
    __device__ index_t column(int k) const {
        if (k >= end) return -1;
        int inner = k % p.channels, rest = k / p.channels;
        int a = p.rows.tap + rest / p.columns.taps * p.rows.tap_step;
        int b = p.columns.tap + rest % p.columns.taps * p.columns.tap_step;
        return BACKWARD ? (((index_t)inner * kh + a) * kw + b) * channels : ((index_t)a * kw + b) * channels + inner;
    }
    __device__ real at(int n, index_t column) const {
        if (column < 0 || n >= (BACKWARD ? channels : filters)) return 0;
        return w[column + (BACKWARD ? n : (index_t)n * kh * kw * channels)];
    }
};

struct Transposed {  // g^T[m, k] from g (pixels, F)
    const real* g;
    int filters, end;
    typedef int Row;
    static const bool along_k = false;
    __device__ int row(int f) const { return f; }
    __device__ int column(int k) const { return k; }
    __device__ real at(int f, int k) const { return f < filters && k < end ? g[(index_t)k * filters + f] : 0; }
};

// ---- results -------------------------------------------------------------------------------------------------------

struct ToPixels {  // out[n, first + t step, first + v step, channel], for pixel m = (n, t, v)
    real* out;
    Axis rows, columns;
    int pixels, height, across, channels;
    __device__ int width() const { return channels; }
    __device__ real* row(int m) const {
        if (m >= pixels) return nullptr;
        int v = m % columns.count, rest = m / columns.count, t = rest % rows.count, n = rest / rows.count;
        int h = rows.first + t * rows.step, w = columns.first + v * columns.step;
        return out + (((index_t)n * height + h) * across + w) * channels;
    }
};

struct ToMatrix {
    real* out;
    int rows, columns;
    __device__ int width() const { return columns; }
    __device__ real* row(int m) const { return m < rows ? out + (index_t)m * columns : nullptr; }
};

// ---- kernels: out is (splits, ...), one part after the other -------------------------------------------------------
//
// Block (x, y) computes tile (x, y); z tells the split, and in conv2d_input the phase as well. There is a narrow tile for
// results of few channels, such as pictures: the wide one would compute mostly nothing.

template <int BN>
__device__ void forward(const real* x, const real* w, real* out, Conv p) {
    Axis rows = forward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh);
    Axis columns = forward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw);
    Patches patches{x, rows, columns, p.C};
    int pixels = p.N * p.oh * p.ow, split = blockIdx.z;
    Range k(patches.depth(), split, p.splits);
    matrix_product<64, BN>(
        PatchRows{patches, pixels, k.end}, Weights<false>{w, patches, p.F, p.kh, p.kw, p.C, k.end}, k.begin, k.end,
        ToPixels{out + (index_t)split * pixels * p.F, rows, columns, pixels, p.oh, p.ow, p.F});
}

template <int BN>
__device__ void backward(const real* g, const real* w, real* out, Conv p) {
    int split = blockIdx.z % p.splits, phase = blockIdx.z / p.splits, across = min(p.sw, p.W);
    Axis rows = backward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh, phase / across);
    Axis columns = backward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw, phase % across);
    Patches patches{g, rows, columns, p.F};
    int pixels = p.N * rows.count * columns.count;
    Range k(patches.depth(), split, p.splits);
    matrix_product<64, BN>(
        PatchRows{patches, pixels, k.end}, Weights<true>{w, patches, p.F, p.kh, p.kw, p.C, k.end}, k.begin, k.end,
        ToPixels{out + (index_t)split * p.N * p.H * p.W * p.C, rows, columns, pixels, p.H, p.W, p.C});
}

template <int BN>
__device__ void weight(const real* x, const real* g, real* out, Conv p) {
    Axis rows = forward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh);
    Axis columns = forward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw);
    Patches patches{x, rows, columns, p.C};
    int split = blockIdx.z, depth = patches.depth();
    Range k(p.N * p.oh * p.ow, split, p.splits);
    matrix_product<64, BN>(Transposed{g, p.F, k.end}, PatchColumns{patches, k.end}, k.begin, k.end,
                           ToMatrix{out + (index_t)split * p.F * depth, p.F, depth});
}

KERNEL conv2d(const real* x, const real* w, real* y, Conv p) { forward<64>(x, w, y, p); }
KERNEL conv2d_narrow(const real* x, const real* w, real* y, Conv p) { forward<16>(x, w, y, p); }
KERNEL conv2d_input(const real* g, const real* w, real* x, Conv p) { backward<64>(g, w, x, p); }
KERNEL conv2d_input_narrow(const real* g, const real* w, real* x, Conv p) { backward<16>(g, w, x, p); }
KERNEL conv2d_weight(const real* x, const real* g, real* w, Conv p) { weight<64>(x, g, w, p); }
KERNEL conv2d_weight_narrow(const real* x, const real* g, real* w, Conv p) { weight<16>(x, g, w, p); }

// ---- the same patches, stored: for products so large that cuBLAS earns the memory back -----------------------------

const int PIXELS_A_THREAD = 8;

// x (N, H, W, C) -> patches (N oh ow, kh kw C), a block working on THREADS columns of PIXELS_A_THREAD rows
KERNEL im2col(const real* x, real* out, Conv p) {
    Patches patches{x, forward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh), forward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw),
                    p.C};
    int depth = patches.depth(), pixels = p.N * p.oh * p.ow, k = blockIdx.y * THREADS + threadIdx.x;
    if (k >= depth) return;
    Tap tap = patches.tap(k, depth);
    int m0 = blockIdx.x * PIXELS_A_THREAD, v = m0 % p.ow, t = m0 / p.ow % p.oh;
    Pixel pixel = patches.pixel(m0, pixels);
    for (int m = m0; m < min(m0 + PIXELS_A_THREAD, pixels); m++) {
        out[(index_t)m * depth + k] = patches.at(pixel, tap);
        pixel.left += p.sw;  // the next pixel without a division
        if (++v < p.ow) continue;
        v = 0, pixel.left = -p.pw, pixel.top += p.sh;
        if (++t < p.oh) continue;
        t = 0, pixel.top = -p.ph, pixel.sample += (index_t)p.H * p.W * p.C;
    }
}

// Its adjoint, patches (N oh ow, kh kw C) -> x (N, H, W, C): each element adds up the patches that it was copied to.
KERNEL col2im(const real* patches, real* x, Conv p) {
    index_t t = flat_index();
    if (t >= (index_t)p.N * p.H * p.W * p.C) return;
    int c, w, h;
    index_t n = divide(divide(divide(t, p.C, &c), p.W, &w), p.H, &h);
    // Undilated, every sh-th tap meets the pixel, from one on.
    int a0 = p.dh == 1 ? (h + p.ph) % p.sh : 0, a_step = p.dh == 1 ? p.sh : 1;
    int b0 = p.dw == 1 ? (w + p.pw) % p.sw : 0, b_step = p.dw == 1 ? p.sw : 1;
    real sum = 0;
    for (int a = a0; a < p.kh; a += a_step)
        for (int b = b0; b < p.kw; b += b_step) {
            int down = h + p.ph - p.dh * a, right = w + p.pw - p.dw * b;
            if (down < 0 || right < 0) continue;
            int i = down / p.sh, j = right / p.sw;
            if (i * p.sh == down && j * p.sw == right && i < p.oh && j < p.ow) sum += patches[((((n * p.oh + i) * p.ow + j) * p.kh + a) * p.kw + b) * p.C + c];
        }
    x[t] = sum;
}
