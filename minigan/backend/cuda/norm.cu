// Batch norm over the pixels of each channel, fused with the leaky ReLU that follows. A picture is a (rows, C) matrix
// of R = N H W pixels. Each pass over x leaves partial sums (see common.cuh); the next pass begins by adding them up.
//
// Forward, three passes:  sum x  ->  mean, sum (x - mean)^2  ->  var, y
// Centring before squaring keeps every digit of the variance when the mean is large.

struct SquaredDeviation {
    const real* x;
    real mean;
    __device__ real operator()(index_t i) const { return (x[i] - mean) * (x[i] - mean); }
};

KERNEL batch_norm_sum(const real* x, real* sums, int rows, int channels) {
    partial_sums<real>(Element{x}, sums, rows, channels);
}

// sums (gridDim.y, C) -> mean (C,), squares (gridDim.y, C)
KERNEL batch_norm_squares(const real* x, const real* sums, real* mean, real* squares, int rows, int channels) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    real m = total(sums, gridDim.y, channels, c) / rows;
    if (c < channels && blockIdx.y == 0 && threadIdx.y == 0) mean[c] = m;
    partial_sums<real>(SquaredDeviation{x, m}, squares, rows, channels);
}

// y = leaky_relu(weight (x - mean) / sqrt(var + eps) + bias);  squares (gridDim.y, C) -> var (C,), y (rows, C)
KERNEL batch_norm_apply(const real* x, const real* mean, const real* squares, const real* weight, const real* bias,
                        real* var, real* y, real eps, real negative_slope, int rows, int channels) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    real v = total(squares, gridDim.y, channels, c) / rows;
    if (c >= channels) return;
    if (blockIdx.y == 0 && threadIdx.y == 0) var[c] = v;
    real scale = weight[c] / sqrt(v + eps), shift = bias[c], m = mean[c];
    for (index_t row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
        real z = (x[row * channels + c] - m) * scale + shift;
        y[row * channels + c] = z > 0 ? z : negative_slope * z;
    }
}

// Backward, two passes. With u = g where y > 0, else slope g (the gradient before the activation: a slope of 0 or more
// keeps the sign, so y tells), r = 1 / sqrt(var + eps) and xhat = (x - mean) r:
//
//     dbias = sum u,  dweight = sum u xhat,  dx = weight r (u - dbias / R - xhat dweight / R)

struct Sums {
    real u, u_xhat;
    __device__ void operator+=(const Sums& other) { u += other.u, u_xhat += other.u_xhat; }
};

struct Gradient {
    const real *g, *x, *y;
    real mean, r, negative_slope;
    __device__ real u(index_t i) const { return y[i] > 0 ? g[i] : negative_slope * g[i]; }
    __device__ real xhat(index_t i) const { return (x[i] - mean) * r; }
    __device__ Sums operator()(index_t i) const { return Sums{u(i), u(i) * xhat(i)}; }
};

KERNEL batch_norm_backward_sums(const real* g, const real* x, const real* y, const real* mean, const real* var,
                                Sums* sums, real eps, real negative_slope, int rows, int channels) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    Gradient at{g, x, y, 0, 0, negative_slope};
    if (c < channels) at.mean = mean[c], at.r = 1 / sqrt(var[c] + eps);
    partial_sums<Sums>(at, sums, rows, channels);
}

// sums (gridDim.y, C) -> dx (rows, C), dweight (C,), dbias (C,)
KERNEL batch_norm_backward_apply(const real* g, const real* x, const real* y, const real* mean, const real* var,
                                 const real* weight, const Sums* sums, real* dx, real* dweight, real* dbias, real eps,
                                 real negative_slope, int rows, int channels) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    Sums sum = total(sums, gridDim.y, channels, c);
    if (c >= channels) return;
    Gradient at{g, x, y, mean[c], 1 / sqrt(var[c] + eps), negative_slope};
    if (blockIdx.y == 0 && threadIdx.y == 0) dbias[c] = sum.u, dweight[c] = sum.u_xhat;
    real mean_u = sum.u / rows, mean_u_xhat = sum.u_xhat / rows, scale = weight[c] * at.r;
    for (index_t row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
        index_t i = row * channels + c;
        dx[i] = scale * (at.u(i) - mean_u - at.xhat(i) * mean_u_xhat);
    }
}
