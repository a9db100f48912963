/* config_settings.c - the table of settings. */
#include "config_internal.h"

enum {
    CACHE_MIN = 16 << 20 /* bytes; below it a set hardly fits */
};

#define AT(field)  offsetof(struct config, field)
#define ATT(field) offsetof(struct config_tracker, field)

const struct setting config_settings[CONFIG_SETTINGS] = {
    { "name", take_name, "1 to 64 letters, digits, `.`, `_` or `-`", NULL, 0,
      0, REQUIRED, AT(name), "What the tracker knows this super peer by." },
    { "listen", take_listen, "ADDRESS:PORT, `[V6]:PORT` or `*:PORT`", "*:9090",
      0, 65535, 0, AT(listen),
      "Where the block server listens. `*` is all addresses, IPv4 and IPv6; "
      "port 0 takes a free one." },
    { "status_listen", take_listen, "ADDRESS:PORT, `[V6]:PORT` or `*:PORT`",
      "127.0.0.1:9091", 0, 65535, 0, AT(status_listen),
      "Where `/healthz` and `/status` are. Nobody is asked for a password "
      "there: keep it on loopback." },
    { "locality", take_locality, "labels such as `cn/telecom/shanghai`", NULL,
      0, 0, 0, AT(locality),
      "Where this machine is; more leading labels in common with an asker "
      "is nearer." },
    { "bind_address", take_address, "a numeric address", NULL, 0, 0, 0,
      AT(bind_address),
      "The address that connections to trackers and CDN nodes come from." },
    { "trackers[].url", take_url, "an http or https URL", NULL, 0, 0,
      REQUIRED | OF_TRACKER, ATT(url),
      "The tracker's control location, for instance "
      "`https://tracker.example.com/control`." },
    { "trackers[].token", take_text, "text", NULL, 0, 0, OF_TRACKER,
      ATT(token), "Sent as `Authorization: Bearer TOKEN`." },
    { "trackers[].token_file", take_path, "a path", NULL, 0, 0, OF_TRACKER,
      ATT(token_file), "A file whose first line is the token." },
    { "trackers[].certificate", take_path, "a path", NULL, 0, 0, OF_TRACKER,
      ATT(certificate), "Client certificate, PEM." },
    { "trackers[].key", take_path, "a path", NULL, 0, 0, OF_TRACKER, ATT(key),
      "Its private key, PEM." },
    { "trackers[].ca", take_path, "a path", NULL, 0, 0, OF_TRACKER, ATT(ca),
      "Certificates that the tracker's is checked against, PEM; the "
      "system's where not given." },
    { "cache.path", take_path, "a path", NULL, 0, 0, REQUIRED, AT(cache_path),
      "Folder of the cache. It must exist and be writable; one super peer "
      "uses it." },
    { "cache.size", take_bytes, "a size such as `100GiB`", NULL, CACHE_MIN,
      UINT64_C(1) << 46, REQUIRED, AT(cache_size),
      "What the cache may take on disk. Sets that were not used for the "
      "longest time go when 85 % of it are spoken for; a file above 80 % of "
      "it is refused." },
    { "origins", take_origin,
      "scheme://host[:port], the host perhaps as `*.domain`", NULL, 0, 0,
      REQUIRED | LIST, 0,
      "Where files may be fetched from; nothing else is. `*.domain` is every "
      "name below the domain, port `*` any port." },
    { "allow_addresses", take_network, "a network such as `10.0.0.0/8`", NULL,
      0, 0, LIST, 0,
      "Networks that may be connected to although they are loopback, "
      "private, link-local or otherwise special; origins' addresses there "
      "are refused without." },
    { "resolve", take_override, "HOST:PORT:ADDR[,ADDR]...", NULL, 0, 0, LIST,
      0,
      "Addresses of CDN nodes to use instead of the resolver's, as the "
      "client's `--resolve`." },
    { "limits.connections", take_count, "a number", "1024", 1, 15000, 0,
      AT(connections),
      "Connections to the block server at once; more are answered 503." },
    { "limits.upload_rate", take_bytes, "bytes a second, such as `50MiB`", "0",
      0, UINT64_C(1) << 40, 0, AT(upload_rate),
      "Of the block server, over all connections; 0 is no limit." },
    { "limits.origin_rate", take_bytes, "bytes a second, such as `50MiB`", "0",
      0, UINT64_C(1) << 40, 0, AT(origin_rate),
      "From CDN nodes; every prefetch job has an equal share. 0 is no "
      "limit." },
    { "limits.prefetch_jobs", take_count, "a number", "4", 1, 64, 0,
      AT(prefetch_jobs), "Files that are fetched at once." },
    { "limits.prefetch_queue", take_count, "a number", "1024", 1, 65536, 0,
      AT(prefetch_queue),
      "Files that may wait for their turn; more are refused as `busy`." },
    { "limits.nodes_per_file", take_count, "a number", "2", 1, 32, 0,
      AT(nodes_per_file), "CDN nodes that one file is read from at once." },
};
