#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "given.h"
#include "metalink.h"
#include "name.h"
#include "shoal_internal.h"
#include "transfer.h"

static bool
to_stdout(const struct settings *s)
{
    return s->output_document != NULL && strcmp(s->output_document, "-") == 0;
}

/* -O says that the file is to be made anew, whatever its time. */
static bool
heeds_time(const struct settings *s)
{
    return s->timestamping && s->output_document == NULL;
}

static bool
spare(struct shoal *d, const char *path)
{
    if (!d->settings->no_clobber || access(path, F_OK) != 0) {
        return false;
    }
    shoal_say(d, SHOAL_NOTICE, "file '%s' already there; not retrieving",
              path);
    d->there = d->saved = true;
    return true;
}

static int
create(struct shoal *d, const char *path)
{
    const struct settings *s = d->settings;
    struct file_options fo = {
        .path = path,
        .derived = s->output_document == NULL && !s->timestamping,
        .resume = s->resume,
        .checksum = shoal_checksum(d),
        .stop = &d->cancelled,
    };

    d->file = file_create(&fo);
    return d->file != NULL ? 0 : SHOAL_ENOMEM;
}

/* As the user says, as the Metalink does, or as the URL. To be freed; NULL: no
 * memory. */
static char *
choose_path(const struct shoal *d)
{
    const struct settings *s = d->settings;
    const struct metalink_file *f = given_file(d->given);
    const char *dir = s->directory_prefix;
    char *path;

    if (f == NULL || s->output_document != NULL) {
        return name_output(d->clean, s->output_document, dir);
    }
    if (asprintf(&path, "%s%s%s", dir != NULL ? dir : "",
                 dir != NULL ? "/" : "", f->name)
        < 0)
    {
        return NULL;
    }
    return path;
}

int
output_open(struct shoal *d)
{
    const struct settings *s = d->settings;
    char *path = NULL;

    if (s->resume && to_stdout(s)) {
        shoal_say(d, SHOAL_WARNING,
                  "continue does nothing together with output-document -");
    }
    if (s->timestamping && s->output_document != NULL) {
        shoal_say(d, SHOAL_WARNING,
                  "timestamping does nothing together with output-document");
    }
    if (!to_stdout(s)) {
        path = choose_path(d);
        if (path == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    if (s->directory_prefix != NULL && s->output_document == NULL
        && !s->spider) {
        mkdir(s->directory_prefix, 0777); /* what is wrong shows at open */
    }
    int err = create(d, path);
    if (err == 0 && path != NULL && !s->spider) {
        spare(d, path);
    }
    free(path);
    return err;
}

bool
output_resumes(const struct shoal *d)
{
    return file_promising(d->file)
           || (heeds_time(d->settings)
               && access(file_path(d->file), F_OK) == 0);
}

/* As wget: of the same size, and not older. */
static bool
is_fresh(struct shoal *d, uint64_t size)
{
    int64_t mtime = transfer_mtime(d->transfer);
    const char *path = file_path(d->file);
    struct stat st;

    if (!heeds_time(d->settings) || mtime < 0 || stat(path, &st) != 0
        || !S_ISREG(st.st_mode) || st.st_mtime < mtime
        || (size != UINT64_MAX && (uint64_t) st.st_size != size))
    {
        return false;
    }
    shoal_say(d, SHOAL_NOTICE,
              "server's file is no newer than '%s'; not retrieving", path);
    d->there = d->saved = true;
    return true;
}

/* The name is a plain one: disposition.h saw to that. */
static int
take_name(struct shoal *d)
{
    const char *dir = d->settings->directory_prefix;
    const char *name = transfer_name(d->transfer);
    char *path;

    if (asprintf(&path, "%s%s%s", dir != NULL ? dir : "",
                 dir != NULL ? "/" : "", name)
        < 0)
    {
        return SHOAL_ENOMEM;
    }
    int err = file_rename(d->file, path);
    if (err == 0 && spare(d, path)) {
        err = SHOAL_ESTOPPED;
    }
    free(path);
    return err;
}

int
output_settle(struct shoal *d, uint64_t size)
{
    const struct settings *s = d->settings;
    int err = 0;

    if (d->settled) {
        return 0; /* another version of the file: its name stays */
    }
    d->settled = true;
    if (s->content_disposition && s->output_document == NULL
        && *transfer_name(d->transfer) != '\0')
    {
        err = take_name(d);
    }
    if (err == 0 && is_fresh(d, size)) {
        err = SHOAL_ESTOPPED;
    }
    return err;
}
