/* SPDX-License-Identifier: MIT */
#include "command/verdict_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command/terminal.h"

static const char *word_of(const json_t *verdict)
{
    if (!json_is_true(json_object_get(verdict, "ok")))
        return "FAILED";
    return json_is_string(json_object_get(verdict, "fix")) ? "warning" : "ok";
}

/* Without what would steer a terminal; the caller frees it. */
static char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return terminal_clean(text != NULL ? text : "");
}

static void print_verdict(const json_t *verdict)
{
    char *check = member(verdict, "check");
    char *says = member(verdict, "says");
    char *fix = member(verdict, "fix");

    printf("%-7s  %-18s  %s\n", word_of(verdict), check, says);
    if (fix[0] != '\0')
        printf("%-7s  %-18s  fix: %s\n", "", "", fix);
    free(check);
    free(says);
    free(fix);
}

int verdict_report_wrong(const json_t *result)
{
    const json_t *verdicts = json_object_get(result, "verdicts");
    int wrong = 0;

    for (size_t i = 0; i < json_array_size(verdicts); i++)
        wrong += json_is_true(json_object_get(json_array_get(verdicts, i), "ok")) ? 0 : 1;
    return wrong;
}

/* What the receiver has said, of which the verdict quotes nothing. */
static void print_body(const json_t *result)
{
    char *body = member(result, "body");

    if (body[0] != '\0')
        printf("\nThe answer begins: %s\n", body);
    free(body);
}

void verdict_report_print(const json_t *result)
{
    const json_t *verdicts = json_object_get(result, "verdicts");
    int wrong = verdict_report_wrong(result);
    int warnings = 0;

    for (size_t i = 0; i < json_array_size(verdicts); i++) {
        const json_t *verdict = json_array_get(verdicts, i);

        print_verdict(verdict);
        warnings += strcmp(word_of(verdict), "warning") == 0 ? 1 : 0;
    }
    print_body(result);
    if (wrong > 0)
        printf("\n%d of %zu %s wrong", wrong, json_array_size(verdicts),
               text_plural(wrong, "is", "are"));
    else
        printf("\nnothing is wrong");
    if (warnings > 0)
        printf(", %d warning%s", warnings, text_plural(warnings, "", "s"));
    putchar('\n');
}
