/* The progress bar at every width, and rows of dots. */
#include "unit.h"

#include <wchar.h>

#include "../../client/progress.h"
#include "../../client/text.h"
#include "shoal.h"

enum {
    MIB = 1 << 20
};

static const struct progress_choice bar = { PROGRESS_FORCED_BAR, NULL };
static const struct progress_choice dots = { PROGRESS_DOT, NULL };

static struct shoal_progress
at(double seconds, uint64_t held, uint64_t size)
{
    return (struct shoal_progress){
        .stage = SHOAL_FETCHING,
        .file = "dir/\303\274name.iso",
        .size = size,
        .held = held,
        .used = { held, 0, 0 },
        .seconds = seconds,
    };
}

static unsigned
columns_of(const char *text)
{
    wchar_t wide[TEXT_MAX];

    assert_true(mbstowcs(wide, text, TEXT_MAX) < TEXT_MAX);
    return (unsigned) wcswidth(wide, TEXT_MAX);
}

static void
widths(void **state)
{
    char line[TEXT_MAX];
    struct progress p;
    FILE *f = tmpfile();

    (void) state;
    progress_start(&p, &bar, f);
    for (unsigned columns = 4; columns <= PROGRESS_COLUMNS_MAX; columns++) {
        struct shoal_progress now = at(10, 50 * MIB, 100 * MIB);

        progress_bar(&p, &now, columns, false, line);
        assert_int_equal(columns_of(line), columns);
        assert_non_null(strstr(line, "50%"));
        now.size = SHOAL_UNKNOWN;
        progress_bar(&p, &now, columns, true, line);
        assert_int_equal(columns_of(line), columns);
        assert_null(strchr(line, '%'));
    }
    fclose(f);
}

/* What is drawn in these moments, in a terminal of so many columns. */
static void
draw(const struct shoal_progress *now, size_t n, bool ended, char *out,
     size_t cap)
{
    const struct progress_choice *choice = &bar;
    struct progress p;
    FILE *f = tmpfile();

    progress_start(&p, choice, f);
    for (size_t i = 0; i < n; i++) {
        progress_show(&p, &now[i]);
    }
    if (ended) {
        progress_end(&p, &now[n - 1]);
    }
    rewind(f);
    size_t len = fread(out, 1, cap - 1, f);
    out[len] = '\0';
    fclose(f);
}

static void
pictures(void **state)
{
    char out[8192];
    struct shoal_progress now[40];
    size_t n = 0, drawn = 0;

    (void) state;
    setenv("COLUMNS", "80", 1);
    for (; n < 40; n++) { /* every 50 ms, 1 MiB/s */
        now[n] = at((double) n * 0.05, n * MIB / 20, 10 * MIB);
        now[n].used[SHOAL_SUPER] = now[n].held / 2;
        now[n].used[SHOAL_CDN] = now[n].held - now[n].held / 2;
    }
    draw(now, n, true, out, sizeof(out));
    for (const char *c = out; (c = strchr(c, '\r')) != NULL; c++) {
        drawn++;
    }
    assert_in_range(drawn, 20, 22); /* ten a second, and the last one */
    assert_non_null(strstr(out, "1.00MB/s"));
    assert_non_null(strstr(out, "eta 9s"));
    assert_non_null(strstr(out, "peers  50%"));
    assert_non_null(strstr(out, "[=>"));
    assert_non_null(strstr(out, "in 2.0s"));
    assert_int_equal(out[strlen(out) - 1], '\n');
}

static void
edges(void **state)
{
    char out[8192];
    struct shoal_progress now[3];

    (void) state;
    setenv("COLUMNS", "80", 1);
    now[0] = at(0.5, 0, 0); /* an empty file */
    draw(now, 1, false, out, sizeof(out));
    assert_non_null(strstr(out, "100%["));

    now[0] = at(1, 6 * MIB, 10 * MIB); /* what an earlier run left */
    now[0].resumed = 5 * MIB;
    draw(now, 1, false, out, sizeof(out));
    assert_non_null(strstr(out, "[++"));
    assert_non_null(strstr(out, "1.00MB/s"));

    now[0] = at(1, 6 * MIB, 10 * MIB); /* thrown away again */
    now[1] = at(1.2, 0, 10 * MIB);
    now[2] = at(9, 0, 10 * MIB);
    draw(now, 3, false, out, sizeof(out));
    assert_non_null(strstr(out, "--.-KB/s"));

    now[0] = at(1, 0, 10 * MIB); /* nothing came: nothing is said */
    now[0].stage = SHOAL_STARTING;
    draw(now, 1, true, out, sizeof(out));
    assert_string_equal(out, "");
}

static size_t
rows_of(uint64_t size, uint64_t step, char *out, size_t cap)
{
    struct progress p;
    struct shoal_progress now = at(0, 0, size);
    FILE *f = tmpfile();
    size_t rows = 0;

    progress_start(&p, &dots, f);
    for (uint64_t held = 0; held <= size; held += step) {
        now = at(1 + (double) held / MIB, held, size);
        progress_show(&p, &now);
    }
    now = at(2 + (double) size / MIB, size, size);
    progress_end(&p, &now);
    rewind(f);
    size_t len = fread(out, 1, cap - 1, f);
    out[len] = '\0';
    for (const char *c = out; (c = strchr(c, '\n')) != NULL; c++) {
        rows++;
    }
    fclose(f);
    return rows;
}

static void
dotted(void **state)
{
    static char out[1 << 16];
    const uint64_t sizes[] = { 1000, 100000, 1 << 20, 20 << 20, 1 << 30 };

    (void) state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t rows = rows_of(sizes[i], sizes[i] / 10, out, sizeof(out));

        assert_in_range(rows, 1, 50); /* whatever the size is */
        assert_non_null(strstr(out, "100%"));
    }
    rows_of(100 * 1024, 50 * 1024, out, sizeof(out));
    assert_memory_equal(out,
                        "     0K .......... .......... .......... "
                        ".......... ..........  50%",
                        strlen("     0K") + 5 * 11 + 5);
}

static void
interrupted(void **state)
{
    char out[8192] = "";
    struct progress p;
    FILE *f = tmpfile();
    struct shoal_progress now = at(1, 15 * 1024, 100 * 1024);

    (void) state;
    progress_start(&p, &dots, f);
    progress_show(&p, &now);
    progress_interrupt(&p);
    fputs("said\n", f);
    now = at(2, 20 * 1024, 100 * 1024);
    progress_show(&p, &now);
    rewind(f);
    assert_int_not_equal(fread(out, 1, sizeof(out) - 1, f), 0);
    assert_string_equal(out, "     0K .......... .....\nsaid\n"
                             "     0K                 .....");
    fclose(f);
}

static void
parse(void **state)
{
    const struct {
        const char *text;
        enum progress_style style;
    } good[] = {
        { "bar", PROGRESS_BAR },          { "bar:force", PROGRESS_FORCED_BAR },
        { "dot", PROGRESS_DOT },          { "dot:mega", PROGRESS_DOT },
        { "bar:noscroll", PROGRESS_BAR }, { "none", PROGRESS_NONE },
    };
    const char *const bad[] = { "", "ba", "bars", "dot:", "dot:huge", "DOT" };
    struct progress_choice c;

    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(progress_parse(good[i].text, &c), 0);
        assert_int_equal(c.style, good[i].style);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(progress_parse(bad[i], &c), SHOAL_EINVAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),      cmocka_unit_test(pictures),
        cmocka_unit_test(edges),       cmocka_unit_test(dotted),
        cmocka_unit_test(interrupted), cmocka_unit_test(parse),
    };

    unsetenv("LC_ALL");
    text_locale();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
