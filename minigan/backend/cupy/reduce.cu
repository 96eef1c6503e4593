// Sums over rows, adding into places that may repeat, and gathering lone numbers.

// x (rows, columns) -> partial (gridDim.y, columns)
KERNEL column_sums(const real* x, real* partial, int rows, int columns) {
    partial_sums<real>(Element{x}, partial, rows, columns);
}

// partial (parts, size) -> y (size,): the parts added up in their order
KERNEL add_parts(const real* partial, real* y, index_t size, int parts) {
    index_t i = flat_index();
    if (i >= size) return;
    real sum = partial[i];
    for (int part = 1; part < parts; part++) sum += partial[part * size + i];
    y[i] = sum;
}

// x[place[t]] += g[source[t]] for every t, where place is sorted and x starts as zeros. Equal places lie side by side:
// the thread at the first of them adds up all of their values, in order.
KERNEL add_at_sorted(const real* g, const index_t* place, const index_t* source, real* x, index_t count) {
    index_t t = flat_index();
    if (t >= count || (t > 0 && place[t - 1] == place[t])) return;
    real sum = g[source[t]];
    for (index_t next = t + 1; next < count && place[next] == place[t]; next++) sum += g[source[next]];
    x[place[t]] = sum;
}

// x[row, c] = sum over t with place[t] = row of g[t, c], in order: a thread looks at all of them. For few rows.
KERNEL add_at_rows(const real* g, const index_t* place, real* x, index_t size, int columns, int count) {
    index_t i = flat_index();
    if (i >= size) return;
    index_t row = i / columns, c = i % columns;
    real sum = 0;
    for (int t = 0; t < count; t++)
        if (place[t] == row) sum += g[(index_t)t * columns + c];
    x[i] = sum;
}

struct Scalars {
    const real* of[64];
};

KERNEL gather(Scalars scalars, real* y, int count) {
    int i = threadIdx.x;
    if (i < count) y[i] = *scalars.of[i];
}
