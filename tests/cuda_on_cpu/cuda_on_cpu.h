// Enough of CUDA C++ to compile a kernel with a C++17 compiler and run it, one block after the other, on the CPU.
//
// A block's threads run as fibers: each has its own stack, and runs until it ends or comes to __syncthreads(), where the
// next one takes over. When all have come to the barrier, they go on. A barrier that some threads of a block pass by is
// reported (a GPU would hang, or worse). The threads between two barriers run in ascending or in descending order, as
// the launch asks: a kernel that misses a barrier gives different results in the two.
//
// What a warp does together (__shfl_xor_sync, mma) is a barrier of its 32 threads, who show each other their registers.
// An asynchronous copy to shared memory happens when its thread waits for it, and not before.
//
// Most kernels have no barrier. A block's first thread runs as a fiber, and when it ends without having met a barrier,
// the others run as plain calls.

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
};

static dim3 threadIdx, blockIdx, blockDim, gridDim;

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }

namespace cuda_on_cpu {

// ---- fibers: each serves one thread of a block after the other, and is never taken down ----------------------------

const int MAX_THREADS = 1024, WARP = 32, STACK_BYTES = 64 * 1024;

enum State { RUNNING, AT_BARRIER, IN_WARP, DONE };

struct Fiber {
    State state = DONE;
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

static void work();

static void serve() {
    for (;;) {
        work();
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

static void wait_in(State state, const char* otherwise) {
    if (plain) {
        error = otherwise;
        return;
    }
    fibers[current].state = state;
    switch_to(fibers[current], scheduler);
}

static void wait_for_block() {
    wait_in(AT_BARRIER, "a thread came to __syncthreads() that others of its block passed by");
}

static void wait_for_warp() {
    wait_in(IN_WARP, "a thread came to what its warp does together, and others of the warp passed by");
}

// Run the threads first .. end - 1 of a warp until each of them has ended or waits for the block.
static void run_warp(int first, int end, bool descending) {
    for (;;) {
        int together = 0;
        for (int i = first; i < end; i++) {
            int thread = descending ? first + end - 1 - i : i;
            if (fibers[thread].state == RUNNING) run(thread);
        }
        for (int i = first; i < end; i++) together += fibers[i].state == IN_WARP;
        if (!together) return;
        if (together < end - first) error = "some threads of a warp do together what the others do not come to";
        for (int i = first; i < end; i++)
            if (fibers[i].state == IN_WARP) fibers[i].state = RUNNING;
    }
}

// ---- what a warp does together ---------------------------------------------------------------------------------------

struct Slot {
    double words[8];
    template <class T>
    const T& as() const { return *(const T*)words; }
};

// By turn and thread: the registers that it shows the others. Nobody overwrites what another may still have to read:
// when a thread comes to its next turn but one, all have come to the next, and so are done with this.
static Slot shown[2][MAX_THREADS];
static int turns[MAX_THREADS];

template <class T>
static const Slot* show(const T& value) {
    Slot* all = shown[turns[current]++ % 2];
    memcpy(all + current, &value, sizeof value);
    wait_for_warp();
    return all;
}

template <class T>
T shuffle_xor(T value, int mask) {
    const Slot* all = show(value);
    return all[current ^ mask].template as<T>();
}

// ---- asynchronous copies ---------------------------------------------------------------------------------------------

struct Copy {
    void* to;
    const void* from;  // null: zeros
    int group;
};

static std::vector<Copy> under_way[MAX_THREADS];
static int groups[MAX_THREADS];  // that the thread has closed

static void work() {
    call(arguments);
    // Where a GPU puts what comes then, another block may have its shared memory by now.
    if (!under_way[current].empty()) error = "a thread ended before its asynchronous copies had arrived";
}

static void run_block(int threads, bool descending) {
    int first = descending ? threads - 1 : 0;
    for (int i = 0; i < threads; i++) fibers[i].state = RUNNING, under_way[i].clear(), groups[i] = turns[i] = 0;
    plain = false;
    run(first);
    if (fibers[first].state == DONE) {
        plain = true;
        for (int i = 1; i < threads; i++) {
            current = descending ? threads - 1 - i : i;
            threadIdx = {current % blockDim.x, current / blockDim.x % blockDim.y, current / blockDim.x / blockDim.y};
            work();
        }
        return;
    }
    int warps = (threads + WARP - 1) / WARP;
    for (;;) {
        for (int i = 0; i < warps; i++) {
            int warp = descending ? warps - 1 - i : i;
            run_warp(warp * WARP, min(warp * WARP + WARP, threads), descending);
        }
        int waiting = 0;
        for (int i = 0; i < threads; i++) waiting += fibers[i].state == AT_BARRIER;
        if (!waiting) return;
        if (waiting < threads) error = "some threads of a block ended while others waited at __syncthreads()";
        for (int i = 0; i < threads; i++)
            if (fibers[i].state == AT_BARRIER) fibers[i].state = RUNNING;
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
#define __shfl_xor_sync(mask, value, lanes) cuda_on_cpu::shuffle_xor(value, lanes)

// ---- the five instructions that tensor.cu is written with, see there -----------------------------------------------

#define TENSOR_CORES_ON_CPU

// cp.async of 16 bytes, or of zeros where `from` is null
static inline void copy_async(void* to, const void* from) {
    if ((size_t)to % 16 || (size_t)from % 16) cuda_on_cpu::error = "cp.async between addresses that are no multiple of 16";
    cuda_on_cpu::under_way[cuda_on_cpu::current].push_back({to, from, cuda_on_cpu::groups[cuda_on_cpu::current]});
}

// cp.async.commit_group
static inline void close_group() { cuda_on_cpu::groups[cuda_on_cpu::current]++; }

// cp.async.wait_group: all groups but the last `pending` closed ones have arrived
template <int pending>
static void wait_for_groups() {
    auto& copies = cuda_on_cpu::under_way[cuda_on_cpu::current];
    int last = cuda_on_cpu::groups[cuda_on_cpu::current] - pending;
    size_t left = 0;
    for (auto& copy : copies)
        if (copy.group >= last)
            copies[left++] = copy;
        else if (copy.from)
            memcpy(copy.to, copy.from, 16);
        else
            memset(copy.to, 0, 16);
    copies.resize(left);
}

// cvt.rna.tf32: to 10 bits of mantissa, ties away from zero
static inline unsigned to_tf32(float value) {
    unsigned bits;
    memcpy(&bits, &value, 4);
    return (bits & 0x7f800000) == 0x7f800000 ? bits : (bits + 0x1000) & 0xffffe000;
}

// mma.sync.m16n8k8: c (16, 8) += a (16, 8) b (8, 8), dealt to the lanes of a warp as PTX tells
static inline void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    using namespace cuda_on_cpu;
    struct Shown {
        float a[4], b[2];
    } mine;
    memcpy(mine.a, a, sizeof a), memcpy(mine.b, b, sizeof b);
    const Slot* all = show(mine);
    int warp = current / WARP * WARP, lane = current % WARP, row = lane / 4, column = lane % 4 * 2;
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 4; i++) {
            int m = row + i / 2 * 8, n = column + i % 2;
            c[i] += all[warp + m % 8 * 4 + k % 4].as<Shown>().a[m / 8 + k / 4 * 2] *
                    all[warp + n * 4 + k % 4].as<Shown>().b[k / 4];
        }
}

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Written behind the source, once for each of its kernels.
#define CUDA_ON_CPU_EXPORT(name)                                                                               \
    EXPORTED const char* launch_##name(const unsigned* grid, const unsigned* block, void** values, int down) { \
        return cuda_on_cpu::launch(name, grid, block, values, down);                                           \
    }                                                                                                          \
    EXPORTED const char* signature_##name() { return cuda_on_cpu::signature(name); }
