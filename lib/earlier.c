#include "earlier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blockmap.h"
#include "control.h"
#include "digest.h"
#include "io.h"
#include "part.h"
#include "quick.h"
#include "resource.h"
#include "shoal.h"

static bool
is_stopped(const struct earlier *e)
{
    return e->part->stop != NULL && *e->part->stop;
}

/* Are these the bytes that the control file was written for? */
static bool
is_right(const struct control_blocks *told, uint32_t block, const uint8_t *buf,
         size_t len)
{
    const uint8_t *hash = told->layer + (size_t) block * DIGEST_LEN;
    const uint8_t *quick = told->quick + (size_t) block * QUICK_LEN;
    const struct blockmap *map = told->held;
    uint8_t sum[DIGEST_LEN];

    if (digest_is_zero(hash)) {
        quick_hash(buf, len, sum);
        return memcmp(sum, quick, QUICK_LEN) == 0;
    }
    return digest_block(buf, len, map->size, map->block_size, sum) == 0
           && memcmp(sum, hash, DIGEST_LEN) == 0;
}

static int
check_blocks(const struct earlier *e, const struct control_blocks *told)
{
    const struct blockmap *map = told->held;
    uint8_t *buf = malloc(map->block_size);
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;

    for (uint32_t i = 0; err == 0 && i < map->count; i++) {
        size_t len = blockmap_length(map, i);
        const uint8_t *hash = told->layer + (size_t) i * DIGEST_LEN;

        if (is_stopped(e)) {
            err = SHOAL_ESTOPPED;
        } else if (blockmap_has(map, i)
                   && io_read_at(e->part->fd, blockmap_offset(map, i), buf,
                                 len)
                          == 0
                   && is_right(told, i, buf, len))
        {
            e->held(e->ctx, i, digest_is_zero(hash) ? NULL : hash,
                    told->quick + (size_t) i * QUICK_LEN);
        }
    }
    free(buf);
    return err;
}

int
earlier_part(const struct earlier *e)
{
    struct blockmap map;
    int err = blockmap_init(&map, e->resource->size);

    if (err != 0) {
        return err;
    }
    struct control_blocks told = {
        .held = &map,
        .layer = calloc((size_t) map.count + 1, DIGEST_LEN),
        .quick = calloc((size_t) map.count + 1, QUICK_LEN),
    };
    if (told.layer == NULL || told.quick == NULL) {
        err = SHOAL_ENOMEM;
    } else if (control_load(e->part->ctl, e->resource, &told) == 0) {
        err = check_blocks(e, &told);
    }
    free(told.layer);
    free(told.quick);
    blockmap_fini(&map);
    return err;
}

static int
copy_blocks(const struct earlier *e, int fd, uint64_t size)
{
    uint64_t block = blockmap_block_size(e->resource->size);
    uint8_t quick[QUICK_LEN], *buf = malloc(block);
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;

    for (uint32_t i = 0; err == 0 && (i + 1) * block <= size; i++) {
        if (is_stopped(e)) {
            err = SHOAL_ESTOPPED;
        } else if (io_read_at(fd, i * block, buf, block) != 0) {
            break; /* it became shorter */
        } else if (io_write_at(e->part->fd, i * block, buf, block) != 0) {
            err = part_fail_errno(e->part, part_label(e->part));
        } else {
            quick_hash(buf, block, quick);
            e->held(e->ctx, i, NULL, quick);
        }
    }
    free(buf);
    return err;
}

int
earlier_seed(const struct earlier *e)
{
    FILE *from = fopen(e->part->path, "re");
    struct stat st;

    if (from == NULL || fstat(fileno(from), &st) != 0) {
        int err = part_fail_errno(e->part, e->part->path);

        if (from != NULL) {
            fclose(from);
        }
        return err;
    }
    int err = copy_blocks(e, fileno(from), (uint64_t) st.st_size);
    fclose(from);
    return err;
}
