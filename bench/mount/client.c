/*
 * The measuring side of bench-mount: does one thing to a file system and prints "<work> <seconds>", where
 * work counts entries, bytes, reads, runs or calls. Its own start is not in the time.
 *
 *   client walk DIR                               readdir and lstat of everything in DIR
 *   client small DIR                              readdir, then open, read whole and close of each file
 *   client sequential FILE BLOCK-BYTES
 *   client random FILE READERS READS FROM TO      READS of 4 KiB by each reader, no page twice, at FROM..TO
 *   client spawn RUNS PROGRAM [ARG]               seconds are those of a median run
 *   client open FILE CALLS
 *   client stat FILE READERS CALLS                statx that must ask the server
 *   client forget FILE                            drops the pages of FILE from the cache
 *   client touch BYTES                            takes and gives back memory
 *   client nothing                                a small program to start
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, READERS_MAX = 64, RUNS_MAX = 1024, SMALL_MAX = 1 << 20 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void print(double work, double seconds) { printf("%.0f %.9f\n", work, seconds); }

static int open_or_die(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) err(1, "%s", path);
  return fd;
}

static DIR *open_folder(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL) err(1, "%s", path);
  return dir;
}

static struct dirent *next_entry(DIR *dir) {
  struct dirent *entry;
  do entry = readdir(dir);
  while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
  return entry;
}

static void walk(const char *path) {
  double started = now();
  long count = 0;
  struct dirent *entry;
  DIR *dir = open_folder(path);
  while ((entry = next_entry(dir)) != NULL) {
    struct stat st;
    if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) err(1, "%s", entry->d_name);
    count++;
  }
  closedir(dir);
  print(count, now() - started);
}

static void small_files(const char *path) {
  static char buffer[SMALL_MAX];
  double started = now();
  long count = 0;
  struct dirent *entry;
  DIR *dir = open_folder(path);
  while ((entry = next_entry(dir)) != NULL) {
    int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) err(1, "%s", entry->d_name);
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {}
    if (got < 0) err(1, "%s", entry->d_name);
    close(fd);
    count++;
  }
  closedir(dir);
  print(count, now() - started);
}

static void sequential(const char *path, size_t block) {
  char *buffer = malloc(block);
  memset(buffer, 1, block);
  double started = now();
  int fd = open_or_die(path);
  double bytes = 0;
  ssize_t got;
  while ((got = read(fd, buffer, block)) > 0) bytes += got;
  if (got < 0) err(1, "%s", path);
  print(bytes, now() - started);
}

struct reader {
  int fd;
  long index, readers, calls;
  int64_t first_page, pages;
  const char *path;
};

static void *random_reads(void *argument) {
  struct reader *r = argument;
  char buffer[PAGE];
  /* Multiples of an odd number visit every page of a power-of-two range once. */
  int64_t range = 1;
  while (range * 2 <= r->pages) range *= 2;
  for (long call = 0; call < r->calls; call++) {
    int64_t nth = call * r->readers + r->index;
    int64_t page = r->first_page + (int64_t)((uint64_t)nth * 0x9e3779b97f4a7c15u % (uint64_t)range);
    if (pread(r->fd, buffer, PAGE, page * PAGE) != PAGE) err(1, "%s", r->path);
  }
  return NULL;
}

static void *forced_stats(void *argument) {
  struct reader *r = argument;
  struct statx st;
  for (long call = 0; call < r->calls; call++)
    if (statx(r->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st) < 0)
      err(1, "%s", r->path);
  return NULL;
}

/* Runs `body` in several threads. */
static void together(struct reader common, void *(*body)(void *)) {
  static struct reader readers[READERS_MAX];
  pthread_t threads[READERS_MAX];
  if (common.readers < 1 || common.readers > READERS_MAX) errx(2, "too many readers");
  double started = now();
  for (long index = 0; index < common.readers; index++) {
    readers[index] = common;
    readers[index].index = index;
    if (pthread_create(&threads[index], NULL, body, &readers[index]) != 0) errx(1, "no thread");
  }
  for (long index = 0; index < common.readers; index++) pthread_join(threads[index], NULL);
  print(common.readers * common.calls, now() - started);
}

static void random_access(const char *path, char **numbers) {
  struct reader common = {.fd = open_or_die(path), .path = path};
  common.readers = atol(numbers[0]);
  common.calls = atol(numbers[1]);
  common.first_page = atoll(numbers[2]) / PAGE;
  common.pages = atoll(numbers[3]) / PAGE - common.first_page;
  if (common.readers * common.calls > common.pages / 2) errx(2, "too few pages for so many reads");
  posix_fadvise(common.fd, 0, 0, POSIX_FADV_RANDOM);
  together(common, random_reads);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void spawn(long runs, char **command) {
  static double seconds[RUNS_MAX];
  extern char **environ;
  if (runs < 1 || runs > RUNS_MAX) errx(2, "too many runs");
  for (long run = 0; run < runs; run++) {
    double started = now();
    pid_t pid;
    int status;
    if (posix_spawn(&pid, command[0], NULL, NULL, command, environ) != 0) errx(1, "%s", command[0]);
    if (waitpid(pid, &status, 0) < 0 || status != 0) errx(1, "%s failed", command[0]);
    seconds[run] = now() - started;
  }
  qsort(seconds, runs, sizeof *seconds, ascending);
  print(1, seconds[runs / 2]);
}

static void open_and_close(const char *path, long calls) {
  double started = now();
  for (long call = 0; call < calls; call++) close(open_or_die(path));
  print(calls, now() - started);
}

static void touch(size_t bytes) {
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) err(1, "no memory");
  madvise(memory, bytes, MADV_HUGEPAGE);
  for (size_t at = 0; at < bytes; at += PAGE) memory[at] = 1;
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  if (strcmp(verb, "walk") == 0 && argc == 3) walk(argv[2]);
  else if (strcmp(verb, "small") == 0 && argc == 3) small_files(argv[2]);
  else if (strcmp(verb, "sequential") == 0 && argc == 4) sequential(argv[2], atol(argv[3]));
  else if (strcmp(verb, "random") == 0 && argc == 7) random_access(argv[2], argv + 3);
  else if (strcmp(verb, "spawn") == 0 && argc >= 4) spawn(atol(argv[2]), argv + 3);
  else if (strcmp(verb, "open") == 0 && argc == 4) open_and_close(argv[2], atol(argv[3]));
  else if (strcmp(verb, "stat") == 0 && argc == 5)
    together((struct reader){.fd = open_or_die(argv[2]), .path = argv[2], .readers = atol(argv[3]),
                             .calls = atol(argv[4])},
             forced_stats);
  else if (strcmp(verb, "forget") == 0 && argc == 3)
    posix_fadvise(open_or_die(argv[2]), 0, 0, POSIX_FADV_DONTNEED);
  else if (strcmp(verb, "touch") == 0 && argc == 3) touch(atoll(argv[2]));
  else if (strcmp(verb, "nothing") != 0)
    errx(2, "see the top of client.c");
  return 0;
}
