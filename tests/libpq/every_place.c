/* SPDX-License-Identifier: MIT */
#include "every_place.h"

#include "dice.h"
#include "unit.h"

static const char *const sqlstates[] = {"57P01", "40001", "53100", "25006",
                                        "26000", "0A000", "22021"};
static char current[400]; /* the script that runs */
static int scripts;

int every_place_tell(void **state)
{
    (void)state;
    if (current[0] != '\0')
        print_error("script: %s\n", current);
    current[0] = '\0';
    return 0;
}

static const char *way(bool is_eager)
{
    return is_eager ? "done at once" : "done when it is answered";
}

static bool is_at_call(const struct pq_fault *fault)
{
    return fault->kind < PQ_FIRST_AT_SENT;
}

static int describe(char *out, size_t size, const struct pq_fault *fault,
                    const struct pq_trace *honest)
{
    int length = snprintf(out, size, "; %s", pq_fault_name(fault->kind));

    if (fault->sqlstate != NULL)
        length += snprintf(out + length, size - (size_t)length, " (%s)", fault->sqlstate);
    if (!is_at_call(fault))
        return length + snprintf(out + length, size - (size_t)length, " at answer %d", fault->at);
    return length + snprintf(out + length, size - (size_t)length, " at call %d, %.60s", fault->at,
                             fault->at < honest->count ? honest->calls[fault->at] : "beyond");
}

static void replay(const struct exchange *exchange, bool is_eager, const struct pq_trace *honest,
                   const struct pq_fault *faults, int count)
{
    const struct exchange_script script = {is_eager, honest, faults, count, NULL};
    int length = snprintf(current, sizeof(current), "%s, %s", exchange->name, way(is_eager));
    bool has_struck = false;

    for (int i = 0; i < count; i++)
        length += describe(current + length, sizeof(current) - (size_t)length, &faults[i], honest);
    exchange->run(exchange, &script);
    for (int i = 0; i < count; i++)
        has_struck |= pq_has_struck(i);
    check_case(has_struck, "no fault has struck");
    current[0] = '\0';
    scripts++;
}

struct pq_trace every_place_honest(const struct exchange *exchange, bool is_eager)
{
    struct pq_trace honest;
    const struct exchange_script script = {.is_eager = is_eager, .trace = &honest};

    snprintf(current, sizeof(current), "%s, %s, without a fault", exchange->name, way(is_eager));
    exchange->run(exchange, &script);
    current[0] = '\0';
    return honest;
}

static void every_call(const struct exchange *exchange, bool is_eager,
                       const struct pq_trace *honest)
{
    for (int at = 0; at < honest->count; at++)
        for (int kind = PQ_FIRST_AT_CALL; kind < PQ_FIRST_AT_SENT; kind++) {
            struct pq_fault fault = {(enum pq_fault_kind)kind, at, NULL};

            if (pq_can_strike(fault.kind, honest->functions[at]))
                replay(exchange, is_eager, honest, &fault, 1);
        }
}

static void every_answer(const struct exchange *exchange, bool is_eager,
                         const struct pq_trace *honest)
{
    for (int at = 0; at < honest->sent; at++)
        for (int kind = PQ_FIRST_AT_SENT; kind < PQ_FAULT_KINDS; kind++) {
            bool has_state = kind == PQ_REFUSES || kind == PQ_REFUSES_ENDS;

            if (exchange->is_blocking &&
                (kind == PQ_CUTS || kind == PQ_NOTIFY || kind == PQ_KEEPS_OPEN))
                continue;
            for (size_t i = 0; i < (has_state ? ARRAY_LENGTH(sqlstates) : 1); i++) {
                struct pq_fault fault = {(enum pq_fault_kind)kind, at,
                                         has_state ? sqlstates[i] : NULL};

                replay(exchange, is_eager, honest, &fault, 1);
            }
        }
}

void every_place(const struct exchange *exchange)
{
    for (int is_eager = 0; is_eager <= 1; is_eager++) {
        struct pq_trace honest = every_place_honest(exchange, is_eager != 0);

        scripts = 0;
        every_call(exchange, is_eager != 0, &honest);
        every_answer(exchange, is_eager != 0, &honest);
        print_message("%s, %s: %d scripts, every fault at %d calls and %d answers\n",
                      exchange->name, way(is_eager != 0), scripts, honest.count, honest.sent);
        pq_trace_free(&honest);
    }
}

/* The second one may lie behind the honest exchange: the first has made it longer. */
static void choose_two(struct dice *dice, const struct pq_trace *honest, struct pq_fault *faults)
{
    for (int i = 0; i < 2; i++) {
        faults[i].kind = (enum pq_fault_kind)(dice_below(dice, PQ_FAULT_KINDS - 1) + 1);
        faults[i].at = (int)dice_below(
            dice, (is_at_call(&faults[i]) ? honest->count : honest->sent) * (i + 1));
        faults[i].sqlstate = sqlstates[dice_below(dice, ARRAY_LENGTH(sqlstates))];
    }
}

void every_place_twice(const struct exchange *exchange, int rounds)
{
    struct dice dice = {UINT64_C(0x9e3779b97f4a7c15)};

    scripts = 0;
    for (int is_eager = 0; is_eager <= 1; is_eager++) {
        struct pq_trace honest = every_place_honest(exchange, is_eager != 0);

        for (int round = 0; round < rounds; round++) {
            struct pq_fault faults[2];

            choose_two(&dice, &honest, faults);
            if (!is_at_call(&faults[0]) ||
                pq_can_strike(faults[0].kind, honest.functions[faults[0].at]))
                replay(exchange, is_eager != 0, &honest, faults, 2);
        }
        pq_trace_free(&honest);
    }
    print_message("%s: %d scripts with two faults\n", exchange->name, scripts);
}
