
/*
 * tracker_fuzz ARGV...; in http{} runs libFuzzer with these arguments where
 * else the worker would begin to serve (master_process off), and exits.
 */


#include "fuzz.h"


typedef struct {
    int                           argc;
    char                        **argv;
} fuzz_main_conf_t;


int LLVMFuzzerRunDriver(int *argc, char ***argv,
    int (*callback)(const uint8_t *data, size_t size));


static ngx_int_t fuzz_init_process(ngx_cycle_t *cycle);
static void *fuzz_create_main_conf(ngx_conf_t *cf);
static char *fuzz_args(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


static ngx_command_t  fuzz_commands[] = {

    { ngx_string("tracker_fuzz"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      fuzz_args,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tracker_fuzz_as"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      fuzz_as,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  fuzz_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    fuzz_create_main_conf,                 /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_tracker_fuzz_module = {
    NGX_MODULE_V1,
    &fuzz_module_ctx,                      /* module context */
    fuzz_commands,                         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    fuzz_init_process,                     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_http_tracker_zone_t  *fuzz_zone;

static ngx_log_t         *fuzz_log;


/* As if it had been read from 127.0.0.1; all of it is in the pool. */
static ngx_http_request_t *
fuzz_request(ngx_pool_t *pool)
{
    ngx_event_t         *ev;
    struct sockaddr_in  *sin;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    ev = ngx_pcalloc(pool, sizeof(ngx_event_t));
    sin = ngx_pcalloc(pool, sizeof(struct sockaddr_in));
    c = ngx_pcalloc(pool, sizeof(ngx_connection_t));
    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));

    fuzz_check(ev && sin && c && r);

    sin->sin_family = AF_INET;
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    ev->log = pool->log;
    ev->data = c;

    c->log = pool->log;
    c->read = ev;
    c->write = ev;
    c->pool = pool;
    c->sockaddr = (struct sockaddr *) sin;
    c->socklen = sizeof(struct sockaddr_in);

    r->ctx = ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module);
    fuzz_check(r->ctx);

    r->signature = NGX_HTTP_MODULE;
    r->main = r;
    r->connection = c;
    r->pool = pool;
    r->method = NGX_HTTP_GET;
    r->http_version = NGX_HTTP_VERSION_11;
    r->headers_in.content_length_n = -1;

    fuzz_check(ngx_list_init(&r->headers_in.headers, pool, 4,
                             sizeof(ngx_table_elt_t))
               == NGX_OK);

    return r;
}


static int
fuzz_input(const uint8_t *data, size_t size)
{
    ngx_log_t            log;
    ngx_pool_t          *pool;
    fuzz_target_t       *t;
    ngx_http_request_t  *r;

    if (size == 0) {
        return 0;
    }

    for (t = fuzz_targets; t->target; t++) {
        if (t->letter == data[0]) {
            break;
        }
    }

    if (t->target == NULL) {
        return 0;
    }

    /* what a request makes nginx log is not looked at here */

    log = *fuzz_log;
    log.log_level = NGX_LOG_EMERG;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, &log);
    if (pool == NULL) {
        return 0;
    }

    pool->max = 0;

    r = fuzz_request(pool);

    t->target(r, fuzz_copy(r, (u_char *) data + 1, size - 1), size - 1);

    ngx_destroy_pool(pool);

    return 0;
}


u_char *
fuzz_copy(ngx_http_request_t *r, u_char *p, size_t len)
{
    u_char  *copy;

    copy = ngx_pnalloc(r->pool, len);
    fuzz_check(copy);

    ngx_memcpy(copy, p, len);

    return copy;
}


void
fuzz_refusal(ngx_http_tracker_refusal_t *refusal)
{
    size_t  i;

    fuzz_check(refusal->status >= 400 && refusal->status < 600);
    fuzz_check(refusal->len > 1);
    fuzz_check(refusal->len <= NGX_HTTP_TRACKER_TEXT_MAX);
    fuzz_check(refusal->text[refusal->len - 1] == LF);

    for (i = 0; i < refusal->len - 1; i++) {
        fuzz_check(refusal->text[i] >= 32 && refusal->text[i] < 127);
    }
}


void
fuzz_failed(const char *what, const char *file, int line)
{
    ngx_log_error(NGX_LOG_EMERG, fuzz_log, 0, "%s:%d: not true: %s", file,
                  line, what);
    abort();
}


/* libFuzzer's own handlers are set only where there is none. */
static void
fuzz_signals(void)
{
    int  signo;

    for (signo = 1; signo < NSIG; signo++) {
        if (signo != SIGPIPE) {
            (void) signal(signo, SIG_DFL);
        }
    }
}


static ngx_int_t
fuzz_init_process(ngx_cycle_t *cycle)
{
    fuzz_main_conf_t               *fmcf;
    ngx_http_tracker_zone_t       **zones;
    ngx_http_tracker_main_conf_t   *tmcf;

    fmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_tracker_fuzz_module);
    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tracker_module);

    if (fmcf == NULL || fmcf->argc == 0 || tmcf->zones.nelts == 0) {
        return NGX_OK;
    }

    zones = tmcf->zones.elts;
    fuzz_zone = zones[0];
    fuzz_log = cycle->log;

    fuzz_signals();
    fuzz_catch_answers();

    exit(LLVMFuzzerRunDriver(&fmcf->argc, &fmcf->argv, fuzz_input));
}


static void *
fuzz_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(fuzz_main_conf_t));
}


/* The first argument, argv[0], is what libFuzzer runs to merge. */
static char *
fuzz_args(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    fuzz_main_conf_t *fmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    fmcf->argv = ngx_pcalloc(cf->pool, cf->args->nelts * sizeof(char *));
    if (fmcf->argv == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        fmcf->argv[i - 1] = (char *) value[i].data;
    }

    fmcf->argc = (int) cf->args->nelts - 1;

    return NGX_CONF_OK;
}
