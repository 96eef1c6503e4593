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

// What the threads of a block have found for a column, added up in the order of the lanes and left as its partial sum.
template <class Value>
__device__ void leave_partial(Value sum, Value* partial, int columns) {
    __shared__ Value lanes[THREADS];
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    lanes[threadIdx.y * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (unsigned lane = 1; lane < blockDim.y; lane++) sum += lanes[lane * blockDim.x + threadIdx.x];
        partial[(index_t)blockIdx.y * columns + column] = sum;
    }
}

template <class Value, class Term>
__device__ void partial_sums(Term term, Value* partial, int rows, int columns) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    Value sum = Value();
    if (column < columns)
        for (index_t row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y)
            sum += term(row * columns + column);
    leave_partial(sum, partial, columns);
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

// ---- four neighbouring channels at a time: 16 bytes are the most that a thread can load or store at once -------------

struct alignas(16) Real4 {
    real x, y, z, w;
    __device__ void operator+=(const Real4& o) { x += o.x, y += o.y, z += o.z, w += o.w; }
};

// ---- which windows a pixel is in -------------------------------------------------------------------------------------

// Along one axis, position h is in window i by tap a where s i = h + p - d a: by the taps first, first + step, ..., in
// the windows window, window - back, ...
struct Meeting {
    int first, step, window, back;
};

__device__ inline Meeting meeting(int h, int s, int p, int d, int taps) {
    h += p;
    if (d == 1) return Meeting{h % s, s, h / s, 1};
    int step = 1, first = 0;
    while (d * step % s) step++;
    while (first < step && (h - d * first) % s) first++;
    return first < step ? Meeting{first, step, (h - d * first) / s, d * step / s} : Meeting{taps, 1, 0, 0};
}
