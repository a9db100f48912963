/* admin.h - `superpeer cache ...`: what the operator sees and does of the
 * cache, whether the agent runs or not.
 *
 * A request is one line of JSON, {"command", "sets": [ID, prefix of one, or
 * URL, ...]}; the answer is one object a line, the last of which has "end",
 * the exit status:
 *   {"cache": {...}}     ls
 *   {"set": {...}}       ls, show, and verify of one with wrong blocks
 *   {"removed": {...}}   rm
 *   {"so_far": {...}}    verify, once a second
 *   {"verified": {...}}  verify
 *   {"error": "WORDS"}
 */
#ifndef ADMIN_H
#define ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct admin_server;
struct cache;

enum {
    ADMIN_OK = 0,
    ADMIN_WRONG = 1,         /* not found, or wrong blocks */
    ADMIN_LINE_MAX = 1 << 20 /* bytes of a request */
};

#define ADMIN_SOCKET "control.sock"

/** admin_main(argc, argv, file): the command line behind `cache`, which is
 *  ${argv[0]}; ${file} is the configuration, or NULL. The exit status. */
int admin_main(int argc, char **argv, const char *file);

/** Where an answer goes. */
struct admin_sink {
    /** Takes one object. False: nobody is there any more. */
    bool (*put)(void *ctx, json_t *object);

    /** True: the rest is not wanted. Asked before each block. */
    bool (*gone)(void *ctx);
    void *ctx;
};

/** admin_run(c, request, sink): do it; what is put last has "end". */
void admin_run(struct cache *c, const json_t *request,
               const struct admin_sink *sink);

/**
 * admin_start(c, path, out, why, cap):
 * Answer requests at a socket in the folder ${path}, for its owner alone; a
 * few at once, each in a thread of its own at low priority.
 *
 * Errors:  SHOAL_EIO, SHOAL_ENOMEM.
 */
int admin_start(struct cache *c, const char *path, struct admin_server **out,
                char *why, size_t cap);

/** admin_stop(a): ends what is under way, soon; before cache_close(). NULL is
 *  a no-op. */
void admin_stop(struct admin_server *a);

/** admin_connect(path): a connection to that socket; -1: errno. */
int admin_connect(const char *path);

/** admin_send(fd, object): as a line; takes ${object}. False: errno. */
bool admin_send(int fd, json_t *object);

#endif
