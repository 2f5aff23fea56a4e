/* A layer over the system's writes. Once armed, writes to files whose path holds a given text fail from the given byte
 * on: with an error number, or, for once, short. It stands in front of every library in the process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char wanted[PATH_MAX];
static long long left = -1;
static int error_number = 0; /* 0: one short write, then all is well again */
static volatile int struck = 0;

void fault_arm(const char *path, long long bytes, int number) {
    strncpy(wanted, path, sizeof wanted - 1);
    error_number = number;
    struck = 0;
    left = bytes;
}

int fault_struck(void) { return struck; }

/* How many bytes may still be written: all of them, or fewer; -1: none, and errno says why. */
static ssize_t allowed(int file, size_t count) {
    char link[64], path[PATH_MAX];
    if (left < 0 || count == 0) return (ssize_t)count;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return (ssize_t)count;
    path[length] = 0;
    if (!strstr(path, wanted)) return (ssize_t)count;
    if ((long long)count <= left) { left -= (long long)count; return (ssize_t)count; }
    struck++;
    if (error_number == 0) {
        ssize_t some = left > 0 ? (ssize_t)left : (ssize_t)(count + 1) / 2;
        left = -1;
        return some;
    }
    if (left > 0) { ssize_t some = (ssize_t)left; left = 0; return some; }
    errno = error_number;
    return -1;
}

typedef ssize_t (*write_like)(int, const void *, size_t);
typedef ssize_t (*pwrite_like)(int, const void *, size_t, off_t);
typedef ssize_t (*pwrite64_like)(int, const void *, size_t, off64_t);
typedef ssize_t (*writev_like)(int, const struct iovec *, int);
typedef int (*fsync_like)(int);
#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)

ssize_t write(int file, const void *data, size_t count) {
    REAL("write", write_like);
    ssize_t may = allowed(file, count);
    return may < 0 ? -1 : real(file, data, (size_t)may);
}

ssize_t pwrite(int file, const void *data, size_t count, off_t at) {
    REAL("pwrite", pwrite_like);
    ssize_t may = allowed(file, count);
    return may < 0 ? -1 : real(file, data, (size_t)may, at);
}

ssize_t pwrite64(int file, const void *data, size_t count, off64_t at) {
    REAL("pwrite64", pwrite64_like);
    ssize_t may = allowed(file, count);
    return may < 0 ? -1 : real(file, data, (size_t)may, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL("writev", writev_like);
    size_t total = 0;
    for (int i = 0; i < count; i++) total += parts[i].iov_len;
    ssize_t may = allowed(file, total);
    if (may < 0) return -1;
    if ((size_t)may == total) return real(file, parts, count);
    return write(file, parts[0].iov_base, parts[0].iov_len < (size_t)may ? parts[0].iov_len : (size_t)may);
}

int fsync(int file) {
    REAL("fsync", fsync_like);
    if (left >= 0 && error_number && struck && allowed(file, 1) < 0) return -1;
    return real(file);
}
