// Batch norm over the pixels of each channel, fused with the leaky ReLU that follows. A picture is a (rows, C) matrix
// of R = N H W pixels. The first pass over x leaves partial sums (see common.cuh); the second begins by adding them up.
//
// Forward, two passes:  count, mean and sum of squared deviations of parts of the rows  ->  mean, var, y

struct Moments {
    real count, mean, squares;  // squares = sum (x - mean)^2

    // Of two sets of numbers taken together (Chan, Golub & LeVeque 1979).
    __device__ void operator+=(const Moments& other) {
        if (other.count == 0) return;
        real all = count + other.count, delta = other.mean - mean;
        mean += delta * other.count / all;
        squares += other.squares + delta * delta * count * other.count / all;
        count = all;
    }
};

// x (rows, C) -> partial (gridDim.y, C). A thread takes its sums relative to the first number that it sees: near enough
// to the mean that squaring loses no digits, however far from zero the mean is.
KERNEL batch_norm_moments(const real* x, Moments* partial, int rows, int channels) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    index_t row = blockIdx.y * blockDim.y + threadIdx.y, step = gridDim.y * blockDim.y;
    Moments found = Moments();
    if (c < channels && row < rows) {
        real origin = x[row * channels + c], count = 0, sum = 0, squares = 0;
        for (; row < rows; row += step) {
            real d = x[row * channels + c] - origin;
            count += 1, sum += d, squares += d * d;
        }
        found = Moments{count, origin + sum / count, squares - sum * sum / count};
    }
    leave_partial(found, partial, channels);
}

// y = leaky_relu(weight (x - mean) / sqrt(var + eps) + bias);  partial (gridDim.y, C) -> mean, var (C,), y (rows, C)
// Where `tracks`, running += momentum (batch - running), of the unbiased variance.
KERNEL batch_norm_apply(const real* x, const Moments* partial, const real* weight, const real* bias, real* mean,
                        real* var, real* running_mean, real* running_var, real* y, real eps, real negative_slope,
                        real momentum, int tracks, int rows, int channels) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    Moments all = total(partial, gridDim.y, channels, c);
    if (c >= channels) return;
    real m = all.mean, v = all.squares / rows;
    if (blockIdx.y == 0 && threadIdx.y == 0) {
        mean[c] = m, var[c] = v;
        if (tracks) {
            running_mean[c] += momentum * (m - running_mean[c]);
            running_var[c] += momentum * (all.squares / (rows - 1) - running_var[c]);
        }
    }
    real scale = weight[c] / sqrt(v + eps), shift = bias[c];
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
