/* prefetch_report.c - what trackers are told of files, and what is known
 * without asking CDN nodes. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "clock.h"
#include "guard.h"
#include "log.h"
#include "news.h"
#include "prefetch_internal.h"

void
report_item(struct prefetch *p, const uint8_t id[20], struct news_item *item)
{
    memcpy(item->id, id, sizeof(item->id));
    p->report(p->ctx, item);
}

bool
report_complete(struct prefetch *p, const uint8_t id[20])
{
    struct news_item item = { .kind = NEWS_HELD };
    struct cache_info info;

    if (cache_pin_complete(p->cache, id, &info) != 0) {
        return false;
    }
    item.empty = info.blocks == 0;
    item.copy = info.copy;
    item.plain = info.plain;
    memcpy(item.root, info.root, sizeof(item.root));
    cache_info_fini(&info);
    report_item(p, id, &item);
    return true;
}

void
report_refused(struct prefetch *p, const struct resource *r,
               enum prefetch_reason reason, const char *why)
{
    const char *word = prefetch_reasons[reason];
    struct news_item item = { .kind = NEWS_REFUSED, .reason = word };
    struct prefetch_refusal refusal = { .reason = word,
                                        .when = (uint64_t) time(NULL) };
    char url[LOG_URL_MAX];

    log_url(r->url, url);
    log_line(LOG_LEVEL_WARN, r->id, "prefetch %s: refused: %s: %s", url, word,
             why);
    memcpy(refusal.id, r->id, sizeof(refusal.id));
    snprintf(refusal.url, sizeof(refusal.url), "%.*s",
             (int) sizeof(refusal.url) - 1, url);
    snprintf(refusal.why, sizeof(refusal.why), "%s", why);
    pthread_mutex_lock(&p->lock);
    refusals_add(&p->refusals, &refusal, clock_ms());
    p->stats.refused[reason]++;
    pthread_mutex_unlock(&p->lock);
    report_item(p, r->id, &item);
}

bool
report_remembered(struct prefetch *p, const uint8_t id[20])
{
    struct news_item item = { .kind = NEWS_REFUSED };

    pthread_mutex_lock(&p->lock);
    struct prefetch_refusal *r = refusals_find(&p->refusals, id, clock_ms());
    if (r != NULL) {
        item.reason = r->reason;
        r->repeats++;
        p->stats.remembered++;
    }
    pthread_mutex_unlock(&p->lock);
    if (r == NULL) {
        return false;
    }
    report_item(p, id, &item);
    return true;
}

/* True: refused before a byte was asked for. */
static bool
refused_at_once(struct prefetch *p, const struct resource *r)
{
    struct prefetch_settings *s = prefetch_settings_get(p);
    bool allowed = prefetch_settings_allow(s, r->url);

    prefetch_settings_free(s);
    if (!allowed) {
        report_refused(p, r, REASON_ORIGIN, "not an allowed origin");
        return true;
    }
    if (cache_too_large(p->cache, r->size)) {
        report_refused(p, r, REASON_TOOLARGE, "above 80 % of the cache");
        return true;
    }
    return false;
}

bool
report_needless(struct prefetch *p, const struct resource *r)
{
    return report_complete(p, r->id) || refused_at_once(p, r);
}
