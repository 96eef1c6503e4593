// What every kernel file begins with. REAL is float or double: each file is compiled once for either.
//
// Pictures are channels-last: element (n, h, w, c) of an (N, H, W, C) array lies at ((n H + h) W + w) C + c.
// Sizes and rows are counted in 32 bits, elements in 64: an array may hold more than 2^31 of them.
// Every output element is written by one thread, which gathers what it needs: no atomics, so results repeat bit for bit.

typedef REAL real;
typedef long long index_t;

#define KERNEL extern "C" __global__ void

const int THREADS = 256;  // of a block, in every kernel

// A convolution's sizes; the fields of ConvGeometry. An image x (N, H, W, C), a kernel w (F, kh, kw, C), an output y
// (N, oh, ow, F):  y[n,i,j,f] = sum_{a,b,c} x[n, sh i + dh a - ph, sw j + dw b - pw, c] w[f,a,b,c]
struct Conv {
    int N, H, W, C, F, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw;
    int splits;  // the long sum is cut into so many parts, each the work of other blocks
};

// The element of a flat array that this thread works on, when a block has THREADS of them in a row.
__device__ inline index_t flat_index() { return (index_t)blockIdx.x * THREADS + threadIdx.x; }

// ---- sums over the rows of a (rows, columns) matrix: those of a picture are its pixels, (N H W, C) ------------------
//
// A block is blockDim.x columns wide and blockDim.y lanes deep. Lane y of block row b adds up rows b * lanes + y,
// then every gridDim.y * lanes further on; the lanes meet in shared memory. That leaves gridDim.y partial sums for each
// column, partial[b * columns + column], which whoever needs the total adds up in their order.

template <class Value, class Term>
__device__ void partial_sums(Term term, Value* partial, int rows, int columns) {
    __shared__ Value lanes[THREADS];
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    Value sum = Value();
    if (column < columns)
        for (index_t row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y)
            sum += term(row * columns + column);
    lanes[threadIdx.y * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (unsigned lane = 1; lane < blockDim.y; lane++) sum += lanes[lane * blockDim.x + threadIdx.x];
        partial[(index_t)blockIdx.y * columns + column] = sum;
    }
}

struct Element {
    const real* x;
    __device__ real operator()(index_t i) const { return x[i]; }
};

// The sum of a column's parts, for all threads of the block, which must all come here: each lane adds up its share.
template <class Value>
__device__ Value total(const Value* partial, int parts, int columns, int column) {
    __shared__ Value shares[THREADS];
    Value sum = Value();
    if (column < columns)
        for (int part = threadIdx.y; part < parts; part += blockDim.y) sum += partial[(index_t)part * columns + column];
    shares[threadIdx.y * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    sum = shares[threadIdx.x];
    for (unsigned lane = 1; lane < blockDim.y; lane++) sum += shares[lane * blockDim.x + threadIdx.x];
    return sum;
}

// t / size, and what is left in *rest. In 32 bits where they do: a division in 64 takes five times as long.
__device__ inline index_t divide(index_t t, int size, int* rest) {
    if (t < (1ll << 32)) {
        unsigned short_t = (unsigned)t, quotient = short_t / (unsigned)size;
        *rest = (int)(short_t - quotient * (unsigned)size);
        return quotient;
    }
    *rest = (int)(t % size);
    return t / size;
}
