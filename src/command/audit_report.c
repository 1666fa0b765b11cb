/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/hint.h"
#include "base/text.h"
#include "base/units.h"
#include "command/audit.h"
#include "command/delivery_report.h"
#include "command/report.h"
#include "command/terminal.h"

#define ENDPOINTS_SHOWN 20

enum sheet_column {
    SHEET_CUSTOMER,
    SHEET_URL,
    SHEET_INSERTED,
    SHEET_DELIVERED,
    SHEET_DEAD,
    SHEET_PENDING,
    SHEET_DISCARDED,
    SHEET_DELETED,
    SHEET_ERASED
};

static void add_numbers(struct report *report, const struct audit_line *line)
{
    report_set_number(report, SHEET_INSERTED, line->inserted);
    report_set_number(report, SHEET_DELIVERED, line->delivered);
    report_set_number(report, SHEET_DEAD, line->dead);
    report_set_number(report, SHEET_PENDING, line->pending);
    report_set_number(report, SHEET_DISCARDED, line->discarded);
    report_set_number(report, SHEET_DELETED, line->deleted);
    report_set_number(report, SHEET_ERASED, line->erased);
}

/* The first limit endpoints. */
static struct report *sheet_report(const struct audit_sheet *sheet, size_t limit)
{
    static const struct report_column columns[] = {
        [SHEET_CUSTOMER] = {.key = "customer_id", .title = "CUSTOMER", .is_optional = true},
        [SHEET_URL] = {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL},
        [SHEET_INSERTED] = {.key = "inserted", .title = "INSERTED", .is_number = true},
        [SHEET_DELIVERED] = {.key = "delivered", .title = "DELIVERED", .is_number = true},
        [SHEET_DEAD] = {.key = "dead", .title = "DEAD", .is_number = true},
        [SHEET_PENDING] = {.key = "pending", .title = "PENDING", .is_number = true},
        [SHEET_DISCARDED] = {.key = "discarded", .title = "DISCARDED", .is_number = true},
        [SHEET_DELETED] = {.key = "deleted", .title = "DELETED", .is_number = true},
        [SHEET_ERASED] = {.key = "erased"},
    };
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < sheet->count && i < limit; i++) {
        report_add_row(report);
        report_set_text(report, SHEET_CUSTOMER, sheet->lines[i].customer_id);
        report_set_text(report, SHEET_URL, sheet->lines[i].url);
        add_numbers(report, &sheet->lines[i]);
    }
    return report;
}

static struct report *loss_report(const struct balances *balances)
{
    static const struct report_column columns[] = {
        {.key = "customer_id", .title = "CUSTOMER"},
        {.key = "created_on", .title = "CREATED ON"},
        {.key = "missing", .title = "MISSING", .is_number = true},
    };
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < balances->count; i++) {
        report_add_row(report);
        report_set_text(report, 0, balances->losses[i].customer_id);
        report_set_text(report, 1, balances->losses[i].created_on);
        report_set_number(report, 2, balances->losses[i].missing);
    }
    return report;
}

enum waiting_column {
    WAITING_STATE,
    WAITING_DELIVERIES,
    WAITING_DUE,
    WAITING_DUE_MS,
    WAITING_OLDEST,
    WAITING_CUSTOMER,
    WAITING_URL,
    WAITING_WHY
};

/* Of the problems, or of the others, or of both, the first limit. */
static struct report *waiting_report(const struct audit *audit, bool want_problems,
                                     bool want_others, size_t limit)
{
    static const struct report_column columns[] = {
        [WAITING_STATE] = {.key = "state", .title = "STATE"},
        [WAITING_DELIVERIES] = {.key = "deliveries", .title = "OVERDUE", .is_number = true},
        [WAITING_DUE] = {.title = "FOR", .is_number = true},
        [WAITING_DUE_MS] = {.key = "due_ms_ago"},
        [WAITING_OLDEST] = {.key = "oldest_id", .title = "THE OLDEST"},
        [WAITING_CUSTOMER] = {.key = "customer_id"},
        [WAITING_URL] = {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL},
        [WAITING_WHY] = {.key = "why", .title = "WHY", .cut = REPORT_CUT_END},
    };
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));
    char about[UNITS_TEXT_SIZE];

    for (size_t i = 0; i < audit->waiting.count && report_row_count(report) < limit; i++) {
        const struct audit_waiting *waiting = &audit->waiting.rows[i];

        if (audit->reasons[i].is_problem ? !want_problems : !want_others)
            continue;
        report_add_row(report);
        report_set_text(report, WAITING_STATE, audit->reasons[i].state);
        report_set_number(report, WAITING_DELIVERIES, waiting->deliveries);
        if (!waiting->is_parked && !waiting->is_ordered) {
            report_set_text(report, WAITING_DUE, units_format_about_ms(waiting->due_ms_ago, about));
            report_set_number(report, WAITING_DUE_MS, waiting->due_ms_ago);
        }
        report_set_text(report, WAITING_OLDEST, waiting->oldest_id);
        report_set_text(report, WAITING_CUSTOMER, waiting->customer_id);
        report_set_text(report, WAITING_URL, waiting->url);
        report_set_text(report, WAITING_WHY, audit->reasons[i].why);
    }
    return report;
}

static struct report *contradiction_report(const struct audit_contradictions *contradictions)
{
    static const struct report_column columns[] = {
        {.key = "id", .title = "ID"},
        {.key = "customer_id"},
        {.key = "status", .title = "STATUS"},
        {.key = "endpoint", .title = "ENDPOINT", .cut = REPORT_CUT_URL, .is_optional = true},
        {.key = "what", .title = "WHAT CONTRADICTS ITSELF", .cut = REPORT_CUT_END},
    };
    struct report *report = report_new(columns, ARRAY_LENGTH(columns));

    for (size_t i = 0; i < contradictions->count; i++) {
        const struct audit_contradiction *row = &contradictions->rows[i];

        report_add_row(report);
        report_set_text(report, 0, row->id);
        report_set_text(report, 1, row->customer_id);
        report_set_text(report, 2, row->status);
        report_set_text(report, 3, row->url);
        report_set_text(report, 4, row->what);
    }
    return report;
}

static void print_table(struct report *report, FILE *out)
{
    report_print_table(report, out);
    report_free(report);
}

static void print_more(size_t endpoints, FILE *out)
{
    fprintf(out, "… and %zu more endpoint%s (--all)\n", endpoints,
            text_plural((int64_t)endpoints, "", "s"));
}

static void print_sheet(const struct audit *audit, bool all, FILE *out)
{
    const struct audit_line *total = &audit->sheet.total;
    char time[DELIVERY_TIME_SIZE];

    fprintf(out, "Deliveries created since %s\n", delivery_time(audit->since, time));
    if (audit->is_older)
        fprintf(out, "(of those before %s retention may have deleted some)\n",
                delivery_time(audit->certain, time));
    fputc('\n', out);
    if (audit->sheet.count > 0)
        print_table(sheet_report(&audit->sheet, all ? audit->sheet.count : ENDPOINTS_SHOWN), out);
    if (!all && audit->sheet.count > ENDPOINTS_SHOWN)
        print_more(audit->sheet.count - ENDPOINTS_SHOWN, out);
    fprintf(out,
            "inserted %lld = delivered %lld + dead %lld + pending %lld + discarded %lld"
            " + deleted %lld\n",
            (long long)total->inserted, (long long)total->delivered, (long long)total->dead,
            (long long)total->pending, (long long)total->discarded, (long long)total->deleted);
    if (total->erased > 0)
        fprintf(out, "(%lld of those that are there %s erased: without payload and answers)\n",
                (long long)total->erased, text_plural(total->erased, "is", "are"));
}

static void print_adoption(const struct adoption *adoption, FILE *out)
{
    char time[DELIVERY_TIME_SIZE];

    if (!adoption->is_known)
        return;
    fprintf(out,
            "\nThe table was adopted at %s with %lld row%s of before, of which %lld %s left.\n"
            "What has not been sent since then is not judged by Postrider's rules.\n",
            delivery_time(adoption->adopted_at, time), (long long)adoption->deliveries,
            text_plural(adoption->deliveries, "", "s"), (long long)adoption->left,
            text_plural(adoption->left, "is", "are"));
    if (!adoption->is_agreed)
        fprintf(out, "Retention leaves them alone, until: postrider migrate --retention%s\n",
                hint_options());
}

static void print_balances(const struct balances *balances, FILE *out)
{
    char time[DELIVERY_TIME_SIZE];

    fputc('\n', out);
    if (balances->audited_at == NULL)
        fputs("This is the first audit: the next one finds out whether a row has vanished.\n", out);
    else
        fprintf(out, "The audit of %s counted %lld that must be there: ",
                delivery_time(balances->audited_at, time), (long long)balances->deliveries);
    if (balances->audited_at != NULL && balances->missing == 0)
        fputs("they are.\n", out);
    else if (balances->missing > 0) {
        fprintf(out, "%lld are neither there nor in the ledger of what was deleted.\n",
                (long long)balances->missing);
        print_table(loss_report(balances), out);
    }
    if (!balances->is_kept)
        fputs("Nothing was kept for the next audit.\n", out);
}

static size_t count_waiting(const struct audit *audit, bool is_problem)
{
    size_t count = 0;

    for (size_t i = 0; i < audit->waiting.count; i++)
        count += audit->reasons[i].is_problem == is_problem;
    return count;
}

static void print_waiting(const struct audit *audit, bool want_problems, bool all,
                          const char *title, FILE *out)
{
    size_t count = count_waiting(audit, want_problems);

    if (count == 0)
        return;
    fprintf(out, "\n%s\n", title);
    print_table(waiting_report(audit, want_problems, !want_problems, all ? count : ENDPOINTS_SHOWN),
                out);
    if (!all && count > ENDPOINTS_SHOWN)
        print_more(count - ENDPOINTS_SHOWN, out);
}

static void print_contradictions(const struct audit_contradictions *contradictions, FILE *out)
{
    if (contradictions->total == 0)
        return;
    fputs("\nRows that no worker can have left like this:\n", out);
    print_table(contradiction_report(contradictions), out);
    if (contradictions->total > (int64_t)contradictions->count)
        fprintf(out, "… and %lld more (--limit)\n",
                (long long)contradictions->total - (long long)contradictions->count);
}

bool audit_is_clean(const struct audit *audit)
{
    for (size_t i = 0; i < audit->waiting.count; i++)
        if (audit->reasons[i].is_problem)
            return false;
    return audit->balances.missing == 0 && audit->contradictions.total == 0 && audit->is_ledger_on;
}

void audit_report_print(const struct audit *audit, bool all, FILE *out)
{
    print_sheet(audit, all, out);
    print_adoption(&audit->adoption, out);
    print_balances(&audit->balances, out);
    print_waiting(audit, false, all, "Overdue, and held back for a reason:", out);
    print_waiting(audit, true, all, "Overdue, although nothing is meant to hold them back:", out);
    print_contradictions(&audit->contradictions, out);
    if (!audit->is_ledger_on)
        fputs(
            "\nThe trigger webhook_deliveries_removed is missing or switched off: what is deleted "
            "leaves no trace.\n→ ALTER TABLE webhook_deliveries ENABLE TRIGGER "
            "webhook_deliveries_removed;\n",
            out);
    if (audit->balances.missing > 0 && !audit->balances.is_kept)
        fprintf(out, "\nWhen you know where they have gone:\n→ postrider audit --accept%s\n",
                hint_options());
    fputs(audit_is_clean(audit) ? "\nIt adds up.\n" : "\nIt does not add up.\n", out);
}

static json_t *take_json(struct report *report)
{
    json_t *json = report_json(report);

    report_free(report);
    return json;
}

static json_t *line_json(const struct audit_line *line)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "inserted", (json_int_t)line->inserted,
                     "delivered", (json_int_t)line->delivered, "dead", (json_int_t)line->dead,
                     "pending", (json_int_t)line->pending, "discarded", (json_int_t)line->discarded,
                     "deleted", (json_int_t)line->deleted);
}

static json_t *adoption_json(const struct adoption *adoption)
{
    if (!adoption->is_known)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:b}", "adopted_at", adoption->adopted_at, "deliveries",
                     (json_int_t)adoption->deliveries, "left", (json_int_t)adoption->left,
                     "retention_agreed", adoption->is_agreed);
}

static json_t *balances_json(const struct balances *balances)
{
    return json_pack("{s:s?, s:I, s:I, s:b, s:o}", "audited_at", balances->audited_at, "deliveries",
                     (json_int_t)balances->deliveries, "missing", (json_int_t)balances->missing,
                     "is_kept", balances->is_kept, "losses", take_json(loss_report(balances)));
}

void audit_report_print_json(const struct audit *audit, FILE *out)
{
    report_print_json(
        json_pack("{s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b}", "adds_up",
                  audit_is_clean(audit), "since", audit->since, "certain_since", audit->certain,
                  "total", line_json(&audit->sheet.total), "endpoints",
                  take_json(sheet_report(&audit->sheet, audit->sheet.count)), "adopted",
                  adoption_json(&audit->adoption), "last_audit", balances_json(&audit->balances),
                  "overdue", take_json(waiting_report(audit, true, true, audit->waiting.count)),
                  "contradictions", take_json(contradiction_report(&audit->contradictions)),
                  "contradictions_total", (json_int_t)audit->contradictions.total, "ledger_is_on",
                  audit->is_ledger_on),
        out);
}
