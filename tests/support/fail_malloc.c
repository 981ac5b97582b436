/* Makes chosen allocations of a process fail; loaded before the C library with LD_PRELOAD.

   Allocations by the dynamic loader, for thread-local variables that a thread first uses, do not
   fail: it ends the process without, which no library can keep it from. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_bool armed;
static atomic_long counted;
static long first_failing, last_failing;

/* Count allocations from now on; those numbered first..last return NULL. */
void arm(long first, long last)
{
    counted = 0;
    first_failing = first;
    last_failing = last;
    armed = true;
}

/* Let nothing fail any more; returns how many allocations there were. */
long disarm(void)
{
    armed = false;
    return counted;
}

static bool is_loader(const void *caller)
{
    Dl_info info;
    return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "/ld-linux");
}

static bool fails(const void *caller)
{
    if (!armed || is_loader(caller))
        return false;
    long number = atomic_fetch_add(&counted, 1) + 1;
    if (number < first_failing || number > last_failing)
        return false;
    errno = ENOMEM;
    return true;
}

#define CALLER __builtin_return_address(0)

void *malloc(size_t size)
{
    return fails(CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(CALLER) ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    return fails(CALLER) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(CALLER) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *found = fails(CALLER) ? NULL : __libc_memalign(alignment, size);
    if (found == NULL)
        return ENOMEM;
    *memory = found;
    return 0;
}
