// The three convolutions on tensor cores, for float32 with TF32 (--tf32), on GPUs of compute capability 8.0 or newer.
//
// They are the products of patches.cuh, as in conv.cu, and no patches are stored. What is different is who multiplies:
// a tensor core takes two small matrices from the registers of a warp's 32 threads and adds their product to a third,
// 2048 multiplications in one instruction. It rounds its factors to TF32, 10 bits of mantissa of float32's 23; the sums
// are float32.
//
// Three levels of tiles, each of which reuses what the level above has brought nearer:
//
//     a block    BM x BN results, 256 threads; brings slices of BK = 16 of both matrices to shared memory
//     a warp     WM x 32 of these; brings 8 of a slice's 16 to registers
//     a product  16 x 8, by one instruction over 8 of k; its sums stay in the warp's registers until the end
//
// There are two slices of shared memory. While the warps multiply the one, copies to the other are under way
// (cp.async): from global to shared memory past the registers, 16 bytes each, which are four neighbouring channels. So
// channels and filters must be multiples of four. Where a patch reaches beyond the image, a copy brings zeros.
#include "patches.cuh"

// Two blocks on a multiprocessor, so that one multiplies while the other waits: 128 registers a thread.
#undef KERNEL
#define KERNEL extern "C" __global__ __launch_bounds__(THREADS, 2) void

// ---- the five instructions -------------------------------------------------------------------------------------------

#ifndef TENSOR_CORES_ON_CPU  // where the tests bring their own, with the same effect
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define TENSOR_ASM(...) asm volatile(__VA_ARGS__)
#else
#define TENSOR_ASM(...) __trap()  // older GPUs have no such instruction, and are never asked
#endif

// Begin to copy 16 bytes to shared memory, or zeros where `from` is null.
__device__ inline void copy_async(void* to, const void* from) {
    // Of the 16 bytes so many are read; zeros fill the rest.
    TENSOR_ASM("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from),
               "r"(from ? 16 : 0)
               : "memory");
}

// The copies that this thread has begun since the last group are a group.
__device__ inline void close_group() { TENSOR_ASM("cp.async.commit_group;" ::: "memory"); }

// Wait until all groups of this thread but the last `pending` have arrived.
template <int pending>
__device__ inline void wait_for_groups() {
    TENSOR_ASM("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// To the nearest TF32.
__device__ inline unsigned to_tf32(float value) {
    unsigned bits = 0;
    TENSOR_ASM("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
}

// c (16, 8) += a (16, 8) b (8, 8), by a whole warp. Of each matrix a thread holds some elements; with
// row = lane / 4 and column = lane % 4:
//
//     a[r]   a(row + 8 (r % 2), column + 4 (r / 2))        c[r]   c(row + 8 (r / 2), 2 column + r % 2)
//     b[r]   b(column + 4 r, row)
__device__ inline void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    TENSOR_ASM("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// ---- slices in shared memory -----------------------------------------------------------------------------------------

// SIZE rows of an operand by BK of k. It lies as the operand does: with neighbouring k, or neighbouring rows, side by
// side, since a copy of 16 bytes keeps its order. The pitch keeps the 32 elements that a warp reads at once, 8 rows of
// 4 k, in 32 different banks: 20 row + k, or 8 k + row, modulo 32.
template <class Operand, int SIZE>
struct AsyncSlice {
    static const bool along_k = Operand::along_k;
    static const int PITCH = along_k ? BK + 4 : SIZE + 8;
    static const int FLOATS = along_k ? SIZE * PITCH : BK * PITCH;
    static const int COUNT = SIZE * BK / 4 / THREADS;  // copies that each thread begins
    const Operand& operand;
    typename Operand::Row rows[COUNT];

    static __device__ int index(int m, int k) { return along_k ? m * PITCH + k : k * PITCH + m; }
    static __device__ int m(int q) {
        int t = threadIdx.x + q * THREADS;
        return along_k ? t / (BK / 4) : t % (SIZE / 4) * 4;
    }
    static __device__ int k(int q) {
        int t = threadIdx.x + q * THREADS;
        return along_k ? t % (BK / 4) * 4 : t / (SIZE / 4);
    }
    __device__ AsyncSlice(const Operand& operand, int start) : operand(operand) {
        for (int q = 0; q < COUNT; q++) rows[q] = operand.row(start + m(q));
    }
    __device__ void fetch(int k0, float* shared) const {
        for (int q = 0; q < COUNT; q++)
            copy_async(shared + index(m(q), k(q)), operand.address(rows[q], operand.column(k0 + k(q))));
    }
};

// ---- the product -----------------------------------------------------------------------------------------------------

template <int BM, int BN, int WM>
struct TensorTile {
    static const int WN = 32, ACROSS = BN / WN, M = WM / 16, N = WN / 8;  // warps side by side; products of a warp
    static_assert(BM / WM * ACROSS * 32 == THREADS, "each warp has a tile of its own");

    template <class A, class B, class Store>
    static __device__ void multiply(const A& a, const B& b, int begin, int end, const Store& store) {
        typedef AsyncSlice<A, BM> SliceA;
        typedef AsyncSlice<B, BN> SliceB;
        alignas(16) __shared__ float a_slices[2][SliceA::FLOATS];
        alignas(16) __shared__ float b_slices[2][SliceB::FLOATS];
        int m0 = blockIdx.x * BM, n0 = blockIdx.y * BN, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        int wm = warp / ACROSS * WM, wn = warp % ACROSS * WN, row = lane / 4, column = lane % 4;
        SliceA from_a(a, m0);
        SliceB from_b(b, n0);
        float sums[M][N][4] = {};

        if (begin < end)  // an empty sum waits for no copy, so it must not begin one
            from_a.fetch(begin, a_slices[0]), from_b.fetch(begin, b_slices[0]);
        close_group();
        for (int k0 = begin, now = 0; k0 < end; k0 += BK, now = 1 - now) {
            if (k0 + BK < end)
                from_a.fetch(k0 + BK, a_slices[1 - now]), from_b.fetch(k0 + BK, b_slices[1 - now]);
            close_group();  // maybe an empty one, so that all but the last are what is needed now
            wait_for_groups<1>();
            __syncthreads();  // the other threads' copies have arrived, too
            const float *a_slice = a_slices[now], *b_slice = b_slices[now];
#pragma unroll
            for (int k = 0; k < BK; k += 8) {
                unsigned of_a[M][4], of_b[N][2];
#pragma unroll
                for (int i = 0; i < M; i++)
                    for (int r = 0; r < 4; r++)
                        of_a[i][r] = to_tf32(a_slice[SliceA::index(wm + 16 * i + row + r % 2 * 8, k + column + r / 2 * 4)]);
#pragma unroll
                for (int j = 0; j < N; j++)
                    for (int r = 0; r < 2; r++)
                        of_b[j][r] = to_tf32(b_slice[SliceB::index(wn + 8 * j + row, k + column + r * 4)]);
#pragma unroll
                for (int i = 0; i < M; i++)
                    for (int j = 0; j < N; j++) multiply_add(sums[i][j], of_a[i], of_b[j]);
            }
            __syncthreads();  // nobody reads this slice any more: the next copies go there
        }
#pragma unroll
        for (int i = 0; i < M; i++)
            for (int half = 0; half < 2; half++)
                if (real* out = store.row(m0 + wm + 16 * i + row + 8 * half))
                    for (int j = 0; j < N; j++)
                        for (int r = 0; r < 2; r++) {
                            int n = n0 + wn + 8 * j + 2 * column + r;
                            if (n < store.width()) out[n] = sums[i][j][2 * half + r];
                        }
    }
};

// The wide tile does twice the work with what it reads from shared memory, if there is work for enough of them.
typedef TensorTile<128, 64, 32> Plain;
typedef TensorTile<128, 128, 64> Wide;

KERNEL conv2d(const real* x, const real* w, real* y, Conv p) { forward<Plain>(x, w, y, p); }
KERNEL conv2d_wide(const real* x, const real* w, real* y, Conv p) { forward<Wide>(x, w, y, p); }
KERNEL conv2d_input(const real* g, const real* w, real* x, Conv p) { backward<Plain>(g, w, x, p); }
KERNEL conv2d_input_wide(const real* g, const real* w, real* x, Conv p) { backward<Wide>(g, w, x, p); }
KERNEL conv2d_weight(const real* x, const real* g, real* w, Conv p) { weight<Plain>(x, g, w, p); }
KERNEL conv2d_weight_wide(const real* x, const real* g, real* w, Conv p) { weight<Wide>(x, g, w, p); }
