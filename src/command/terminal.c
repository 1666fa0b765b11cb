/* SPDX-License-Identifier: MIT */
#include "command/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "base/memory.h"
#include "base/units.h"

#define WIDTH_DEFAULT 80
#define ELLIPSIS      L'…'
#define REPLACEMENT   L'\xfffd'

size_t terminal_width(FILE *out)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    struct error ignored;
    int64_t width;

    if (!isatty(fileno(out)))
        return 0;
    if (columns != NULL && units_parse_integer(columns, &width, &ignored) && width > 0)
        return (size_t)width;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return WIDTH_DEFAULT;
}

/* Bytes that are no character in this locale become U+FFFD, one by one. */
static wchar_t *widen(const char *text)
{
    size_t length = strlen(text);
    wchar_t *wide = memory_new(length + 1, sizeof(*wide));
    mbstate_t state = {0};
    size_t used = 0;

    for (size_t i = 0; i < length;) {
        size_t bytes = mbrtowc(&wide[used], text + i, length - i, &state);

        if (bytes == (size_t)-1 || bytes == (size_t)-2) {
            wide[used] = REPLACEMENT;
            state = (mbstate_t){0};
            bytes = 1;
        }
        i += bytes;
        used++;
    }
    return wide;
}

static char *narrow(const wchar_t *wide)
{
    size_t size = wcslen(wide) * MB_CUR_MAX + 1;
    char *text = memory_new(size, 1);

    if (wcstombs(text, wide, size) == (size_t)-1)
        snprintf(text, size, "?");
    return text;
}

/* What makes a terminal show other characters backwards: an address can look like another. */
static bool turns_direction(wchar_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
           c == 0x200f || c == 0x061c;
}

char *terminal_clean(const char *text)
{
    wchar_t *wide = widen(text);
    char *clean;

    for (wchar_t *c = wide; *c != L'\0'; c++) {
        if (*c == L'\n' || *c == L'\t' || *c == L'\r')
            *c = L' ';
        else if (!iswprint((wint_t)*c) || wcwidth(*c) < 0 || turns_direction(*c))
            *c = REPLACEMENT;
    }
    clean = narrow(wide);
    free(wide);
    return clean;
}

static size_t wide_columns(const wchar_t *wide, size_t count)
{
    int columns = wcswidth(wide, count);

    return columns < 0 ? count : (size_t)columns;
}

size_t terminal_columns(const char *text)
{
    wchar_t *wide = widen(text);
    size_t columns = wide_columns(wide, wcslen(wide));

    free(wide);
    return columns;
}

/* How many characters from the start (or, backwards, from the end) fit in columns. */
static size_t fitting(const wchar_t *wide, size_t length, size_t columns, bool backwards)
{
    size_t count = 0;

    while (count < length &&
           wide_columns(wide + (backwards ? length - count - 1 : 0), count + 1) <= columns)
        count++;
    return count;
}

char *terminal_cut(const char *text, size_t width, bool in_middle)
{
    wchar_t *wide = widen(text);
    size_t length = wcslen(wide);
    char *cut;

    if (wide_columns(wide, length) > width && width > 0) {
        size_t tail_columns = in_middle ? (width - 1) * 2 / 5 : 0;
        size_t head = fitting(wide, length, width - 1 - tail_columns, false);
        size_t tail = fitting(wide, length, tail_columns, true);

        wide[head] = ELLIPSIS;
        wmemmove(wide + head + 1, wide + length - tail, tail + 1);
    }
    cut = narrow(wide);
    free(wide);
    return cut;
}

void terminal_print_wrapped(const char *text, size_t indent, FILE *out)
{
    size_t width = terminal_width(out);
    char *clean = terminal_clean(text);
    size_t used = indent;
    char *rest = clean;
    char *word;

    while (width > 0 && (word = strsep(&rest, " ")) != NULL) {
        size_t columns = terminal_columns(word);

        if (used > indent && used + 1 + columns > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            used = indent;
        }
        if (used > indent) {
            fputc(' ', out);
            used++;
        }
        fputs(word, out);
        used += columns;
    }
    if (width == 0)
        fputs(clean, out);
    fputc('\n', out);
    free(clean);
}
