/*
 * Faults for a real host: loaded with LD_PRELOAD, it stands between the process and the C library. Which calls
 * fail, and how far the clock is off, stands in a file that is mapped into memory, so that a test changes it while
 * the host runs and reads back how many faults were injected. tests/faults/injector.ts is the other side.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define RULES 4
#define SUFFIX_BYTES 40
#define NS_PER_MS 1000000LL

enum call { CALL_NONE, CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_READ };

/* 64 bytes each, little endian. */
struct rule {
  uint32_t call;
  /* The error to fail with; 0 makes a write or read shorter than asked for. */
  int32_t error;
  /* Calls that still pass before the first fault. */
  int32_t skip;
  /* Faults that are still to come. */
  int32_t left;
  uint32_t injected;
  uint32_t reserved;
  /* Of the path of the file that the call is about. */
  char suffix[SUFFIX_BYTES];
};

struct control {
  int64_t clock_offset_ms;
  struct rule rules[RULES];
};

static struct control *control;

__attribute__((constructor)) static void map_control(void) {
  const char *file = getenv("DAYBOOK_FAULTS");
  if (file == NULL) return;
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    perror("DAYBOOK_FAULTS");
    abort();
  }
  void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) abort();
  control = mapped;
}

static int ends_with(int fd, const char *suffix) {
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  size_t wanted = strnlen(suffix, SUFFIX_BYTES);
  return length >= (ssize_t)wanted && memcmp(path + length - wanted, suffix, wanted) == 0;
}

/* Takes one from a counter; 0 when there is nothing left to take. */
static int take(int32_t *counter) {
  int32_t value = __atomic_load_n(counter, __ATOMIC_SEQ_CST);
  while (value > 0) {
    if (__atomic_compare_exchange_n(counter, &value, value - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 1;
  }
  return 0;
}

/* The rule by which this call fails, or null. */
static const struct rule *fault(enum call call, int fd) {
  if (control == NULL) return NULL;
  int before = errno;
  const struct rule *found = NULL;
  for (int index = 0; index < RULES && found == NULL; index += 1) {
    struct rule *rule = &control->rules[index];
    if (__atomic_load_n(&rule->call, __ATOMIC_SEQ_CST) != call || rule->left == 0) continue;
    if (!ends_with(fd, rule->suffix) || take(&rule->skip) || !take(&rule->left)) continue;
    __atomic_add_fetch(&rule->injected, 1, __ATOMIC_SEQ_CST);
    found = rule;
  }
  errno = before;
  return found;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Half of the bytes, but never none: zero bytes written or read mean something else. */
static size_t shortened(size_t count) { return count > 1 ? count / 2 : count; }

#define TRANSFER(type, name, call, parameters, ...)       \
  type name parameters {                                  \
    static __typeof__(&name) real;                        \
    if (real == NULL) real = REAL(name);                  \
    const struct rule *rule = fault(call, fd);            \
    if (rule != NULL && rule->error != 0) {               \
      errno = rule->error;                                \
      return -1;                                          \
    }                                                     \
    if (rule != NULL) count = shortened(count);           \
    return real(__VA_ARGS__);                             \
  }

TRANSFER(ssize_t, write, CALL_WRITE, (int fd, const void *bytes, size_t count), fd, bytes, count)
TRANSFER(ssize_t, pwrite64, CALL_WRITE, (int fd, const void *bytes, size_t count, off64_t at), fd, bytes, count, at)
TRANSFER(ssize_t, read, CALL_READ, (int fd, void *bytes, size_t count), fd, bytes, count)
TRANSFER(ssize_t, pread64, CALL_READ, (int fd, void *bytes, size_t count, off64_t at), fd, bytes, count, at)

#define WHOLE(name, call, parameters, ...)                \
  int name parameters {                                   \
    static __typeof__(&name) real;                        \
    if (real == NULL) real = REAL(name);                  \
    const struct rule *rule = fault(call, fd);            \
    if (rule != NULL) {                                   \
      errno = rule->error;                                \
      return -1;                                          \
    }                                                     \
    return real(__VA_ARGS__);                             \
  }

WHOLE(fsync, CALL_SYNC, (int fd), fd)
WHOLE(fdatasync, CALL_SYNC, (int fd), fd)
WHOLE(ftruncate64, CALL_TRUNCATE, (int fd, off64_t length), fd, length)

static int64_t clock_offset_ms(void) {
  return control == NULL ? 0 : __atomic_load_n(&control->clock_offset_ms, __ATOMIC_SEQ_CST);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static __typeof__(&clock_gettime) real;
  if (real == NULL) real = REAL(clock_gettime);
  int result = real(clock, now);
  /* The monotonic clock goes on evenly, as it does when a machine's clock is set. */
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  int64_t ms = clock_offset_ms();
  now->tv_sec += ms / 1000;
  now->tv_nsec += (ms % 1000) * NS_PER_MS;
  if (now->tv_nsec >= 1000 * NS_PER_MS) now->tv_sec += 1, now->tv_nsec -= 1000 * NS_PER_MS;
  if (now->tv_nsec < 0) now->tv_sec -= 1, now->tv_nsec += 1000 * NS_PER_MS;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static __typeof__(&gettimeofday) real;
  if (real == NULL) real = REAL(gettimeofday);
  int result = real(now, zone);
  if (result != 0) return result;
  struct timespec shifted;
  clock_gettime(CLOCK_REALTIME, &shifted);
  now->tv_sec = shifted.tv_sec;
  now->tv_usec = shifted.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
