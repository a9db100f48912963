/* holder.h - another process keeps the cache from committing anything. */
#ifndef HOLDER_H
#define HOLDER_H

#include <sys/wait.h>
#include <unistd.h>

#include <lmdb.h>

#include "cache_unit.h"

/* Another process holds LMDB's writer lock until it is let go. */
struct holder {
    pid_t pid;
    int pipe[2];
};

static inline void
hold(const struct holder *h, int ready)
{
    MDB_env *env;
    MDB_txn *txn;
    char byte = 0;

    if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 8) != 0
        || mdb_env_open(env, folder, MDB_NOTLS | MDB_NOSYNC, 0600) != 0
        || mdb_txn_begin(env, NULL, 0, &txn) != 0
        || write(ready, &byte, 1) != 1)
    {
        _exit(1);
    }
    byte = read(h->pipe[0], &byte, 1) == 0;
    mdb_txn_abort(txn);
    _exit(0);
}

static inline void
hold_writer(struct holder *h)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(h->pipe), 0);
    assert_int_equal(pipe(ready), 0);
    h->pid = fork();
    assert_true(h->pid >= 0);
    if (h->pid == 0) {
        close(h->pipe[1]);
        hold(h, ready[1]);
    }
    close(h->pipe[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
}

static inline void
let_go(struct holder *h)
{
    int status = 1;

    close(h->pipe[1]);
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    assert_int_equal(status, 0);
}

#endif
