
#include "ngx_http_tracker_place.h"
#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_caller.h"


void
ngx_http_tracker_network(ngx_http_tracker_addr_t *addr, u_char *network)
{
    ngx_memzero(network, NGX_HTTP_TRACKER_NETWORK_LEN);

    network[0] = addr->family;
    ngx_memcpy(network + 1, addr->bytes, addr->family == 4 ? 3 : 6);
}


ngx_int_t
ngx_http_tracker_place(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_http_tracker_place_t *place)
{
    ngx_http_tracker_addr(r->connection->sockaddr, &place->addr);

    ngx_str_null(&place->locality);

    if (conf->locality == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->locality, &place->locality) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_tracker_caller_locality_valid(&place->locality)) {
        ngx_str_null(&place->locality);
    }

    return NGX_OK;
}
