// Convolution, transposed convolution and weight gradient are each one matrix product, of a matrix that is never stored.
// Here is what its elements are and where they lie; how they are multiplied is conv.cu and, on tensor cores, tensor.cu.
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

    __device__ const real* address(Pixel pixel, Tap tap) const {  // null where that is outside
        int h = pixel.top + tap.down, w = pixel.left + tap.right;
        if (h < 0 || h >= rows.size || w < 0 || w >= columns.size) return nullptr;
        return image + pixel.sample + ((index_t)h * columns.size + w) * channels + tap.channel;
    }
};

// ---- operands ------------------------------------------------------------------------------------------------------
//
// Of a product  out[m, n] = sum_k A[m, k] B[n, k]  an operand is anything with row(m), column(k) (worked out once, and
// once a slice of k) and address(row, column), null where the element is zero because it lies outside of the matrix.
// `along_k` says whether elements of neighbouring k, or of neighbouring m, are neighbours in memory. They are so in
// groups of four wherever the channels they belong to are a multiple of four.

struct PatchRows {  // P[m, k]: rows are pixels
    Patches p;
    int pixels, end;
    typedef Pixel Row;
    static const bool along_k = true;
    __device__ Pixel row(int m) const { return p.pixel(m, pixels); }
    __device__ Tap column(int k) const { return p.tap(k, end); }
    __device__ const real* address(Pixel pixel, Tap tap) const { return p.address(pixel, tap); }
};

struct PatchColumns {  // P^T[n, k]: rows are taps
    Patches p;
    int end;
    typedef Tap Row;
    static const bool along_k = false;
    __device__ Tap row(int n) const { return p.tap(n, p.depth()); }
    __device__ Pixel column(int k) const { return p.pixel(k, end); }
    __device__ const real* address(Tap tap, Pixel pixel) const { return p.address(pixel, tap); }
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
    __device__ const real* address(int n, index_t column) const {
        if (column < 0 || n >= (BACKWARD ? channels : filters)) return nullptr;
        return w + column + (BACKWARD ? n : (index_t)n * kh * kw * channels);
    }
};

struct Transposed {  // g^T[m, k] from g (pixels, F)
    const real* g;
    int filters, end;
    typedef int Row;
    static const bool along_k = false;
    __device__ int row(int f) const { return f; }
    __device__ int column(int k) const { return k; }
    __device__ const real* address(int f, int k) const {
        return f < filters && k < end ? g + (index_t)k * filters + f : nullptr;
    }
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

// ---- slices ---------------------------------------------------------------------------------------------------------
//
// The long sum over k is worked on in slices of BK, and cut into splits, each a whole number of slices: split number
// `split` sums over begin .. end - 1.

const int BK = 16;

struct Range {
    int begin, end;
    __device__ Range(int depth, int split, int splits) {
        int slices = (depth + BK - 1) / BK, share = (slices + splits - 1) / splits;
        begin = min(split * share * BK, depth), end = min(begin + share * BK, depth);
    }
};

// ---- the three products: out is (splits, ...), one part after the other --------------------------------------------
//
// Block (x, y) computes tile (x, y); z tells the split, and in conv2d_input the phase as well. Product::multiply(A, B,
// begin, end, store) computes a tile of the sum over k from begin to end.

template <class Product>
__device__ void forward(const real* x, const real* w, real* out, Conv p) {
    Axis rows = forward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh);
    Axis columns = forward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw);
    Patches patches{x, rows, columns, p.C};
    int pixels = p.N * p.oh * p.ow, split = blockIdx.z;
    Range k(patches.depth(), split, p.splits);
    Product::multiply(
        PatchRows{patches, pixels, k.end}, Weights<false>{w, patches, p.F, p.kh, p.kw, p.C, k.end}, k.begin, k.end,
        ToPixels{out + (index_t)split * pixels * p.F, rows, columns, pixels, p.oh, p.ow, p.F});
}

template <class Product>
__device__ void backward(const real* g, const real* w, real* out, Conv p) {
    int split = blockIdx.z % p.splits, phase = blockIdx.z / p.splits, across = min(p.sw, p.W);
    Axis rows = backward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh, phase / across);
    Axis columns = backward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw, phase % across);
    Patches patches{g, rows, columns, p.F};
    int pixels = p.N * rows.count * columns.count;
    Range k(patches.depth(), split, p.splits);
    Product::multiply(
        PatchRows{patches, pixels, k.end}, Weights<true>{w, patches, p.F, p.kh, p.kw, p.C, k.end}, k.begin, k.end,
        ToPixels{out + (index_t)split * p.N * p.H * p.W * p.C, rows, columns, pixels, p.H, p.W, p.C});
}

template <class Product>
__device__ void weight(const real* x, const real* g, real* out, Conv p) {
    Axis rows = forward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh);
    Axis columns = forward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw);
    Patches patches{x, rows, columns, p.C};
    int split = blockIdx.z, depth = patches.depth();
    Range k(p.N * p.oh * p.ow, split, p.splits);
    Product::multiply(Transposed{g, p.F, k.end}, PatchColumns{patches, k.end}, k.begin, k.end,
                      ToMatrix{out + (index_t)split * p.F * depth, p.F, depth});
}
