#include "worker/exchange.h"

#include <strings.h>

#include "base/clock.h"
#include "core/retry_after.h"

struct http_options exchange_options(const struct config *config)
{
    return (struct http_options){
        .allow_count = config->network.allow_count,
        .allow = config->network.allow,
        .https_only = config->network.https_only,
        .proxy = config->network.proxy,
        .source_address = config->network.source_address,
        .ca_file = config->network.ca_file,
        .revocations = &config->network.revocations,
        .client_certificates = config->network.client_certificates,
        .certificates = &config->network.certificates,
        .connection_lifetime_ms = config->network.connection_lifetime_ms,
        .connect_timeout_ms = config->delivery.connect_timeout_ms,
        .max_response_bytes = config->delivery.max_response_bytes,
    };
}

struct attempt exchange_attempt(const struct http_response *response)
{
    struct attempt attempt = {
        .result = response->result,
        .status = response->status,
        .retry_after_ms = -1,
    };

    if (response->retry_after[0] != '\0')
        attempt.retry_after_ms = retry_after_parse_ms(response->retry_after, clock_wall_s());
    return attempt;
}

bool exchange_was_connected(const struct http_response *response, const char *url)
{
    const struct http_timings *timings = &response->timings;
    bool is_tls = strncasecmp(url, "https:", 6) == 0;

    return response->is_reused || timings->first_byte_us > 0 ||
           (is_tls ? timings->tls_us : timings->connect_us) > 0;
}
