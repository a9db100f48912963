/* settings_table.c - the table of settings. The command line, its help, the
 * configuration files, completion and docs/library.md come from it. */
#include "metalink.h"
#include "settings_internal.h"
#include "shoal.h"

enum {
    NUMBER_MAX = 1000000,
    PORT_MAX = 65535,
    SECOND_MS = 1000,
    MINUTE_MS = 60000
};

#define FILE_GROUP   "Files"
#define NET_GROUP    "Network"
#define HTTP_GROUP   "HTTP"
#define TLS_GROUP    "HTTPS (SSL/TLS)"
#define VERIFY_GROUP "Verification"
#define SOURCE_GROUP "Sources"
#define SHARE_GROUP  "Sharing"

#define AT(field) offsetof(struct settings, field)

#define A_TIME  "seconds such as 10 or 0.5, or a time such as 2m"
#define A_RATE  "bytes a second such as 500k or 2.5M"
#define A_FILE  "a file name"
#define AN_URL  "an http(s) URL"
#define A_FLAG  "yes or no"
#define A_TEXT  "printable text"
#define A_COUNT "a number from 1 to 1000000"

#define READ(...)                          \
    .reader = &(const struct shoal_reader) \
    {                                      \
        __VA_ARGS__                        \
    }

#define FLAG(long_name, short_name, in, at, text)                        \
    {                                                                    \
        .name = (long_name), .letters = (short_name), .group = (in),     \
        .help = (text),                                                  \
        READ(.kind = SETTING_FLAG, .offset = AT(at), .expected = A_FLAG) \
    }

static const struct shoal_setting rows[] = {

    /* Files */
    { .name = "output-document",
      .letters = "O",
      .argument = "FILE",
      .group = FILE_GROUP,
      .help = "write to FILE; - is standard output",
      READ(.kind = SETTING_TEXT, .offset = AT(output_document),
           .expected = A_FILE) },
    { .name = "directory-prefix",
      .letters = "P",
      .argument = "DIR",
      .group = FILE_GROUP,
      .help = "save files in DIR",
      READ(.kind = SETTING_TEXT, .offset = AT(directory_prefix),
           .expected = "a directory") },
    FLAG("continue", "c", FILE_GROUP, resume, "go on with a partial download"),
    FLAG("no-clobber", "nc", FILE_GROUP, no_clobber,
         "leave a file alone that is there already"),
    FLAG("timestamping", "N", FILE_GROUP, timestamping,
         "fetch only what is newer than the file that is there"),
    FLAG("content-disposition", NULL, FILE_GROUP, content_disposition,
         "take the file name that the server gives"),
    FLAG("spider", NULL, FILE_GROUP, spider,
         "only ask whether the file is there; save nothing"),

    /* Network */
    { .name = "tries",
      .letters = "t",
      .argument = "NUMBER",
      .group = NET_GROUP,
      .help = "try a file that often, also after HTTP 429 and 5xx; 0 or inf: "
              "without end",
      READ(.kind = SETTING_NUMBER, .offset = AT(tries), .max = NUMBER_MAX,
           .endless = true,
           .expected = "a number from 0 to 1000000, or inf") },
    { .name = "timeout",
      .letters = "T",
      .argument = "SECONDS",
      .group = NET_GROUP,
      .help = "give up a connection that brings nothing for so long; "
              "0: never",
      READ(.kind = SETTING_TIME, .offset = AT(timeout_ms),
           .unit_ms = SECOND_MS, .expected = A_TIME) },
    { .name = "connect-timeout",
      .argument = "SECONDS",
      .group = NET_GROUP,
      .help = "the same for connecting",
      READ(.kind = SETTING_TIME, .offset = AT(connect_timeout_ms),
           .unit_ms = SECOND_MS, .expected = A_TIME) },
    { .name = "waitretry",
      .argument = "SECONDS",
      .group = NET_GROUP,
      .help = "wait 1 second before the second try, 2 before the third, at "
              "most so long",
      READ(.kind = SETTING_TIME, .offset = AT(waitretry_ms),
           .unit_ms = SECOND_MS, .expected = A_TIME) },
    { .name = "limit-rate",
      .argument = "RATE",
      .group = NET_GROUP,
      .help = "take no more than RATE bytes a second (with k, M, G); "
              "0: no limit",
      READ(.kind = SETTING_RATE, .offset = AT(limit_rate),
           .expected = A_RATE) },
    FLAG("inet4-only", "4", NET_GROUP, inet4_only,
         "connect to IPv4 addresses only"),
    FLAG("inet6-only", "6", NET_GROUP, inet6_only,
         "connect to IPv6 addresses only"),
    { .name = "bind-address",
      .argument = "ADDR",
      .group = NET_GROUP,
      .help = "connect from, and serve at, this local address",
      READ(.kind = SETTING_TEXT, .offset = AT(bind_address),
           .check = check_address, .expected = "a numeric address") },
    { .name = "resolve",
      .argument = "HOST:PORT:ADDR[,ADDR]...",
      .group = NET_GROUP,
      .help = "addresses to use instead of the resolver's",
      .flags = SHOAL_SETTING_LIST,
      READ(.kind = SETTING_LIST, .offset = AT(resolve), .check = check_resolve,
           .max = SETTINGS_LIST_MAX, .expected = "HOST:PORT:ADDR[,ADDR]...") },
    FLAG("no-proxy", NULL, NET_GROUP, no_proxy,
         "heed no proxy variables of the environment"),

    /* HTTP */
    { .name = "header",
      .argument = "LINE",
      .group = HTTP_GROUP,
      .help = "send this header line to the origin, too; one that holds a "
              "secret, such as Cookie, to the URL's own server only",
      .flags = SHOAL_SETTING_LIST | SHOAL_SETTING_SECRET,
      READ(.kind = SETTING_LIST, .offset = AT(header), .check = check_header,
           .max = SETTINGS_LIST_MAX,
           .expected = "`Name: value`, and no name that is needed to fetch "
                       "in parts, such as Range") },
    { .name = "user-agent",
      .letters = "U",
      .argument = "TEXT",
      .group = HTTP_GROUP,
      .help = "say that we are TEXT",
      READ(.kind = SETTING_TEXT, .offset = AT(user_agent),
           .expected = A_TEXT) },
    { .name = "referer",
      .argument = "URL",
      .group = HTTP_GROUP,
      .help = "send `Referer: URL`",
      READ(.kind = SETTING_TEXT, .offset = AT(referer), .expected = A_TEXT) },
    { .name = "user",
      .argument = "NAME",
      .group = HTTP_GROUP,
      .help = "the user's name at the URL's own server",
      READ(.kind = SETTING_TEXT, .offset = AT(user), .expected = A_TEXT) },
    { .name = "password",
      .argument = "TEXT",
      .group = HTTP_GROUP,
      .help = "and the password",
      .flags = SHOAL_SETTING_SECRET,
      READ(.kind = SETTING_TEXT, .offset = AT(password), .expected = A_TEXT) },
    FLAG("no-netrc", NULL, HTTP_GROUP, no_netrc,
         "take no name and password from ~/.netrc"),
    { .name = "max-redirect",
      .argument = "NUMBER",
      .group = HTTP_GROUP,
      .help = "follow at most so many redirects in a row",
      .fallback = "20",
      READ(.kind = SETTING_NUMBER, .offset = AT(max_redirect),
           .max = NUMBER_MAX, .expected = "a number from 0 to 1000000") },
    { .name = "load-cookies",
      .argument = "FILE",
      .group = HTTP_GROUP,
      .help = "send the cookies of FILE (Netscape's format)",
      READ(.kind = SETTING_TEXT, .offset = AT(load_cookies),
           .expected = A_FILE) },
    FLAG("server-response", "S", HTTP_GROUP, server_response,
         "tell the headers of the origin's answers"),

    /* TLS */
    { .name = "ca-certificate",
      .argument = "FILE",
      .group = TLS_GROUP,
      .help = "trust these authorities, too (PEM)",
      READ(.kind = SETTING_TEXT, .offset = AT(ca_certificate),
           .expected = A_FILE) },
    { .name = "certificate",
      .argument = "FILE",
      .group = TLS_GROUP,
      .help = "our own certificate (PEM), for the URL's own server",
      READ(.kind = SETTING_TEXT, .offset = AT(certificate),
           .expected = A_FILE) },
    { .name = "private-key",
      .argument = "FILE",
      .group = TLS_GROUP,
      .help = "its key, where that is not in the same file",
      READ(.kind = SETTING_TEXT, .offset = AT(private_key),
           .expected = A_FILE) },
    FLAG("no-check-certificate", NULL, TLS_GROUP, no_check_certificate,
         "do not check the server's certificate"),

    /* Verification */
    { .name = "checksum",
      .argument = "ALG=HEX|@FILE|auto",
      .group = VERIFY_GROUP,
      .help = "what the whole file must hash to, e.g. sha-256=...; or what "
              "FILE says, as sha256sum writes it",
      READ(.kind = SETTING_CHECKSUM, .offset = AT(checksum),
           .expected = "ALG=HEX with md5, sha-1, sha-224, sha-256, sha-384 or "
                       "sha-512; or @FILE; or auto") },
    { .name = "layer",
      .argument = "auto|URL|FILE",
      .group = VERIFY_GROUP,
      .help = "check blocks against this piece layer; auto: URL.shoal",
      READ(.kind = SETTING_TEXT, .offset = AT(layer), .check = check_layer,
           .expected = "auto, a URL or a file") },
    { .name = "version-id",
      .argument = "etag|mtime|none|TEXT",
      .group = VERIFY_GROUP,
      .help = "what tells one version of the file from another",
      READ(.kind = SETTING_TEXT, .offset = AT(version_id),
           .check = check_version,
           .expected = "etag, mtime, none or a text of at most 250 bytes") },
    FLAG("unverified-peers", NULL, VERIFY_GROUP, unverified_peers,
         "take blocks of others even where they cannot be checked"),

    /* Sources */
    { .name = "mirror",
      .argument = "URL",
      .group = SOURCE_GROUP,
      .help = "the same file is there, too",
      .flags = SHOAL_SETTING_LIST,
      READ(.kind = SETTING_LIST, .offset = AT(mirror), .check = check_url,
           .max = SETTINGS_LIST_MAX, .expected = AN_URL) },
    { .name = "input-metalink",
      .argument = "FILE",
      .group = SOURCE_GROUP,
      .help = "take mirrors and hashes from this Metalink 4 file, or URL",
      READ(.kind = SETTING_TEXT, .offset = AT(input_metalink),
           .expected = A_FILE) },
    { .name = "preferred-location",
      .argument = "CC",
      .group = SOURCE_GROUP,
      .help = "of mirrors that are named, first those in this country",
      READ(.kind = SETTING_TEXT, .offset = AT(preferred_location),
           .expected = "a country code such as de") },
    { .name = "select-file",
      .argument = "N",
      .group = SOURCE_GROUP,
      .help = "of a Metalink's files only the Nth",
      READ(.kind = SETTING_NUMBER, .offset = AT(select_file), .min = 1,
           .max = METALINK_FILES_MAX, .expected = "a number from 1 to 1024") },
    { .name = "tracker",
      .argument = "URL",
      .group = SOURCE_GROUP,
      .help = "ask this tracker (up to 4 of them)",
      .flags = SHOAL_SETTING_LIST,
      READ(.kind = SETTING_LIST, .offset = AT(tracker), .check = check_url,
           .max = SETTINGS_TRACKERS,
           .expected = "an http(s) URL, at most 4 times") },
    { .name = "tracker-hosts",
      .argument = "HOST",
      .group = SOURCE_GROUP,
      .help = "tell these trackers only of files of HOST, or *.DOMAIN",
      .flags = SHOAL_SETTING_LIST,
      READ(.kind = SETTING_LIST, .offset = AT(tracker_hosts),
           .check = check_host_pattern, .max = SETTINGS_LIST_MAX,
           .expected = "a host name or *.DOMAIN") },

    /* Sharing */
    { .name = "listen-port",
      .argument = "N",
      .group = SHARE_GROUP,
      .help = "serve blocks to others at this port while downloading",
      READ(.kind = SETTING_NUMBER, .offset = AT(listen_port), .min = 1,
           .max = PORT_MAX, .expected = "a port from 1 to 65535") },
    FLAG("no-upload", NULL, SHARE_GROUP, no_upload, "serve nothing to others"),
    { .name = "max-upload-limit",
      .argument = "RATE",
      .group = SHARE_GROUP,
      .help = "give no more than RATE bytes a second; 0: no limit",
      .fallback = "1250000",
      READ(.kind = SETTING_RATE, .offset = AT(max_upload_limit),
           .expected = A_RATE) },
    { .name = "max-uploads",
      .argument = "N",
      .group = SHARE_GROUP,
      .help = "blocks that are given at once",
      .fallback = "4",
      READ(.kind = SETTING_NUMBER, .offset = AT(max_uploads), .min = 1,
           .max = NUMBER_MAX, .expected = A_COUNT) },
    { .name = "max-peers",
      .argument = "N",
      .group = SHARE_GROUP,
      .help = "peers that are read from at once",
      .fallback = "30",
      READ(.kind = SETTING_NUMBER, .offset = AT(max_peers), .min = 1,
           .max = NUMBER_MAX, .expected = A_COUNT) },
    { .name = "max-connections",
      .argument = "N",
      .group = SHARE_GROUP,
      .help = "connections of others to us at once",
      .fallback = "64",
      READ(.kind = SETTING_NUMBER, .offset = AT(max_connections), .min = 1,
           .max = NUMBER_MAX, .expected = A_COUNT) },
    { .name = "seed-time",
      .argument = "MINUTES",
      .group = SHARE_GROUP,
      .help = "go on serving so long when the file is whole",
      READ(.kind = SETTING_TIME, .offset = AT(seed_time_ms),
           .unit_ms = MINUTE_MS,
           .expected = "minutes such as 30 or 0.5, or a time such as 90s") },
    { .name = "seed-ratio",
      .argument = "RATIO",
      .group = SHARE_GROUP,
      .help = "go on serving until that many copies were given",
      READ(.kind = SETTING_RATIO, .offset = AT(seed_ratio),
           .expected = "a number such as 1.5") },
};

enum {
    ROWS = sizeof(rows) / sizeof(rows[0])
};

const struct shoal_setting *
settings_table(size_t *n)
{
    *n = ROWS;
    return rows;
}
