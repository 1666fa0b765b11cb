/* SPDX-License-Identifier: MIT */
#include "command/send_payload.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"

#define CHUNK_BYTES 16384

static bool read_stream(FILE *file, const char *name, struct buffer *payload, struct error *error)
{
    char chunk[CHUNK_BYTES];
    size_t got;

    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0 && buffer_append(payload, chunk, got))
        continue;
    if (ferror(file) != 0)
        return error_set(error, "--data: cannot read %s: %s", name, strerrordesc_np(errno));
    return true;
}

static bool read_file(const char *name, struct buffer *payload, struct error *error)
{
    FILE *file = fopen(name, "re");
    bool is_read;

    if (file == NULL)
        return error_set(error, "--data: cannot open %s: %s", name, strerrordesc_np(errno));
    is_read = read_stream(file, name, payload, error);
    fclose(file);
    return is_read;
}

static bool check_json(const struct buffer *payload, struct error *error)
{
    json_error_t where;
    json_t *value = json_loadb(buffer_string(payload), payload->length,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);

    if (value == NULL) {
        error_set(error, "--data is not JSON: line %d, column %d: %s", where.line, where.column,
                  where.text);
        return error_hint(error, "give JSON text, @FILE, or - for standard input");
    }
    json_decref(value);
    return true;
}

bool send_payload_read(const char *data, size_t max_bytes, struct buffer *ret_payload,
                       struct error *error)
{
    char limit[UNITS_TEXT_SIZE];
    bool is_read = true;

    buffer_init(ret_payload, max_bytes);
    if (strcmp(data, "-") == 0)
        is_read = read_stream(stdin, "standard input", ret_payload, error);
    else if (data[0] == '@')
        is_read = read_file(data + 1, ret_payload, error);
    else
        buffer_append_string(ret_payload, data);
    if (!is_read)
        return false;
    if (ret_payload->overflowed)
        return error_set(error, "--data has more than %s (delivery.max_payload)",
                         units_format_size_bytes((int64_t)max_bytes, limit));
    while (ret_payload->length > 0 && strchr("\r\n", ret_payload->data[ret_payload->length - 1]))
        ret_payload->data[--ret_payload->length] = '\0';
    return check_json(ret_payload, error);
}
