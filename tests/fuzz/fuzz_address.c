/* SPDX-License-Identifier: MIT */
/*
 * fuzz_address.c: ranges from any text, and the rules on any address.
 *
 * A range that was read is written so that it is read as the same, contains its own address and
 * exempts it at its port. An IPv4 address is judged alike however it is hidden in IPv6.
 */
#include "core/address.h"
#include "fuzz.h"

static void check_range(const char *text)
{
    struct address_range range, again;
    struct error error;
    char formatted[ADDRESS_RANGE_SIZE];

    if (!address_range_parse(text, &range, &error)) {
        demand(error.message[0] != '\0', "refused without a word");
        return;
    }
    address_range_format(&range, formatted);
    demand(address_range_parse(formatted, &again, &error), "what was written can't be read");
    demand(again.prefix_bits == range.prefix_bits && again.port == range.port &&
               again.address.is_ipv6 == range.address.is_ipv6 &&
               memcmp(again.address.bytes, range.address.bytes, 16) == 0,
           "another range was read back");
    demand(address_range_contains(&range, &range.address), "a range without its own address");
    demand(address_refusal(&range.address, range.port, &range, 1) == NULL, "not exempt");
}

static void check_hidden(const struct address *address)
{
    static const struct {
        unsigned char prefix[12];
    } ways[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},   /* mapped */
        {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}},   /* translated */
        {{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}} /* NAT64 */
    };
    const char *plain = address_refusal(address, 443, NULL, 0);

    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct address hidden = {.is_ipv6 = true};
        const char *found;

        memcpy(hidden.bytes, ways[i].prefix, sizeof(ways[i].prefix));
        memcpy(hidden.bytes + 12, address->bytes, 4);
        found = address_refusal(&hidden, 443, NULL, 0);
        demand((found == NULL) == (plain == NULL), "a hidden address is judged otherwise");
        demand(found == NULL || strcmp(found, plain) == 0, "a hidden address has another name");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address address = {.is_ipv6 = size >= 16};
    char *text = fuzz_text(data, size);

    check_range(text);
    free(text);
    if (size < 4)
        return 0;
    memcpy(address.bytes, data, size < 16 ? 4 : 16);
    if (!address.is_ipv6)
        check_hidden(&address);
    else
        (void)address_refusal(&address, 443, NULL, 0);
    return 0;
}
