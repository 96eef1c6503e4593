// Functions of one number, applied to each element of a dense array.

KERNEL leaky_relu(const real* x, real* y, real negative_slope, index_t size) {
    index_t i = flat_index();
    if (i < size) y[i] = x[i] > 0 ? x[i] : negative_slope == 0 && x[i] <= 0 ? 0 : negative_slope * x[i];
}

// The leaky ReLU's derivative at x, applied to g. With slope 0 it is a choice, for 0 * inf would be NaN.
KERNEL leaky_relu_gate(const real* g, const real* x, real* y, real negative_slope, index_t size) {
    index_t i = flat_index();
    if (i < size) y[i] = x[i] > 0 ? g[i] : negative_slope != 0 ? negative_slope * g[i] : x[i] <= 0 ? 0 : g[i];
}

KERNEL hyperbolic_tangent(const real* x, real* y, index_t size) {
    index_t i = flat_index();
    if (i < size) y[i] = tanh(x[i]);
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which never overflows.
KERNEL softplus(const real* x, real* y, index_t size) {
    index_t i = flat_index();
    if (i < size) y[i] = (x[i] < 0 ? 0 : x[i]) + log1p(exp(-fabs(x[i])));
}

// 1 / (1 + e^-x), from e^-|x| so that neither end overflows.
KERNEL sigmoid(const real* x, real* y, index_t size) {
    index_t i = flat_index();
    if (i < size) {
        real small = exp(-fabs(x[i]));
        y[i] = (x[i] < 0 ? small : 1) / (1 + small);
    }
}
