// A disk that misbehaves below one folder, for the one program that this is loaded into (LD_PRELOAD) and that is named.
//
//     DISK_PROGRAM      which program
//     DISK_BELOW        the folder
//     DISK_FULL_FROM    which of its writes there is the first to find no room; the first is 1
//     DISK_FULL_TO      which is the last; without it, there is no room ever after
//     DISK_TOLD         a file that gets a line of what found no room, and, at the end, how many writes there were
//     DISK_LIES         syncs answer at once, and do nothing
//
// `cli/tests/it/faults/shim.rs` builds it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_long writes;

static int is_ours(void) {
    const char *program = getenv("DISK_PROGRAM");
    return program && strcmp(program_invocation_short_name, program) == 0;
}

static int is_below(const char *path) {
    const char *below = getenv("DISK_BELOW");
    size_t length = below ? strlen(below) : 0;
    return length && strncmp(path, below, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void tell(const char *what, long number, const char *path) {
    const char *told = getenv("DISK_TOLD");
    int file = told ? REAL(open64)(told, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file < 0) return;
    char line[5000];
    int length = snprintf(line, sizeof line, "%s %ld %s\n", what, number, path);
    // Whoever reads it sees that it is missing.
    if (length > 0 && REAL(write)(file, line, length) < 0) abort();
    close(file);
}

// Counts a write to this path; whether there is no room for it.
static int is_full(const char *what, const char *path) {
    const char *from = getenv("DISK_FULL_FROM"), *to = getenv("DISK_FULL_TO");
    if (!from || !is_ours() || !is_below(path)) return 0;
    long number = atomic_fetch_add(&writes, 1) + 1;
    if (number < atol(from) || (to && number > atol(to))) return 0;
    tell(what, number, path);
    errno = ENOSPC;
    return 1;
}

static int is_full_in(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return is_full("write", path);
}

static int is_new(const char *path) {
    struct stat found;
    return lstat(path, &found) != 0;
}

ssize_t write(int file, const void *bytes, size_t length) {
    return is_full_in(file) ? -1 : REAL(write)(file, bytes, length);
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
    return is_full_in(file) ? -1 : REAL(writev)(file, pieces, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    return is_full_in(file) ? -1 : REAL(pwrite64)(file, bytes, length, at);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (flags & O_CREAT && is_new(path) && is_full("create", path)) return -1;
    return REAL(open64)(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    return is_new(path) && is_full("create", path) ? -1 : REAL(mkdir)(path, mode);
}

int fsync(int file) {
    return getenv("DISK_LIES") && is_ours() ? 0 : REAL(fsync)(file);
}

int fdatasync(int file) {
    return getenv("DISK_LIES") && is_ours() ? 0 : REAL(fdatasync)(file);
}

__attribute__((destructor)) static void count(void) {
    if (is_ours()) tell("total", atomic_load(&writes), "");
}
