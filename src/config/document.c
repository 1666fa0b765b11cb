/* SPDX-License-Identifier: MIT */
#include "config/document.h"

#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

/* More than one of these is the same mistake again. */
struct structure {
    bool has_second_document;
    int depth;
    struct mistakes *mistakes;
};

static struct place mark_place(yaml_mark_t mark)
{
    return (struct place){mark.line + 1, mark.column + 1};
}

struct place document_place(const yaml_node_t *node)
{
    return mark_place(node->start_mark);
}

/* Counts characters as libyaml does, so that columns agree. */
static struct place offset_place(const char *text, size_t offset)
{
    struct place place = {1, 1};

    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n')
            place = (struct place){place.line + 1, 1};
        else if (((unsigned char)text[i] & 0xC0) != 0x80)
            place.column++;
    }
    return place;
}

/* libyaml finds bad bytes too, but stops at a NUL and does not say where it was. */
static bool check_bytes(const char *text, size_t length, struct mistakes *mistakes)
{
    struct buffer clean;
    size_t same = 0;
    bool ok;

    buffer_init(&clean, length * 3 + 1);
    text_append_clean(&clean, text, length);
    while (same < length && same < clean.length && text[same] == clean.data[same])
        same++;
    ok = same == length;
    if (!ok)
        mistakes_add(mistakes, offset_place(text, same), NULL,
                     "the byte 0x%02x is not UTF-8 text; save the file as UTF-8",
                     (unsigned)(unsigned char)text[same]);
    buffer_free(&clean);
    return ok;
}

static bool is_tab_at(const char *text, yaml_mark_t mark)
{
    for (; mark.line > 0 && text != NULL; mark.line--) {
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
    /* A tab that can't stand where it is has nothing but blanks before it. */
    return text != NULL && strspn(text, " \t") > mark.column && text[mark.column] == '\t';
}

static void add_syntax_mistake(const yaml_parser_t *parser, const char *text,
                               struct mistakes *mistakes)
{
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    struct place place = mark_place(parser->problem_mark);

    if (parser->error == YAML_READER_ERROR) {
        mistakes_add(mistakes, offset_place(text, parser->problem_offset), NULL,
                     "not valid YAML: %s (0x%02x); write it as an escape in double quotes", problem,
                     (unsigned)parser->problem_value);
        return;
    }
    if (is_tab_at(text, parser->problem_mark))
        mistakes_add(mistakes, place, NULL,
                     "not valid YAML: a tab in the indentation; use spaces (the rest was not "
                     "checked)");
    else if (parser->context != NULL)
        mistakes_add(mistakes, place, NULL,
                     "not valid YAML: %s, %s (line %zu); the rest was not checked", problem,
                     parser->context, parser->context_mark.line + 1);
    else
        mistakes_add(mistakes, place, NULL, "not valid YAML: %s; the rest was not checked",
                     problem);
}

static void check_properties(const yaml_event_t *event, const yaml_char_t *anchor,
                             const yaml_char_t *tag, struct structure *structure)
{
    struct place place = mark_place(event->start_mark);

    if (anchor != NULL)
        mistakes_add(structure->mistakes, place, NULL,
                     "the anchor &%.64s has no use here; aliases are not supported",
                     (const char *)anchor);
    if (tag != NULL)
        mistakes_add(structure->mistakes, place, NULL,
                     "the tag %.64s has no use here; types are known from the keys",
                     (const char *)tag);
}

/* False when the nesting is too deep to read on. */
static bool enter(const yaml_event_t *event, struct structure *structure)
{
    if (++structure->depth <= DOCUMENT_DEPTH_MAX)
        return true;
    mistakes_add(structure->mistakes, mark_place(event->start_mark), NULL,
                 "lists and mappings are nested deeper than %d; the rest was not checked",
                 DOCUMENT_DEPTH_MAX);
    return false;
}

/* False when the text should not be read on. */
static bool check_event(const yaml_event_t *event, struct structure *structure)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (structure->has_second_document) {
            mistakes_add(structure->mistakes, mark_place(event->start_mark), NULL,
                         "a second document begins; a configuration is one");
            return false;
        }
        structure->has_second_document = true;
        return true;
    case YAML_ALIAS_EVENT:
        mistakes_add(structure->mistakes, mark_place(event->start_mark), NULL,
                     "the alias *%.64s is not supported; write the value out",
                     (const char *)event->data.alias.anchor);
        return true;
    case YAML_SCALAR_EVENT:
        check_properties(event, event->data.scalar.anchor, event->data.scalar.tag, structure);
        return true;
    case YAML_SEQUENCE_START_EVENT:
        check_properties(event, event->data.sequence_start.anchor, event->data.sequence_start.tag,
                         structure);
        return enter(event, structure);
    case YAML_MAPPING_START_EVENT:
        check_properties(event, event->data.mapping_start.anchor, event->data.mapping_start.tag,
                         structure);
        return enter(event, structure);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        structure->depth--;
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

static void parser_begin(yaml_parser_t *parser, const char *text, size_t length)
{
    if (!yaml_parser_initialize(parser))
        bug("out of memory");
    yaml_parser_set_input_string(parser, (const unsigned char *)text, length);
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
}

static bool check_structure(const char *text, size_t length, struct mistakes *mistakes)
{
    struct structure structure = {.mistakes = mistakes};
    yaml_parser_t parser;
    bool go_on = true;
    bool at_end = false;

    parser_begin(&parser, text, length);
    while (go_on && !at_end && !mistakes->is_cut) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            add_syntax_mistake(&parser, text, mistakes);
            break;
        }
        go_on = check_event(&event, &structure);
        at_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return at_end;
}

bool document_parse(const char *text, size_t length, struct mistakes *mistakes,
                    yaml_document_t *ret_document)
{
    yaml_parser_t parser;
    bool done;

    if (!check_bytes(text, length, mistakes) || !check_structure(text, length, mistakes))
        return false;
    parser_begin(&parser, text, length);
    done = yaml_parser_load(&parser, ret_document) != 0;
    if (!done && mistakes->count == 0) /* else an alias without its anchor, said already */
        add_syntax_mistake(&parser, text, mistakes);
    yaml_parser_delete(&parser);
    return done;
}

const char *document_scalar_text(const yaml_node_t *node)
{
    const char *text;

    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static size_t digits_length(const char *text)
{
    return strspn(text, "0123456789");
}

static bool is_integer(const char *text)
{
    if (strncmp(text, "0o", 2) == 0)
        return text[2] != '\0' && text[2 + strspn(text + 2, "01234567")] == '\0';
    if (strncmp(text, "0x", 2) == 0)
        return text[2] != '\0' && text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0';
    if (*text == '-' || *text == '+')
        text++;
    return *text != '\0' && text[digits_length(text)] == '\0';
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_number(const char *text)
{
    size_t before;
    size_t after = 0;

    if (*text == '-' || *text == '+')
        text++;
    before = digits_length(text);
    text += before;
    if (*text == '.') {
        after = digits_length(++text);
        text += after;
    }
    if (before + after == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        if (*text == '-' || *text == '+')
            text++;
        return *text != '\0' && text[digits_length(text)] == '\0';
    }
    return *text == '\0';
}

static bool is_special_number(const char *text)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const not_numbers[] = {".nan", ".NaN", ".NAN", NULL};

    if (is_one_of(text, not_numbers))
        return true;
    return is_one_of(*text == '-' || *text == '+' ? text + 1 : text, infinities);
}

enum scalar_kind document_scalar_kind(const yaml_node_t *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const booleans[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    const char *text = (const char *)node->data.scalar.value;

    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return SCALAR_TEXT;
    if (is_one_of(text, nulls))
        return SCALAR_NULL;
    if (is_one_of(text, booleans))
        return SCALAR_BOOLEAN;
    if (is_integer(text))
        return SCALAR_INTEGER;
    return is_number(text) || is_special_number(text) ? SCALAR_NUMBER : SCALAR_TEXT;
}
