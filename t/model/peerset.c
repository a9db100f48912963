
/*
 * The store's sets of peers against a list that is searched from end to end:
 * what is put, seen again, deleted and expired at random, with memory that
 * runs out at random and a clock that goes on, in sets of all sizes.
 * usage: peerset [SEED [STEPS]]; the last line is "ok" when all agreed.
 */


#include "ngx_http_tracker_peerset_shm.h"


enum {
    MODEL_MAX = 70000,
    MODEL_PICK = 200,
    MODEL_FILL = 45000,
    MODEL_FILLS = 20
};


typedef struct {
    u_char                        addr[16];
    in_port_t                     port;
    uint32_t                      at;          /* s */
    uint32_t                      late;        /* s: may be taken for this */
    ngx_uint_t                    complete;
} model_peer_t;


static model_peer_t     model[MODEL_MAX];
static ngx_uint_t       nmodel;

static ngx_slab_pool_t  pool;
static ngx_uint_t       allocated;
static ngx_uint_t       short_of;    /* one of so many allocations fails */
static uint64_t         state;

ngx_module_t  ngx_http_tracker_module;


static uint64_t
rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return (state >> 11) % n;
}


/* What the files under test take of nginx. */

void *
ngx_slab_calloc_locked(ngx_slab_pool_t *p, size_t size)
{
    void  *mem;

    if (short_of && rnd(short_of) == 0) {
        return NULL;
    }

    mem = calloc(1, size);
    allocated += (mem != NULL);

    return mem;
}


void
ngx_slab_free_locked(ngx_slab_pool_t *p, void *mem)
{
    allocated--;
    free(mem);
}


uint32_t
ngx_murmur_hash2(u_char *data, size_t len)
{
    return len ? data[0] : 0;
}


static void
wrong(const char *what, uint64_t a, uint64_t b)
{
    printf("%s: %llu, should be %llu\n", what, (unsigned long long) a,
           (unsigned long long) b);
    exit(1);
}


static void
same(const char *what, uint64_t a, uint64_t b)
{
    if (a != b) {
        wrong(what, a, b);
    }
}


/* Few addresses, so that most are met again. */
static void
somebody(ngx_http_tracker_peer_t *peer, size_t alen, ngx_uint_t crowd)
{
    uint32_t  n;

    n = (uint32_t) rnd(crowd);

    ngx_memzero(peer, sizeof(ngx_http_tracker_peer_t));
    peer->addr.family = (alen == 4) ? 4 : 6;
    ngx_memcpy(peer->addr.bytes + alen - 4, &n, 4);
    peer->port = (in_port_t) (1 + n % 3);
    peer->complete = rnd(3) == 0;
    peer->have = (uint8_t) rnd(3);
    peer->near = (uint8_t) rnd(64);
}


static model_peer_t *
known(ngx_http_tracker_peer_t *peer)
{
    ngx_uint_t  i;

    for (i = 0; i < nmodel; i++) {
        if (model[i].port == peer->port
            && ngx_memcmp(model[i].addr, peer->addr.bytes, 16) == 0)
        {
            return &model[i];
        }
    }

    return NULL;
}


static void
put(ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px, uint32_t now,
    ngx_http_tracker_peer_t *peer)
{
    ngx_int_t      rc;
    model_peer_t  *m;

    m = known(peer);
    rc = ngx_http_tracker_peerset_put_locked(set, px, peer);

    if (rc != NGX_OK) {
        same("refused, with memory", short_of > 0 || rc == NGX_BUSY, 1);
        same("refused, though known", m != NULL, 0);
        return;
    }

    if (m == NULL) {
        m = &model[nmodel++];
        ngx_memcpy(m->addr, peer->addr.bytes, 16);
        m->port = peer->port;
    }

    m->at = now;
    m->late = now;
    m->complete = peer->complete;
}


static void
del(ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px,
    ngx_http_tracker_peer_t *peer)
{
    ngx_uint_t     rc;
    model_peer_t  *m;

    m = known(peer);
    rc = ngx_http_tracker_peerset_del_locked(set, px, peer);

    same("deleted", rc, m ? 1 + m->complete : 0);

    if (m) {
        *m = model[--nmodel];
    }
}


/* Whoever went was old enough; of all places, no old one stays. */
static void
expire(ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px,
    uint32_t now, ngx_uint_t places, uint32_t ttl)
{
    uint32_t                  age, unit;
    ngx_uint_t                i, n, gone;
    ngx_http_tracker_peer_t   peer;

    n = 0;
    unit = (uint32_t) 1 << px->shift;

    gone = ngx_http_tracker_peerset_expire_locked(set, px, places);

    for (i = nmodel; i-- > 0; /* void */ ) {

        ngx_memcpy(peer.addr.bytes, model[i].addr, 16);

        age = now - model[i].at;

        if (ngx_http_tracker_peerset_has_locked(set, px, &peer.addr,
                                                model[i].port))
        {
            if (places >= NGX_HTTP_TRACKER_PEERS_MAX
                && gone < NGX_HTTP_TRACKER_PEERS_REMOVE
                && now - model[i].late > ttl + 2 * unit)
            {
                wrong("stays, with an age of", age, ttl);
            }

            continue;
        }

        if (age < ttl) {
            wrong("went, with an age of", age, ttl);
        }

        model[i] = model[--nmodel];
        n++;
    }

    same("went", gone, n);
}


static void
pick(ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px,
    ngx_http_tracker_peer_t *asker)
{
    ngx_uint_t                i, k, n;
    ngx_http_tracker_pick_t   what;
    ngx_http_tracker_peer_t   peers[MODEL_PICK];

    what.asker = asker;
    what.peers = peers;
    what.n = rnd(MODEL_PICK + 1);

    for (i = 0; i < MODEL_PICK; i++) {
        ngx_memzero(&peers[i], sizeof(ngx_http_tracker_peer_t));
    }

    n = ngx_http_tracker_peerset_pick_locked(set, px, &what);

    if (n > what.n) {
        wrong("picked", n, what.n);
    }

    for (i = 0; i < n; i++) {
        same("picked one that is there", known(&peers[i]) != NULL, 1);
        same("picked the asker", peers[i].port == asker->port
             && ngx_memcmp(peers[i].addr.bytes, asker->addr.bytes, 16) == 0, 0);

        for (k = 0; k < i; k++) {
            same("picked twice", ngx_memcmp(&peers[i].addr, &peers[k].addr,
                                            sizeof(peers[i].addr)) == 0, 0);
        }
    }
}


static void
compare(ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px)
{
    ngx_uint_t                i, complete;
    ngx_http_tracker_peer_t   peer;

    complete = 0;

    for (i = 0; i < nmodel; i++) {
        ngx_memcpy(peer.addr.bytes, model[i].addr, 16);
        complete += model[i].complete;
        same("there", ngx_http_tracker_peerset_has_locked(set, px, &peer.addr,
                                                          model[i].port), 1);
    }

    same("in all", set->n, nmodel);
    same("complete", set->complete, complete);
    same("memory", allocated, set->slots ? 1 + set->pages : 0);
    same("none, no memory", set->n == 0 && set->slots, 0);
}


/* Another interval, as after a reload; who is old may begin again. */
static void
change(ngx_http_tracker_px_t *px, uint32_t *ttl, uint32_t now)
{
    uint32_t    unit;
    ngx_uint_t  i;

    *ttl = (uint32_t) (1 + rnd(2000));

    for (i = 0; i < nmodel; i++) {
        model[i].late = now;
    }

    px->shift = (uint32_t) ngx_http_tracker_peerset_shift(*ttl);
    unit = (uint32_t) 1 << px->shift;
    px->ttl = (*ttl + unit - 1) >> px->shift;
}


static void
run(size_t alen, ngx_uint_t crowd, ngx_uint_t steps)
{
    uint32_t                     now, ttl, swept, least;
    ngx_uint_t                   i, joins;
    ngx_http_tracker_px_t        px;
    ngx_http_tracker_peer_t      peer;
    ngx_http_tracker_peerset_t   set;

    ngx_memzero(&set, sizeof(set));
    ngx_memzero(&px, sizeof(px));
    nmodel = 0;
    joins = 50;
    now = (uint32_t) rnd(100000) + 1;
    swept = now;

    px.shpool = &pool;
    px.alen = (uint32_t) alen;
    px.seed = rnd((uint64_t) -1);
    change(&px, &ttl, now);

    for (i = 0; i < steps; i++) {

        if (i % (crowd * 2) == 0) {
            joins = 10 + rnd(80);
            short_of = rnd(3) ? 0 : 1 + rnd(20);
        }

        if (rnd(crowd) == 0) {
            now += (uint32_t) rnd(ttl / 4 + 2);
        }

        if (rnd(crowd * 10) == 0) {
            change(&px, &ttl, now);
        }

        px.tick = now >> px.shift;
        ngx_http_tracker_peerset_shift_locked(&set, &px, now);

        somebody(&peer, alen, crowd);

        if (rnd(100) < joins) {
            put(&set, &px, now, &peer);

        } else {
            del(&set, &px, &peer);
        }

        least = ngx_max(ttl / 2, 1);

        if (now - swept >= least) {
            expire(&set, &px, now, NGX_HTTP_TRACKER_PEERS_MAX, ttl);
            swept = now;
        }

        if (rnd(crowd) < 20) {
            expire(&set, &px, now, NGX_HTTP_TRACKER_PEERS_EXPIRE, ttl);
            pick(&set, &px, &peer);
            compare(&set, &px);
        }
    }

    ngx_http_tracker_peerset_free_locked(&set, px.shpool);
    same("left", allocated, 0);
}


/* With memory nobody is refused, however they fall into pages. */
static void
fill(void)
{
    ngx_uint_t                   i;
    ngx_http_tracker_px_t        px;
    ngx_http_tracker_peer_t      peer;
    ngx_http_tracker_peerset_t   set;

    ngx_memzero(&set, sizeof(set));
    ngx_memzero(&px, sizeof(px));
    short_of = 0;

    px.shpool = &pool;
    px.alen = 16;
    px.ttl = 30;
    px.seed = rnd((uint64_t) -1);

    for (i = 1; i <= MODEL_FILL; i++) {
        somebody(&peer, 16, (ngx_uint_t) 1 << 40);
        ngx_memcpy(peer.addr.bytes, &i, sizeof(i));
        same("refused", ngx_http_tracker_peerset_put_locked(&set, &px, &peer)
                        != NGX_OK, 0);
        same("in all", set.n, i);
    }

    ngx_http_tracker_peerset_free_locked(&set, px.shpool);
}


int
main(int argc, char **argv)
{
    size_t      alen;
    ngx_uint_t  i, steps;

    static ngx_uint_t  crowds[] = { 3, 9, 20, 100, 400, 1000, 3000 };

    pool.pfree = MODEL_MAX;
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    steps = argc > 2 ? strtoull(argv[2], NULL, 10) : 30000;
    state = state * 0x9e3779b97f4a7c15ull | 1;
    srandom((unsigned) state);

    for (alen = 4; alen <= 16; alen += 12) {
        for (i = 0; i < sizeof(crowds) / sizeof(crowds[0]); i++) {
            run(alen, crowds[i], steps);
        }
    }

    for (i = 0; i < MODEL_FILLS; i++) {
        fill();
    }

    printf("ok\n");

    return 0;
}
