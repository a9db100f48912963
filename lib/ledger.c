#include "ledger.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blockmap.h"
#include "clock.h"
#include "control.h"
#include "digest.h"
#include "io.h"
#include "quick.h"
#include "shoal.h"
#include "worker.h"

enum {
    SAVE_MS = 2000, /* between two control files */
    SAVE_SHARE = 50 /* of the time, at most one part in that many */
};

/* What happened to a block; while the next control file is being written,
 * it is told by the one that is there, and then by the next. */
struct event {
    uint32_t block;
    bool held, layered; /* its hash: a piece layer's, or a quick one */
    uint8_t hash[DIGEST_LEN];
};

struct place {
    int fd;
    uint64_t log, end; /* the number of records there, and the next one's */
};

struct ledger {
    char *path;
    int data_fd; /* borrowed */
    const struct resource *resource;
    struct control_blocks blocks;
    bool news; /* since the last one was begun */
    bool lost; /* records that could not be written */

    struct worker *worker;
    struct worker_task task; /* it has this one while ${saving} */
    bool saving;
    struct control_text text;
    int error; /* of the last one, an errno */
    uint64_t took_ms, due_ms;

    pthread_mutex_t lock; /* of all below */
    struct place at;
    bool logging; /* events are wanted */
    struct event *events;
    size_t n_events, cap_events;
};

/* Again at the same place if it fails: half a record would hide the next. */
static int
append_locked(struct ledger *l, const struct event *e)
{
    uint8_t record[CONTROL_RECORD];

    control_record(l->at.log, e->block, e->held && e->layered ? e->hash : NULL,
                   e->held && !e->layered ? e->hash : NULL, record);
    int err = io_write_at(l->at.fd, l->at.end, record, sizeof(record));
    if (err == 0) {
        l->at.end += sizeof(record);
    }
    return err;
}

static bool
keep_event_locked(struct ledger *l, const struct event *e)
{
    if (l->n_events == l->cap_events) {
        size_t cap = l->cap_events > 0 ? 2 * l->cap_events : 64;
        struct event *list = realloc(l->events, cap * sizeof(*list));

        if (list == NULL) {
            return false;
        }
        l->events = list;
        l->cap_events = cap;
    }
    l->events[l->n_events++] = *e;
    return true;
}

static void
tell(struct ledger *l, const struct event *e)
{
    pthread_mutex_lock(&l->lock);
    bool kept = !l->logging || keep_event_locked(l, e);
    bool written = append_locked(l, e) == 0;
    pthread_mutex_unlock(&l->lock);
    l->lost = l->lost || !kept || !written;
    l->news = true;
}

void
ledger_held(struct ledger *l, uint32_t block)
{
    const uint8_t *hash = l->blocks.layer + (size_t) block * DIGEST_LEN;
    struct event e = { .block = block, .held = true };

    e.layered = !digest_is_zero(hash);
    if (e.layered) {
        memcpy(e.hash, hash, DIGEST_LEN);
    } else {
        memcpy(e.hash, l->blocks.quick + (size_t) block * QUICK_LEN,
               QUICK_LEN);
    }
    tell(l, &e);
}

void
ledger_dropped(struct ledger *l, uint32_t block)
{
    tell(l, &(struct event){ .block = block });
}

static bool
replay_locked(struct ledger *l)
{
    for (size_t i = 0; i < l->n_events; i++) {
        if (append_locked(l, &l->events[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The new one, in ${fd}, is complete but for what happened meanwhile. Errno. */
static int
take_over(struct ledger *l, int fd)
{
    pthread_mutex_lock(&l->lock);
    struct place old = l->at, next = { fd, l->text.log, l->text.len };
    int saved = 0, useless = old.fd;

    l->at = next;
    if (!replay_locked(l) || control_replace(l->path) != 0) {
        saved = errno;
        l->at = old;
        useless = fd;
    }
    l->logging = false;
    l->n_events = 0;
    pthread_mutex_unlock(&l->lock);
    if (useless >= 0) {
        close(useless);
    }
    return saved;
}

/* Data first: what the file says is on disk when the file is. Errno. */
static int
write_anew(struct ledger *l, bool sync)
{
    if (sync && fdatasync(l->data_fd) != 0 && errno != EINVAL) {
        return errno;
    }
    int fd = control_create(l->path, &l->text, sync);
    return fd >= 0 ? take_over(l, fd) : errno;
}

static void
run_save(struct worker_task *task)
{
    struct ledger *l =
        (struct ledger *) ((char *) task - offsetof(struct ledger, task));
    uint64_t start = clock_ms();

    l->error = write_anew(l, true);
    l->took_ms = clock_ms() - start;
}

static void
end_save(struct ledger *l)
{
    uint64_t wait = l->took_ms * SAVE_SHARE;

    free(l->text.data);
    l->text.data = NULL;
    l->saving = false;
    l->lost = l->lost || l->error != 0;
    l->due_ms = clock_ms() + (wait > SAVE_MS ? wait : SAVE_MS);
}

/* From now on events count as news. */
static int
prepare(struct ledger *l)
{
    if (control_make(l->resource, &l->blocks, &l->text) != 0) {
        return ENOMEM;
    }
    pthread_mutex_lock(&l->lock);
    l->logging = true;
    l->n_events = 0;
    pthread_mutex_unlock(&l->lock);
    l->news = l->lost = false;
    return 0;
}

static int
save_now(struct ledger *l, bool sync)
{
    int saved = prepare(l);

    if (saved == 0) {
        saved = write_anew(l, sync);
        free(l->text.data);
        l->text.data = NULL;
    }
    l->lost = saved != 0;
    return saved;
}

struct ledger *
ledger_create(const char *path, int fd, const struct resource *r,
              const struct control_blocks *blocks)
{
    struct ledger *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->at.fd = -1;
    l->data_fd = fd;
    l->resource = r;
    l->blocks = *blocks;
    l->due_ms = clock_ms() + SAVE_MS;
    l->path = strdup(path);
    /* One that claims nothing need not be on disk. */
    int saved = l->path != NULL ? save_now(l, blocks->held->held > 0) : ENOMEM;
    if (saved != 0) {
        ledger_free(l);
        errno = saved;
        return NULL;
    }
    return l;
}

/* What is being written, if anything is, gets written. */
static void
await(struct ledger *l)
{
    if (l->saving) {
        worker_wait(l->worker, 0);
        worker_take(l->worker);
        end_save(l);
    }
}

void
ledger_free(struct ledger *l)
{
    if (l == NULL) {
        return;
    }
    await(l);
    worker_free(l->worker);
    if (l->at.fd >= 0) {
        close(l->at.fd);
    }
    pthread_mutex_destroy(&l->lock);
    free(l->events);
    free(l->path);
    free(l);
}

void
ledger_save(struct ledger *l)
{
    if (l->saving && worker_take(l->worker) != NULL) {
        end_save(l);
    }
    if (l->saving || !(l->news || l->lost) || clock_ms() < l->due_ms) {
        return;
    }
    if (l->worker == NULL) {
        l->worker = worker_create();
    }
    if (l->worker == NULL || prepare(l) != 0) {
        return; /* the next time may be better */
    }
    l->saving = true;
    l->task.run = run_save;
    worker_add(l->worker, &l->task);
    worker_start(l->worker);
}

int
ledger_settle(struct ledger *l)
{
    await(l);
    if (!l->lost) {
        return 0;
    }
    errno = save_now(l, true);
    return errno == 0 ? 0 : SHOAL_EIO;
}
