
#include "ngx_http_tracker_budget.h"


enum {
    /* sets of a few, so that a look is short however many there are */
    NGX_HTTP_TRACKER_BUDGET_SETS = 512,
    NGX_HTTP_TRACKER_BUDGET_WAYS = 8,

    NGX_HTTP_TRACKER_BUDGET_TIME = 3600 /* s */
};


struct ngx_http_tracker_budget_s {
    uint64_t                      spent;       /* bytes */
    uint32_t                      since;       /* 0: unused */
    u_char                        network[NGX_HTTP_TRACKER_NETWORK_LEN];
};


size_t
ngx_http_tracker_budget_size(void)
{
    return NGX_HTTP_TRACKER_BUDGET_SETS * NGX_HTTP_TRACKER_BUDGET_WAYS
           * sizeof(ngx_http_tracker_budget_t);
}


/* The network's entry, or (where make says so) a new one for it. */
static ngx_http_tracker_budget_t *
ngx_http_tracker_budget_find_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_addr_t *addr, ngx_uint_t make)
{
    u_char                      network[NGX_HTTP_TRACKER_NETWORK_LEN];
    uint32_t                    hash, now;
    ngx_uint_t                  i;
    ngx_http_tracker_budget_t  *b, *set, *oldest;

    ngx_http_tracker_network(addr, network);

    hash = ngx_murmur_hash2(network, sizeof(network));
    set = roster->budgets + hash % NGX_HTTP_TRACKER_BUDGET_SETS
                            * NGX_HTTP_TRACKER_BUDGET_WAYS;

    now = ngx_http_tracker_now();
    oldest = set;

    for (i = 0; i < NGX_HTTP_TRACKER_BUDGET_WAYS; i++) {
        b = &set[i];

        if (b->since
            && ngx_http_tracker_age(now, b->since)
               >= NGX_HTTP_TRACKER_BUDGET_TIME)
        {
            b->since = 0;
        }

        if (b->since
            && ngx_memcmp(b->network, network, sizeof(network)) == 0)
        {
            return b;
        }

        if (b->since < oldest->since) {
            oldest = b;
        }
    }

    if (!make) {
        return NULL;
    }

    oldest->spent = 0;
    oldest->since = now;
    ngx_memcpy(oldest->network, network, sizeof(network));

    return oldest;
}


uint64_t
ngx_http_tracker_budget_spent_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_addr_t *addr)
{
    ngx_http_tracker_budget_t  *b;

    b = ngx_http_tracker_budget_find_locked(roster, addr, 0);

    return b ? b->spent : 0;
}


void
ngx_http_tracker_budget_spend_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_addr_t *addr, uint64_t bytes)
{
    ngx_http_tracker_budget_t  *b;

    b = ngx_http_tracker_budget_find_locked(roster, addr, 1);

    b->spent += ngx_min(bytes, NGX_HTTP_TRACKER_INT64_MAX - b->spent);
}
