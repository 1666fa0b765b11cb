/* SPDX-License-Identifier: MIT */
#include "config/checks.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <net/if.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/units.h"
#include "config/redact.h"

static bool begins_with(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* The form by which libpq tells the two kinds; it takes anything else for a database's name. */
static bool check_url_form(const char *text, struct error *error)
{
    bool is_uri = strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
    const char *scheme_end = strstr(text, "://");
    const char *equals = strchr(text, '=');

    if (is_uri)
        return true;
    if (scheme_end != NULL && (equals == NULL || scheme_end < equals))
        return error_set(error, "is a URI of another kind than postgresql://");
    return equals != NULL || error_set(error, "is neither a URI nor keyword=value pairs");
}

/* Part of a password that was not percent-encoded is most often taken for a port. */
static bool check_url_port(const PQconninfoOption *option, struct error *error)
{
    if (strcmp(option->keyword, "port") != 0 || option->val == NULL ||
        option->val[strspn(option->val, "0123456789,")] == '\0')
        return true;
    return error_set(error, "has a port that is not a number (in a URI's password / is written "
                            "%%2F, and @ %%40)");
}

bool check_database_url(const char *text, struct error *error)
{
    PQconninfoOption *parts;
    char *message = NULL;
    bool ok = true;

    if (!check_url_form(text, error))
        return false;
    parts = PQconninfoParse(text, &message);
    if (parts == NULL && redact_has_password(text))
        ok = error_set(error, "can't be read by libpq (in a URI's password %% is written %%25, in "
                              "pairs a value with blanks 'in quotes')");
    else if (parts == NULL)
        ok = error_set(error, "can't be read by libpq: %.*s",
                       message != NULL ? (int)strcspn(message, "\n") : 0, message);
    for (PQconninfoOption *part = parts; ok && part != NULL && part->keyword != NULL; part++)
        ok = check_url_port(part, error);
    PQconninfoFree(parts);
    PQfreemem(message);
    return ok;
}

/* ":port" or nothing, and perhaps a last slash. */
static bool check_port(const char *text, struct error *error)
{
    char digits[8];
    size_t length;
    struct error ignored;
    int64_t port;

    if (*text == '\0' || strcmp(text, "/") == 0)
        return true;
    if (*text != ':')
        return error_set(error, "has more than a host and a port after its scheme");
    length = strcspn(++text, "/");
    if (text[length] != '\0' && text[length + 1] != '\0')
        return error_set(error, "has a path, which a proxy does not take");
    if (length == 0 || length >= sizeof(digits))
        return error_set(error, "has no valid port");
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!units_parse_integer(digits, &port, &ignored) || port < 1 || port > 65535)
        return error_set(error, "has a port that is not a number from 1 to 65535");
    return true;
}

/* "[::1]" or a name; what follows it is left in *ret_rest. */
static bool check_host(const char *text, const char **ret_rest, struct error *error)
{
    size_t length = strcspn(text, *text == '[' ? "]" : ":/");

    if (*text == '[') {
        char address[INET6_ADDRSTRLEN];
        unsigned char bytes[sizeof(struct in6_addr)];

        if (text[length] != ']' || length == 0 || length > sizeof(address))
            return error_set(error, "has no valid IPv6 address in its brackets");
        memcpy(address, text + 1, length - 1);
        address[length - 1] = '\0';
        if (inet_pton(AF_INET6, address, bytes) != 1)
            return error_set(error, "has no valid IPv6 address in its brackets");
        length++;
    }
    if (length == 0)
        return error_set(error, "has no host");
    if (strcspn(text, "?# \\") < length)
        return error_set(error, "has a character in its host that no host has");
    *ret_rest = text + length;
    return true;
}

bool check_proxy(const char *text, struct error *error)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://"};
    const char *host = NULL;
    const char *at;

    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (begins_with(text, schemes[i]))
            host = text + strlen(schemes[i]);
    if (host == NULL)
        return error_set(error, "does not begin with http://, https:// or socks5://");
    at = strrchr(host, '@');
    if (at != NULL)
        host = at + 1;
    return check_host(host, &host, error) && check_port(host, error);
}

bool check_source_address(const char *text, struct error *error)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1)
        return true;
    if (strchr(text, ':') != NULL || text[strspn(text, "0123456789.")] == '\0')
        return error_set(error, "is not a valid IP address");
    if (strlen(text) >= IFNAMSIZ || strcspn(text, "/!% \t") != strlen(text))
        return error_set(error, "is neither an IP address nor an interface's name");
    return true;
}

bool check_secret_file(const char *text, struct error *error)
{
    if (begins_with(text, "whsec_") || begins_with(text, "whsk_"))
        return error_set(error, "is a secret, where the name of a file that holds it belongs");
    return true;
}

/* "127.0.0.1:8920" or "[::1]:8920": numbers alone, since nothing is resolved. */
static bool check_listen_address(const char *text, struct error *error)
{
    const char *colon = strrchr(text, ':');
    char address[INET6_ADDRSTRLEN + 2];
    unsigned char bytes[sizeof(struct in6_addr)];
    struct error ignored;
    int64_t port;
    size_t length;

    if (colon == NULL || !units_parse_integer(colon + 1, &port, &ignored) || port < 0 ||
        port > 65535)
        return error_set(error, "has no port from 0 to 65535 at its end");
    length = (size_t)(colon - text);
    if (length >= sizeof(address))
        return error_set(error, "has no valid IP address before its port");
    memcpy(address, text, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, bytes) == 1)
        return true;
    if (address[0] == '[' && address[length - 1] == ']') {
        address[length - 1] = '\0';
        if (inet_pton(AF_INET6, address + 1, bytes) == 1)
            return true;
    }
    return error_set(error, "has no valid IP address before its port");
}

bool check_listen(const char *text, struct error *error)
{
    if (!begins_with(text, "unix:"))
        return check_listen_address(text, error);
    if (text[strlen("unix:")] != '/')
        return error_set(error, "has no absolute path behind unix:");
    return true;
}

bool check_host_name(const char *text, struct error *error)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t length = strlen(text);
    char address[INET6_ADDRSTRLEN];

    if (length > 2 && length < sizeof(address) && text[0] == '[' && text[length - 1] == ']') {
        memcpy(address, text + 1, length - 2);
        address[length - 2] = '\0';
        if (inet_pton(AF_INET6, address, bytes) == 1)
            return true;
    }
    if (length == 0 || length > 253 || strspn(text, letters) != length)
        return error_set(error, "is no host's name without a port");
    return true;
}

bool check_customers_role(const char *text, struct error *error)
{
    if (strcmp(text, "none") == 0 || strcmp(text, "public") == 0)
        return error_set(error, "is no role's name");
    if (strncmp(text, "pg_", 3) == 0)
        return error_set(error, "is a name that PostgreSQL keeps for its own roles");
    return true;
}

/* instead: what is sent in the place of credentials */
static bool check_http_url(const char *text, const char *instead, struct error *error)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *host = NULL;
    const char *rest;

    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (begins_with(text, schemes[i]))
            host = text + strlen(schemes[i]);
    if (host == NULL)
        return error_set(error, "does not begin with http:// or https://");
    if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
        return error_set(error, "has a user or a password, which is not sent: %s", instead);
    return check_host(host, &rest, error);
}

bool check_alerts_url(const char *text, struct error *error)
{
    return check_http_url(text, "alerts are signed", error);
}

bool check_tracing_url(const char *text, struct error *error)
{
    return check_http_url(text, "put an Authorization into tracing.headers", error);
}

bool check_customer(const char *text, struct error *error)
{
    return text_is_uuid(text) || error_set(error, "is no UUID");
}
