// Enough of CUDA C++ to compile a kernel with a C++17 compiler and run it, one block after the other, on the CPU.
//
// A block's threads run as fibers: each has its own stack, and runs until it ends or comes to __syncthreads(), where the
// next one takes over. When all have come to the barrier, they go on. A barrier that some threads of a block pass by is
// reported (a GPU would hang, or worse). The threads between two barriers run in ascending or in descending order, as
// the launch asks: a kernel that misses a barrier gives different results in the two.
//
// Most kernels have no barrier. A block's first thread runs as a fiber, and when it ends without having met a barrier,
// the others run as plain calls.

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
};

static dim3 threadIdx, blockIdx, blockDim, gridDim;

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }

namespace cuda_on_cpu {

// ---- fibers: each serves one thread of a block after the other, and is never taken down ----------------------------

const int MAX_THREADS = 1024, STACK_BYTES = 64 * 1024;

enum State { FRESH, WAITING, DONE };

struct Fiber {
    State state = FRESH;
    bool started = false;
    void* stack = nullptr;
    ucontext_t context;
    jmp_buf point;
};

static Fiber fibers[MAX_THREADS];
static Fiber scheduler;
static int current;           // the thread that runs now
static bool plain;            // it runs as a plain call, so it cannot wait
static const char* error;
static void (*call)(void*);   // the kernel, and its arguments
static void* arguments;

// Saving where one is takes no system call with setjmp; the address sanitizer understands swapcontext only.
static __attribute__((noinline)) void switch_to(Fiber& from, Fiber& to) {
#ifdef __SANITIZE_ADDRESS__
    to.started = true;
    swapcontext(&from.context, &to.context);
#else
    if (_setjmp(from.point)) return;
    if (to.started) _longjmp(to.point, 1);
    to.started = true;
    setcontext(&to.context);
#endif
}

static void serve() {
    for (;;) {
        call(arguments);
        fibers[current].state = DONE;
        switch_to(fibers[current], scheduler);
    }
}

static void run(int thread) {
    Fiber& fiber = fibers[thread];
    current = thread;
    threadIdx = {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / blockDim.x / blockDim.y};
    if (!fiber.stack) {
        fiber.stack = malloc(STACK_BYTES);
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&fiber.context, serve, 0);
    }
    scheduler.started = true;
    switch_to(scheduler, fiber);
}

static void wait_for_block() {
    if (plain) {
        error = "a thread came to __syncthreads() that others of its block passed by";
        return;
    }
    fibers[current].state = WAITING;
    switch_to(fibers[current], scheduler);
}

static void run_block(int threads, bool descending) {
    auto number = [=](int i) { return descending ? threads - 1 - i : i; };
    plain = false;
    run(number(0));
    if (fibers[number(0)].state == DONE) {
        plain = true;
        for (int i = 1; i < threads; i++) {
            current = number(i);
            threadIdx = {current % blockDim.x, current / blockDim.x % blockDim.y, current / blockDim.x / blockDim.y};
            call(arguments);
        }
        return;
    }
    for (int i = 1; i < threads; i++) run(number(i));
    for (;;) {
        int waiting = 0;
        for (int i = 0; i < threads; i++) waiting += fibers[i].state == WAITING;
        if (!waiting) return;
        if (waiting < threads) error = "some threads of a block ended while others waited at __syncthreads()";
        for (int i = 0; i < threads; i++)
            if (fibers[number(i)].state == WAITING) run(number(i));
    }
}

// ---- launching -----------------------------------------------------------------------------------------------------

template <class... P>
struct Call {
    void (*kernel)(P...);
    void** values;

    template <size_t... I>
    void unpack(std::index_sequence<I...>) {
        kernel(*(P*)values[I]...);
    }
    static void invoke(void* self) { ((Call*)self)->unpack(std::index_sequence_for<P...>()); }
};

// values[i] points at the i-th argument, as for cuLaunchKernel. Returns what went wrong, or NULL.
template <class... P>
const char* launch(void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** values, bool descending) {
    Call<P...> with{kernel, values};
    call = with.invoke, arguments = &with, error = nullptr;
    gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
    for (unsigned z = 0; z < grid[2]; z++)
        for (unsigned y = 0; y < grid[1]; y++)
            for (unsigned x = 0; x < grid[0]; x++) {
                blockIdx = {x, y, z};
                run_block(block[0] * block[1] * block[2], descending);
                if (error) return error;
            }
    return nullptr;
}

// ---- what a kernel's parameters are: "*" or " " for pointer or value, a letter for the type, the bytes of it -------

template <class T>
constexpr char letter() {
    return std::is_floating_point<T>::value ? 'f' : std::is_integral<T>::value ? 'i' : 'V';
}

template <class... P>
const char* signature(void (*)(P...)) {
    static char text[1024];
    char* end = text;
    *end = 0;
    int unused[] = {0, (end += sprintf(end, "%c%c%d,", std::is_pointer<P>::value ? '*' : ' ',
                                       letter<std::remove_cv_t<std::remove_pointer_t<P>>>(),
                                       (int)sizeof(std::remove_pointer_t<P>)), 0)...};
    (void)unused;
    return text;
}

}  // namespace cuda_on_cpu

#define __syncthreads() cuda_on_cpu::wait_for_block()

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Written behind the source, once for each of its kernels.
#define CUDA_ON_CPU_EXPORT(name)                                                                               \
    EXPORTED const char* launch_##name(const unsigned* grid, const unsigned* block, void** values, int down) { \
        return cuda_on_cpu::launch(name, grid, block, values, down);                                           \
    }                                                                                                          \
    EXPORTED const char* signature_##name() { return cuda_on_cpu::signature(name); }
