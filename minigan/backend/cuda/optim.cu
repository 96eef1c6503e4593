// One launch updates all parameters: block row y works on parameter y, whose addresses travel in the launch itself.

struct Slot {
    real *p, *g, *a, *b;  // a parameter, its gradient, and what the optimizer keeps for it
    index_t size;
};

struct Slots {
    Slot of[64];  // a launch's arguments may take 4096 bytes
};

__device__ inline index_t step() { return (index_t)gridDim.x * THREADS; }

// p <- shrink p;  g <- g + l2 p;  m <- m + (1 - b1) (g - m);  v <- b2 v + (1 - b2) g^2
// p <- p - rate m / (sqrt(v) / root + eps),  shrink = 1 - lr decay, rate = lr / (1 - b1^t), root = sqrt(1 - b2^t)
KERNEL adam(Slots slots, real shrink, real l2, real one_minus_b1, real b2, real one_minus_b2, real rate, real root,
            real eps) {
    Slot s = slots.of[blockIdx.y];
    for (index_t i = flat_index(); i < s.size; i += step()) {
        real p = shrink * s.p[i], g = s.g[i] + l2 * p;
        real m = s.a[i] + one_minus_b1 * (g - s.a[i]), v = b2 * s.b[i] + one_minus_b2 * g * g;
        s.a[i] = m, s.b[i] = v;
        s.p[i] = p - rate * m / (sqrt(v) / root + eps);
    }
}

// b <- momentum b + g + l2 p;  p <- p - lr b
KERNEL sgd(Slots slots, real lr, real momentum, real l2) {
    Slot s = slots.of[blockIdx.y];
    for (index_t i = flat_index(); i < s.size; i += step()) {
        real b = momentum * s.a[i] + s.g[i] + l2 * s.p[i];
        s.a[i] = b;
        s.p[i] -= lr * b;
    }
}

// v <- alpha v + (1 - alpha) g^2;  p <- p - lr g / (sqrt(v) + eps)
KERNEL rmsprop(Slots slots, real lr, real alpha, real one_minus_alpha, real eps) {
    Slot s = slots.of[blockIdx.y];
    for (index_t i = flat_index(); i < s.size; i += step()) {
        real g = s.g[i], v = alpha * s.a[i] + one_minus_alpha * g * g;
        s.a[i] = v;
        s.p[i] -= lr * g / (sqrt(v) + eps);
    }
}
