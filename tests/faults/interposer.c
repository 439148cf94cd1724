/* Stands between a process and libc: records what it does to the files below one folder, and fails or kills
 * where it is told to. Loaded by LD_PRELOAD; tests/faults/interposer.py compiles it and speaks to it.
 *
 * A record is a struct head and `length` bytes: a path, or what was written. It is written by one writev() to
 * a file opened for appending, after the call itself has succeeded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, LINK, MARK, UNSYNCED };
enum { ON_READ = 1, ON_WRITE = 2, ON_SYNC = 4, ON_TRUNCATE = 8, ON_NAME = 16 };
enum { ONCE = 0, LASTING = 1, SHORT = 2, KILL = 3, KILL_TORN = 4 };

struct head { int32_t kind, process, file, flags; int64_t offset, length; };

#define MOST 4096
static char folder[4096];
static size_t folder_length;
static int record = -1;
static char ours[MOST]; /* descriptors of files in the folder */

/* What is to fail: of the calls that `mask` names, number `at` (from 1), with `code`. */
static int mask, at, code, how, count, tripped;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void begin(void)
{
    const char *named = getenv("EDGED_FAULTS_FOLDER");
    if (named && strlen(named) < sizeof folder)
        folder_length = strlen(strcpy(folder, named));
}

void faults_folder(const char *path)
{
    folder_length = strlen(strncpy(folder, path, sizeof folder - 1));
}

void faults_record(int descriptor) /* -1 ends it */
{
    record = descriptor;
}

void faults_arm(int mask_, int at_, int code_, int how_)
{
    mask = mask_, at = at_, code = code_, how = how_, count = tripped = 0;
}

int faults_count(void)
{
    return count;
}

int faults_tripped(void)
{
    return tripped;
}

static int inside(const char *path)
{
    return folder_length && path && !strncmp(path, folder, folder_length);
}

static int tracked(int file)
{
    return file >= 0 && file < MOST && ours[file];
}

static void note(int kind, int file, int flags, int64_t offset, const void *data, size_t length)
{
    if (record < 0)
        return;
    int kept = errno;
    struct head head = { kind, getpid(), file, flags, offset, (int64_t)length };
    struct iovec parts[2] = { { &head, sizeof head }, { (void *)data, length } };
    if (writev(record, parts, length ? 2 : 1) != (ssize_t)(sizeof head + length))
        abort();
    errno = kept;
}

void faults_mark(int number)
{
    note(MARK, 0, number, 0, 0, 0);
}

/* Whether this call is to fail. A call that is killed does not return. */
static int fails(int kind)
{
    if (!(mask & kind))
        return 0;
    count++;
    if (!(count == at || (how == LASTING && at && count > at)))
        return 0;
    tripped++;
    if (how == KILL || (how == KILL_TORN && kind != ON_WRITE))
        kill(getpid(), SIGKILL);
    errno = code;
    return 1;
}

static int opened(int file, const char *path, int flags)
{
    if (file >= 0 && file < MOST)
        ours[file] = inside(path);
    if (file >= 0 && inside(path))
        note(OPEN, file, flags, 0, path, strlen(path));
    return file;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list more; \
        va_start(more, last); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

#define OPENER(name) \
    int name(const char *path, int flags, ...) \
    { \
        MODE(flags, flags) \
        if (inside(path) && (flags & O_CREAT) && fails(ON_NAME)) \
            return -1; \
        return opened(REAL(name)(path, flags, mode), path, flags); \
    }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name) \
    int name(int at_, const char *path, int flags, ...) \
    { \
        MODE(flags, flags) \
        if (inside(path) && (flags & O_CREAT) && fails(ON_NAME)) \
            return -1; \
        return opened(REAL(name)(at_, path, flags, mode), path, flags); \
    }
OPENER_AT(openat)
OPENER_AT(openat64)

int close(int file)
{
    if (file >= 0 && file < MOST)
        ours[file] = 0;
    return REAL(close)(file);
}

static ssize_t wrote(int file, const void *data, ssize_t length, int64_t offset)
{
    if (length > 0)
        note(WRITE, file, 0, offset, data, (size_t)length);
    return length;
}

/* SHORT and KILL_TORN let half of it through. */
static ssize_t put(int file, const void *data, size_t length, int64_t offset)
{
    if (fails(ON_WRITE)) {
        if (how == SHORT || how == KILL_TORN) {
            ssize_t half = wrote(file, data, REAL(pwrite64)(file, data, length / 2, offset), offset);
            if (how == KILL_TORN)
                kill(getpid(), SIGKILL);
            at = count + 1; /* the rest of it is what fails */
            how = ONCE;
            if (half > 0)
                return half;
        }
        errno = code;
        return -1;
    }
    return wrote(file, data, REAL(pwrite64)(file, data, length, offset), offset);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset)
{
    return tracked(file) ? put(file, data, length, offset) : REAL(pwrite64)(file, data, length, offset);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset)
{
    return tracked(file) ? put(file, data, length, offset) : REAL(pwrite64)(file, data, length, offset);
}

ssize_t write(int file, const void *data, size_t length)
{
    if (!tracked(file))
        return REAL(write)(file, data, length);
    int64_t offset = lseek64(file, 0, SEEK_CUR);
    ssize_t done = put(file, data, length, offset);
    if (done > 0)
        lseek64(file, offset + done, SEEK_SET);
    return done;
}

#define READER(name, type) \
    ssize_t name(int file, void *data, size_t length, type offset) \
    { \
        return tracked(file) && fails(ON_READ) ? -1 : REAL(name)(file, data, length, offset); \
    }
READER(pread, off_t)
READER(pread64, off64_t)

ssize_t read(int file, void *data, size_t length)
{
    return tracked(file) && fails(ON_READ) ? -1 : REAL(read)(file, data, length);
}

#define CUTTER(name, type) \
    int name(int file, type length) \
    { \
        if (tracked(file) && fails(ON_TRUNCATE)) \
            return -1; \
        int done = REAL(name)(file, length); \
        if (!done && tracked(file)) \
            note(TRUNCATE, file, 0, length, 0, 0); \
        return done; \
    }
CUTTER(ftruncate, off_t)
CUTTER(ftruncate64, off64_t)

/* A sync that fails: the kernel may have thrown away what it could not write, and says so once. */
#define SYNCER(name) \
    int name(int file) \
    { \
        if (tracked(file) && fails(ON_SYNC)) { \
            note(UNSYNCED, file, 0, 0, 0, 0); \
            return -1; \
        } \
        int done = REAL(name)(file); \
        if (!done && tracked(file)) \
            note(SYNC, file, 0, 0, 0, 0); \
        return done; \
    }
SYNCER(fsync)
SYNCER(fdatasync)

int unlink(const char *path)
{
    if (inside(path) && fails(ON_NAME))
        return -1;
    int done = REAL(unlink)(path);
    if (!done && inside(path))
        note(UNLINK, 0, 0, 0, path, strlen(path));
    return done;
}

static int named(int kind, int done, const char *from, const char *to)
{
    char both[8192];
    size_t first = strlen(from) + 1, second = strlen(to);
    if (!done && inside(to) && first + second < sizeof both) {
        memcpy(both, from, first);
        memcpy(both + first, to, second);
        note(kind, 0, 0, 0, both, first + second);
    }
    return done;
}

int rename(const char *from, const char *to)
{
    return inside(to) && fails(ON_NAME) ? -1 : named(RENAME, REAL(rename)(from, to), from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    return inside(to) && fails(ON_NAME) ? -1 : named(RENAME, REAL(renameat)(from_at, from, to_at, to), from, to);
}

int link(const char *from, const char *to)
{
    return inside(to) && fails(ON_NAME) ? -1 : named(LINK, REAL(link)(from, to), from, to);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    return inside(to) && fails(ON_NAME) ? -1
                                        : named(LINK, REAL(linkat)(from_at, from, to_at, to, flags), from, to);
}
