#include "config/config.h"

#include <stdlib.h>

#include "config/options.h"
#include "config/values.h"

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < option_count; i++)
        value_free(config, &option_table[i]);
    secret_set_wipe(&config->signing.secrets);
    sealing_keys_wipe(&config->signing.keys);
    client_certificates_free(&config->network.certificates);
    revocation_lists_free(&config->network.revocations);
    free(config->file);
    free(config);
}
