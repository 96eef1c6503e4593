// One launch updates all parameters: block row y works on parameter y, whose addresses travel in the launch itself.

struct Slot {
    real *p, *g, *a, *b;  // a parameter, its gradient, and what the optimizer keeps for it
    index_t size;
};

struct Slots {
    Slot of[64];  // a launch's arguments may take 4096 bytes
};

__device__ inline index_t step() { return (index_t)gridDim.x * THREADS; }

// Numbers that may differ from step to step come by address, so that a captured launch can be replayed with others.

// p <- shrink p;  g <- g + l2 p;  m <- m + (1 - b1) (g - m);  v <- b2 v + (1 - b2) g^2
// p <- p - rate m / (sqrt(v) / root + eps),  shrink = 1 - lr decay, rate = lr / (1 - b1^t), root = sqrt(1 - b2^t)
// numbers: shrink, l2, 1 - b1, b2, 1 - b2, rate, root, eps
KERNEL adam(Slots slots, const double* numbers) {
    real shrink = numbers[0], l2 = numbers[1], one_minus_b1 = numbers[2], b2 = numbers[3], one_minus_b2 = numbers[4];
    real rate = numbers[5], root = numbers[6], eps = numbers[7];
    Slot s = slots.of[blockIdx.y];
    for (index_t i = flat_index(); i < s.size; i += step()) {
        real p = shrink * s.p[i], g = s.g[i] + l2 * p;
        real m = s.a[i] + one_minus_b1 * (g - s.a[i]), v = b2 * s.b[i] + one_minus_b2 * g * g;
        s.a[i] = m, s.b[i] = v;
        s.p[i] = p - rate * m / (sqrt(v) / root + eps);
    }
}

// b <- momentum b + g + l2 p;  p <- p - lr b.  numbers: lr, momentum, l2
KERNEL sgd(Slots slots, const double* numbers) {
    real lr = numbers[0], momentum = numbers[1], l2 = numbers[2];
    Slot s = slots.of[blockIdx.y];
    for (index_t i = flat_index(); i < s.size; i += step()) {
        real b = momentum * s.a[i] + s.g[i] + l2 * s.p[i];
        s.a[i] = b;
        s.p[i] -= lr * b;
    }
}

// v <- alpha v + (1 - alpha) g^2;  p <- p - lr g / (sqrt(v) + eps).  numbers: lr, alpha, 1 - alpha, eps
KERNEL rmsprop(Slots slots, const double* numbers) {
    real lr = numbers[0], alpha = numbers[1], one_minus_alpha = numbers[2], eps = numbers[3];
    Slot s = slots.of[blockIdx.y];
    for (index_t i = flat_index(); i < s.size; i += step()) {
        real g = s.g[i], v = alpha * s.a[i] + one_minus_alpha * g * g;
        s.a[i] = v;
        s.p[i] -= lr * g / (sqrt(v) + eps);
    }
}
