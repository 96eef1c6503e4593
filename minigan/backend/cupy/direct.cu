// Convolutions of pictures: 1 to 4 channels on the one side, many filters on the other. Such a layer reads and writes
// much and multiplies little, and a tile of a matrix product would be mostly empty.
//
// Neighbouring threads work on neighbouring filters, so that g and y are read and written in whole lines of memory.
// What all filters share, the patches of x or the weights, is brought to shared memory.
#include "patches.cuh"

const int CHUNK = 16;   // columns of the patch matrix that a thread works on at a time: a 4 x 4 kernel's, of one channel
const int FILTERS = 64, LANES = THREADS / FILTERS;  // a block's threads: filters side by side, and pixels

// ---- patches in shared memory ----------------------------------------------------------------------------------------

// Rows m0 .. m0 + COUNT - 1 and columns k0 .. k0 + CHUNK - 1 of the patch matrix, zeros where that ends.
template <int COUNT>
__device__ void stage(const Patches& patches, int m0, int pixels, int k0, real (*shared)[CHUNK]) {
    int depth = patches.depth();
    for (int t = threadIdx.x; t < COUNT * CHUNK; t += THREADS) {
        int m = t / CHUNK, k = t % CHUNK;
        const real* from = patches.address(patches.pixel(m0 + m, pixels), patches.tap(k0 + k, depth));
        shared[m][k] = from ? *from : 0;
    }
}

__device__ inline Patches forward_patches(const real* x, const Conv& p) {
    return Patches{x, forward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh), forward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw),
                   p.C};
}

// ---- y = P(x) W ------------------------------------------------------------------------------------------------------

const int Y_PIXELS = 128;  // of a block; a thread sums for Y_PIXELS / LANES of them, with a filter in its registers

KERNEL conv2d(const real* x, const real* w, real* y, Conv p) {
    alignas(16) __shared__ real shared[Y_PIXELS][CHUNK];
    Patches patches = forward_patches(x, p);
    int pixels = p.N * p.oh * p.ow, depth = patches.depth(), m0 = blockIdx.x * Y_PIXELS;
    int f = blockIdx.y * FILTERS + threadIdx.x % FILTERS, lane = threadIdx.x / FILTERS;
    real sums[Y_PIXELS / LANES] = {};
    for (int k0 = 0; k0 < depth; k0 += CHUNK) {
        stage<Y_PIXELS>(patches, m0, pixels, k0, shared);
        real filter[CHUNK];
        for (int k = 0; k < CHUNK; k++) filter[k] = f < p.F && k0 + k < depth ? w[(index_t)f * depth + k0 + k] : 0;
        __syncthreads();
#pragma unroll
        for (int i = 0; i < Y_PIXELS / LANES; i++)
#pragma unroll
            for (int k = 0; k < CHUNK; k++) sums[i] += filter[k] * shared[i * LANES + lane][k];
        __syncthreads();
    }
    if (f >= p.F) return;
    for (int i = 0; i < Y_PIXELS / LANES; i++) {
        int m = m0 + i * LANES + lane;
        if (m < pixels) y[(index_t)m * p.F + f] = sums[i];
    }
}

// ---- w = g^T P(x): out is (splits, F, kh kw C) -----------------------------------------------------------------------

const int W_PIXELS = 64;  // that are staged at a time; a thread keeps CHUNK weights of its filter in registers

KERNEL conv2d_weight(const real* x, const real* g, real* out, Conv p) {
    alignas(16) __shared__ real shared[W_PIXELS][CHUNK];
    __shared__ real parts[LANES][FILTERS];
    Patches patches = forward_patches(x, p);
    int pixels = p.N * p.oh * p.ow, depth = patches.depth(), k0 = blockIdx.y * CHUNK, split = blockIdx.z;
    int column = threadIdx.x % FILTERS, f = blockIdx.x * FILTERS + column, lane = threadIdx.x / FILTERS;
    Range range(pixels, split, p.splits);
    real sums[CHUNK] = {};
    for (int m0 = range.begin; m0 < range.end; m0 += W_PIXELS) {
        stage<W_PIXELS>(patches, m0, pixels, k0, shared);
        __syncthreads();
#pragma unroll 4
        for (int i = lane; i < W_PIXELS; i += LANES) {
            real value = f < p.F && m0 + i < range.end ? g[(index_t)(m0 + i) * p.F + f] : 0;
#pragma unroll
            for (int k = 0; k < CHUNK; k++) sums[k] += value * shared[i][k];
        }
        __syncthreads();
    }
    for (int k = 0; k < CHUNK; k++) {  // the lanes' sums, in their order
        parts[lane][column] = sums[k];
        __syncthreads();
        if (lane == 0 && f < p.F && k0 + k < depth) {
            real sum = parts[0][column];
            for (int other = 1; other < LANES; other++) sum += parts[other][column];
            out[((index_t)split * p.F + f) * depth + k0 + k] = sum;
        }
        __syncthreads();
    }
}

// ---- x = P(g) W ------------------------------------------------------------------------------------------------------
//
// A warp computes GROUP neighbouring pixels of a phase, whose taps are the same: its threads take the filters in turn
// and add up in the end. The weights lie in shared memory with neighbouring filters side by side.

const int GROUP = 4, X_PIXELS = 128;        // of a warp at a time, of a block
const int MOST_WEIGHTS = 6144;              // numbers: 48 KiB in float64

template <int CHANNELS>
__device__ void input(const real* g, const real* weights, real* x, const Conv& p) {
    int across = min(p.sw, p.W), lane = threadIdx.x % 32;
    Axis rows = backward_axis(p.H, p.oh, p.kh, p.sh, p.ph, p.dh, blockIdx.z / across);
    Axis columns = backward_axis(p.W, p.ow, p.kw, p.sw, p.pw, p.dw, blockIdx.z % across);
    Patches patches{g, rows, columns, p.F};
    int pixels = p.N * rows.count * columns.count;
    ToPixels store{x, rows, columns, pixels, p.H, p.W, CHANNELS};
    int begin = blockIdx.x * X_PIXELS + threadIdx.x / 32 * GROUP, end = min((blockIdx.x + 1) * X_PIXELS, pixels);
    for (int m0 = begin; m0 < end; m0 += THREADS / 32 * GROUP) {
        Pixel pixel[GROUP];
        for (int i = 0; i < GROUP; i++) pixel[i] = patches.pixel(m0 + i, pixels);
        real sums[GROUP][CHANNELS] = {};
        for (int u = 0; u < rows.taps; u++)
            for (int v = 0; v < columns.taps; v++) {
                int tap = (rows.tap + u * rows.tap_step) * p.kw + columns.tap + v * columns.tap_step;
                const real* from[GROUP];
                for (int i = 0; i < GROUP; i++)
                    from[i] = patches.address(pixel[i], Tap{u * rows.shift, v * columns.shift, 0});
                for (int f = lane; f < p.F; f += 32) {
                    real weight[CHANNELS];
                    for (int c = 0; c < CHANNELS; c++) weight[c] = weights[(tap * CHANNELS + c) * p.F + f];
                    for (int i = 0; i < GROUP; i++) {
                        real value = from[i] ? from[i][f] : 0;
                        for (int c = 0; c < CHANNELS; c++) sums[i][c] += value * weight[c];
                    }
                }
            }
        for (int i = 0; i < GROUP; i++)
            for (int c = 0; c < CHANNELS; c++)
                for (int other = 16; other > 0; other /= 2)
                    sums[i][c] += __shfl_xor_sync(0xffffffff, sums[i][c], other);
        for (int i = 0; i < GROUP; i++)
            if (real* out = lane == i ? store.row(m0 + i) : nullptr)
                for (int c = 0; c < CHANNELS; c++) out[c] = sums[i][c];
    }
}

KERNEL conv2d_input(const real* g, const real* w, real* x, Conv p) {
    __shared__ real weights[MOST_WEIGHTS];  // (kh kw C, F)
    int depth = p.kh * p.kw * p.C;
    for (int t = threadIdx.x; t < depth * p.F; t += THREADS) weights[t % depth * p.F + t / depth] = w[t];
    __syncthreads();
    if (p.C == 1) input<1>(g, weights, x, p);
    if (p.C == 2) input<2>(g, weights, x, p);
    if (p.C == 3) input<3>(g, weights, x, p);
    if (p.C == 4) input<4>(g, weights, x, p);
}
