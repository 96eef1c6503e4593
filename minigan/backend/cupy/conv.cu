// The three convolutions in plain arithmetic, by a matrix product that works its big matrix out as it goes; and that
// matrix stored, for cuBLAS.
#include "patches.cuh"

// ---- the matrix product --------------------------------------------------------------------------------------------
//
// A block computes a BM x BN tile of  out[m, n] = sum_k A[m, k] B[n, k],  k from begin to end, in slices of BK that it
// brings to shared memory. Its 16 x 16 threads each keep TM x TN of the results in registers. While they multiply one
// slice, they already fetch their elements of the next.

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
        for (int q = 0; q < COUNT; q++) {
            const real* from = operand.address(rows[q], operand.column(k0 + k(q)));
            fetched[q] = from ? *from : 0;
        }
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

// There is a narrow tile for results of few channels: the wide one would compute mostly nothing.
template <int BN>
struct Tile {
    template <class A, class B, class Store>
    static __device__ void multiply(const A& a, const B& b, int begin, int end, const Store& store) {
        matrix_product<64, BN>(a, b, begin, end, store);
    }
};

KERNEL conv2d(const real* x, const real* w, real* y, Conv p) { forward<Tile<64>>(x, w, y, p); }
KERNEL conv2d_narrow(const real* x, const real* w, real* y, Conv p) { forward<Tile<16>>(x, w, y, p); }
KERNEL conv2d_input(const real* g, const real* w, real* x, Conv p) { backward<Tile<64>>(g, w, x, p); }
KERNEL conv2d_input_narrow(const real* g, const real* w, real* x, Conv p) { backward<Tile<16>>(g, w, x, p); }
KERNEL conv2d_weight(const real* x, const real* g, real* w, Conv p) { weight<Tile<64>>(x, g, w, p); }
KERNEL conv2d_weight_narrow(const real* x, const real* g, real* w, Conv p) { weight<Tile<16>>(x, g, w, p); }

// ---- the same patches, stored: for products so large that cuBLAS earns the memory back -----------------------------
//
// A Value is one channel, or four of them where the channels are a multiple of four; `channels` counts Values.

const int PIXELS_A_THREAD = 8;

// x (N, H, W, C) -> patches (N oh ow, kh kw C). A block works on THREADS columns of PIXELS_A_THREAD rows. Each thread
// divides once, to find its tap and its first pixel, and then walks from pixel to pixel.
template <class Value>
__device__ void unfold(const Value* x, Value* out, const Conv& p, int channels) {
    int depth = p.kh * p.kw * channels, pixels = p.N * p.oh * p.ow, k = blockIdx.y * THREADS + threadIdx.x;
    if (k >= depth) return;
    int c = k % channels, tap = k / channels, down = p.dh * (tap / p.kw) - p.ph, right = p.dw * (tap % p.kw) - p.pw;
    int m = blockIdx.x * PIXELS_A_THREAD, end = min(m + PIXELS_A_THREAD, pixels);
    int j = m % p.ow, i = m / p.ow % p.oh, h = p.sh * i + down, w = p.sw * j + right;
    index_t size = (index_t)p.H * p.W * channels, sample = m / p.ow / p.oh * size;
    for (; m < end; m++) {
        bool inside = h >= 0 && h < p.H && w >= 0 && w < p.W;
        out[(index_t)m * depth + k] = inside ? x[sample + ((index_t)h * p.W + w) * channels + c] : Value();
        w += p.sw;
        if (++j < p.ow) continue;
        j = 0, w = right, h += p.sh;
        if (++i < p.oh) continue;
        i = 0, h = down, sample += size;
    }
}

// Its adjoint, patches (N oh ow, kh kw C) -> x (N, H, W, C): each element adds up the patches that it was copied to, and
// looks at no others. Block x is a row of an image, so that only the column has to be divided for.
template <class Value>
__device__ void fold(const Value* patches, Value* x, const Conv& p, int channels) {
    int at = blockIdx.y * THREADS + threadIdx.x, h = blockIdx.x % p.H;
    if (at >= p.W * channels) return;
    int c = at % channels, w = at / channels;
    index_t first = (index_t)(blockIdx.x / p.H) * p.oh;
    Meeting rows = meeting(h, p.sh, p.ph, p.dh, p.kh), columns = meeting(w, p.sw, p.pw, p.dw, p.kw);
    Value sum = Value();
    for (int a = rows.first, i = rows.window; a < p.kh; a += rows.step, i -= rows.back) {
        if (i < 0 || i >= p.oh) continue;
        for (int b = columns.first, j = columns.window; b < p.kw; b += columns.step, j -= columns.back)
            if (j >= 0 && j < p.ow) sum += patches[(((first + i) * p.ow + j) * p.kh * p.kw + a * p.kw + b) * channels + c];
    }
    x[(index_t)blockIdx.x * p.W * channels + at] = sum;
}

KERNEL im2col(const real* x, real* out, Conv p) { unfold(x, out, p, p.C); }
KERNEL im2col_by_4(const real* x, real* out, Conv p) { unfold((const Real4*)x, (Real4*)out, p, p.C / 4); }
KERNEL col2im(const real* patches, real* x, Conv p) { fold(patches, x, p, p.C); }
KERNEL col2im_by_4(const real* patches, real* x, Conv p) { fold((const Real4*)patches, (Real4*)x, p, p.C / 4); }
