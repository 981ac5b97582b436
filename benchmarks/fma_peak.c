/* The fastest this machine multiplies and adds in double precision: independent accumulators that stay in registers.
   Usage: fma_peak THREADS SECONDS. Prints floating-point operations per second, all threads together; a fused
   multiply-add counts as two. Compiled by run.py with -O3 -march=native -pthread. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define LANES (BYTES / 8)
#define CHAINS 10    /* latency 4 times 2 ports is 8; ten and two constants fit in sixteen registers */
#define ROUNDS 20000 /* about 50 microseconds between two looks at the clock */

typedef double vector __attribute__((vector_size(BYTES)));

struct worker {
    pthread_t thread;
    double seconds;
    double rate;
    double sink;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *work(void *argument) {
    struct worker *self = argument;
    vector a[CHAINS], scale, add;
    for (int lane = 0; lane < LANES; lane++) {
        scale[lane] = 0.999999;
        add[lane] = 1e-6;
    }
    for (int chain = 0; chain < CHAINS; chain++)
        a[chain] = add * (double)(chain + 1);
    const double start = now();
    double end = start, blocks = 0.0;
    while (end - start < self->seconds) {
        for (long round = 0; round < ROUNDS; round++)
            for (int chain = 0; chain < CHAINS; chain++)
                a[chain] = a[chain] * scale + add;
        blocks += 1.0;
        end = now();
    }
    self->rate = blocks * ROUNDS * CHAINS * LANES * 2.0 / (end - start);
    self->sink = 0.0; /* keeps the chains alive */
    for (int chain = 0; chain < CHAINS; chain++)
        self->sink += a[chain][0];
    return NULL;
}

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    const double seconds = argc > 2 ? atof(argv[2]) : 0.3;
    if (threads < 1 || !(seconds > 0.0))
        return 2;
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    if (!workers)
        return 1;
    for (int i = 0; i < threads; i++) {
        workers[i].seconds = seconds;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            return 1;
    }
    double rate = 0.0, sink = 0.0;
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        rate += workers[i].rate;
        sink += workers[i].sink;
    }
    printf("%.6g\n", sink > -1.0 ? rate : 0.0);
    free(workers);
    return 0;
}
