#include <stddef.h>

#include "shoal.h"

static const struct {
    int err;
    const char *text;
} texts[] = {
    { SHOAL_OK, "no error" },
    { SHOAL_ENOMEM, "out of memory" },
    { SHOAL_EINVAL, "invalid argument" },
    { SHOAL_EIO, "input/output error" },
    { SHOAL_EFULL, "no space left" },
    { SHOAL_ENOTFOUND, "not found" },
    { SHOAL_ENET, "network error" },
    { SHOAL_ETLS, "certificate not verified" },
    { SHOAL_EAUTH, "authorization required" },
    { SHOAL_EPROTO, "protocol error" },
    { SHOAL_EHTTP, "HTTP error" },
    { SHOAL_EVERIFY, "verification failed" },
    { SHOAL_ENOAGREE, "no CDN node has that size and version" },
    { SHOAL_EDENIED, "not allowed" },
    { SHOAL_ESTOPPED, "stopped" },
    { SHOAL_EPRIVATE, "private" },
    { SHOAL_ECONNECT, "cannot connect" },
    { SHOAL_EBUSY, "too many connections" },
    { SHOAL_EAGAIN, "not done yet" },
};

const char *
shoal_strerror(int err)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].err == err) {
            return texts[i].text;
        }
    }
    return "unknown error";
}
