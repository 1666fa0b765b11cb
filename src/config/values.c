/* SPDX-License-Identifier: MIT */
#include "config/values.h"

#include "config/lists.h"
#include "config/scalars.h"

static bool is_list(const struct config_option *option)
{
    switch (option->kind) {
    case OPTION_HEADERS:
    case OPTION_RANGES:
    case OPTION_NAMES:
    case OPTION_STATUSES:
    case OPTION_SCHEDULE:
        return true;
    case OPTION_TEXT:
    case OPTION_CHOICE:
    case OPTION_BOOLEAN:
    case OPTION_INTEGER:
    case OPTION_NUMBER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        break;
    }
    return false;
}

bool value_read(struct reading *reading, const struct config_option *option,
                const yaml_node_t *node)
{
    return is_list(option) ? list_read(reading, option, node) : scalar_read(reading, option, node);
}

void value_free(struct config *config, const struct config_option *option)
{
    if (is_list(option))
        list_free(config, option);
    else
        scalar_free(config, option);
}
