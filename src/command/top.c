/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hint.h"
#include "base/units.h"
#include "command/arguments.h"
#include "command/database.h"
#include "command/status_reading.h"
#include "command/top_feed.h"
#include "command/top_view.h"

#define PAUSE_DEFAULT_MS 2000
#define PAUSE_MIN_MS     100
#define RATES_US         15000000 /* workers say what they have done every few seconds */
#define TABLE_LINE       6
#define ESCAPE           27
#define PAIR_TROUBLE     1

static const char help_text[] =
    "usage: postrider top [OPTION]...\n"
    "\n"
    "Shows on the terminal what \"postrider status\" reports, again and again: the queue, rates,\n"
    "lanes, what is wrong, and the endpoints by their trouble.\n"
    "\n"
    "Keys: s sort, / filter, space pause, arrows choose, enter explains the endpoint's oldest\n"
    "pending delivery, i explains one by its ID, q quits. No colours where NO_COLOR is set.\n"
    "\n"
    "      --every TIME        the pause between two reports (2s)\n"
    "  -c, --config FILE       the configuration (" COMMAND_DEFAULT_CONFIG ")\n";

struct top {
    const char *config_file;
    struct top_feed feed;
    json_t *report, *base; /* the newest one, and an older one for the rates */
    int64_t report_us, base_us;
    char away[200]; /* why there is no newer one; "": there is */
    struct top_view view;
    enum top_sort sort;
    char filter[TOP_FILTER_SIZE];
    size_t chosen;
    bool is_paused, is_ascii, has_ended;
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

/* --- what is shown --- */

static void show_line(const struct top *top, int line, int attributes, const char *text)
{
    char *clean = top_clean(text, COLS > 1 ? (size_t)COLS - 1 : 1, top->is_ascii, false);

    attron(attributes);
    mvaddstr(line, 0, clean);
    attroff(attributes);
    free(clean);
}

static void show_format(const struct top *top, int line, int attributes, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void show_format(const struct top *top, int line, int attributes, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    show_line(top, line, attributes, text);
}

static const char *count_text(int64_t count, char text[24])
{
    if (count < 0)
        return "?";
    snprintf(text, 24, "%lld", (long long)count);
    return text;
}

static const char *rate_text(double rate, char text[24])
{
    if (rate < 0)
        return "?";
    snprintf(text, 24, rate < 10 ? "%.1f/s" : "%.0f/s", rate);
    return text;
}

static int trouble_attributes(void)
{
    return has_colors() ? (int)COLOR_PAIR(PAIR_TROUBLE) | (int)A_BOLD : (int)A_BOLD;
}

static void show_head(const struct top *top)
{
    const struct top_view *view = &top->view;
    char a[24], b[24], c[24], d[24], e[24], about[UNITS_TEXT_SIZE];

    show_format(top, 0, (int)A_BOLD, "postrider top: %s on %s, %s%s",
                top_text(top->report, "database"), top_text(top->report, "host"),
                top_text(top->report, "time"), top->is_paused ? "  PAUSED" : "");
    show_format(top, 1, 0,
                "due %s  in retry %s  for later %s  oldest due %s  dead %s (%s in the hour)",
                count_text(view->due, a), count_text(view->retrying, b), count_text(view->later, c),
                view->oldest_due_ms < 0 ? "-" : units_format_about_ms(view->oldest_due_ms, about),
                count_text(view->dead, d), count_text(view->dead_last_hour, e));
    show_format(top, 2, 0,
                "delivered %s  retried %s  died %s  in flight %lld  workers %zu  free lanes %s",
                rate_text(view->rates.delivered, a), rate_text(view->rates.retried, b),
                rate_text(view->rates.failed, c), (long long)view->in_flight, view->workers,
                count_text(view->free_lanes, d));
}

static void show_problems(const struct top *top)
{
    const json_t *problems = json_object_get(top->report, "problems");
    size_t count = json_array_size(problems);

    if (top->away[0] != '\0')
        show_format(top, 3, trouble_attributes(), "NO NEWS: %s", top->away);
    else if (count == 0)
        show_line(top, 3, 0,
                  top->report != NULL ? "Nothing is wrong." : "waiting for the first report");
    else
        show_format(top, 3, trouble_attributes(), "PROBLEM 1 of %zu: %s", count,
                    top_text(json_array_get(problems, 0), "what"));
}

static void show_row(const struct top *top, int line, const struct top_row *row, bool is_chosen)
{
    size_t width = COLS > 60 ? (size_t)(COLS - 30) / 2 : 20;
    char *url = top_clean(row->url, width, top->is_ascii, true);
    char a[24], b[24], c[24];
    size_t padding = width;

    for (const char *at = url; *at != '\0'; at++)
        padding -= padding > 0 && (*at & 0xc0) != 0x80;
    show_format(top, line, is_chosen ? (int)A_REVERSE : 0, "%s%*s %8s %8s %8s  %s%s", url,
                (int)padding, "", count_text(row->due, a), count_text(row->retrying, b),
                count_text(row->failures, c), row->is_disabled ? "disabled: " : "", row->error);
    free(url);
}

static void show_table(struct top *top)
{
    size_t room = LINES > TABLE_LINE + 1 ? (size_t)(LINES - TABLE_LINE - 1) : 0;
    size_t first;
    int width = COLS > 60 ? (COLS - 30) / 2 : 20;

    if (top->chosen >= top->view.count)
        top->chosen = top->view.count > 0 ? top->view.count - 1 : 0;
    first = room > 0 && top->chosen >= room ? top->chosen - room + 1 : 0;
    show_format(top, TABLE_LINE - 1, (int)A_UNDERLINE, "%-*s %8s %8s %8s  %s", width, "ENDPOINT",
                "DUE", "IN RETRY", "FAILED/H", "LAST ERROR");
    for (size_t i = 0; i < room && first + i < top->view.count; i++)
        show_row(top, TABLE_LINE + (int)i, &top->view.rows[first + i], first + i == top->chosen);
}

static void show(struct top *top)
{
    top->view = top_view_make(top->report, top->base, (top->report_us - top->base_us) / 1000,
                              top->sort, top->filter);
    erase();
    show_head(top);
    show_problems(top);
    show_table(top);
    show_format(top, LINES - 1, (int)A_DIM,
                "q quit  s sort: %s  / filter: %s  space pause  enter explain  i by ID",
                top_sort_name(top->sort), top->filter[0] != '\0' ? top->filter : "none");
    refresh();
}

/* --- keys --- */

/* Reads a line at the bottom; false: escape. */
static bool ask(const struct top *top, const char *question, char *answer, size_t size)
{
    size_t used = 0;
    int key;

    answer[0] = '\0';
    nodelay(stdscr, FALSE);
    do {
        move(LINES - 1, 0);
        clrtoeol();
        show_format(top, LINES - 1, (int)A_BOLD, "%s%s", question, answer);
        refresh();
        key = getch();
        if ((key == KEY_BACKSPACE || key == 127 || key == 8) && used > 0)
            answer[--used] = '\0';
        else if (key >= ' ' && key < 127 && used + 1 < size) {
            answer[used++] = (char)key;
            answer[used] = '\0';
        }
    } while (key != '\n' && key != KEY_ENTER && key != ESCAPE && is_over == 0);
    nodelay(stdscr, TRUE);
    return key != ESCAPE && is_over == 0;
}

static void explain(struct top *top, const char *id)
{
    char *text, *line, *rest;
    int at = 0;

    erase();
    show_format(top, 0, (int)A_BOLD, "explain %s …", id);
    refresh();
    text = rest = top_explain(id, top->config_file);
    erase();
    while ((line = strsep(&rest, "\n")) != NULL && at < LINES - 1) {
        /* A sentence goes on in the next line. */
        for (size_t length = strlen(line); at < LINES - 1;) {
            size_t width = COLS > 1 ? (size_t)COLS - 1 : 1;
            size_t part = length < width ? length : width;

            show_format(top, at++, 0, "%.*s", (int)part, line);
            line += part;
            length -= part;
            if (length == 0)
                break;
        }
    }
    free(text);
    show_line(top, LINES - 1, (int)A_BOLD, "any key goes back");
    refresh();
    nodelay(stdscr, FALSE);
    (void)getch();
    nodelay(stdscr, TRUE);
}

static void explain_chosen(struct top *top)
{
    if (top->chosen < top->view.count && top->view.rows[top->chosen].oldest_delivery[0] != '\0')
        explain(top, top->view.rows[top->chosen].oldest_delivery);
}

static void on_key(struct top *top, int key)
{
    char id[64];

    if (key == 'q')
        is_over = 1;
    else if (key == 's')
        top->sort = (enum top_sort)((top->sort + 1) % TOP_SORTS);
    else if (key == ' ' || key == 'p')
        top->is_paused = !top->is_paused;
    else if (key == '/' && !ask(top, "filter: ", top->filter, sizeof(top->filter)))
        top->filter[0] = '\0';
    else if (key == KEY_UP && top->chosen > 0)
        top->chosen--;
    else if (key == KEY_DOWN)
        top->chosen++;
    else if (key == '\n' || key == KEY_ENTER)
        explain_chosen(top);
    else if (key == 'i' && ask(top, "explain ID: ", id, sizeof(id)) && id[0] != '\0')
        explain(top, id);
}

/* --- the loop --- */

static void take_report(struct top *top, json_t *report)
{
    int64_t now_us = clock_monotonic_us();

    if (json_object_get(report, "error") != NULL) {
        snprintf(top->away, sizeof(top->away), "%s", top_text(report, "error"));
        json_decref(report);
        return;
    }
    top->away[0] = '\0';
    if (top->is_paused) {
        json_decref(report);
        return;
    }
    if (top->base == NULL || now_us - top->base_us > RATES_US) {
        json_decref(top->base);
        top->base = json_incref(top->report != NULL ? top->report : report);
        top->base_us = top->report != NULL ? top->report_us : now_us;
    }
    json_decref(top->report);
    top->report = report;
    top->report_us = now_us;
}

static void run_loop(struct top *top)
{
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = top->feed.fd, .events = POLLIN}};

    while (is_over == 0 && !top->has_ended) {
        json_t *report;
        int key;

        show(top);
        /* A change of the terminal's size ends the wait, and comes as a key. */
        if (poll(waits, 2, -1) > 0 && (waits[0].revents & (POLLHUP | POLLERR)) != 0)
            return;
        while (is_over == 0 && (key = getch()) != ERR)
            on_key(top, key);
        report = top_feed_read(&top->feed, &top->has_ended);
        if (report != NULL)
            take_report(top, report);
    }
}

/* True where the locale of who looks has no UTF-8, whatever this program's own is. */
static bool is_ascii_alone(void)
{
    locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    bool is_utf8 = own != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, own), "UTF-8") == 0;

    if (own != (locale_t)0)
        freelocale(own);
    return !is_utf8;
}

static void catch_signals(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        sigaction(numbers[i], &action, NULL);
}

/* Asked of its description alone: newterm() keeps what it has made of one that it doesn't like. */
static bool can_draw(void)
{
    int ignored;
    bool can;

    if (setupterm(NULL, STDOUT_FILENO, &ignored) != OK)
        return false;
    can = cursor_address != NULL;
    del_curterm(cur_term);
    return can;
}

/* False where the terminal is not one to be drawn on. */
static bool open_screen(SCREEN **ret_screen, struct error *error)
{
    *ret_screen = can_draw() ? newterm(NULL, stdout, stdin) : NULL;
    if (*ret_screen == NULL) {
        error_set(error, "the terminal can't be drawn on, or its type (TERM) is not known");
        return error_hint(error, "postrider status --watch%s", hint_options());
    }
    set_escdelay(25);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (getenv("NO_COLOR") == NULL && has_colors() && start_color() == OK) {
        use_default_colors();
        init_pair(PAIR_TROUBLE, COLOR_RED, -1);
    }
    return true;
}

static int watch(struct top *top)
{
    struct error error = {0};
    SCREEN *screen = NULL;
    bool is_open;

    catch_signals(); /* before ncurses does */
    is_open = open_screen(&screen, &error);
    if (is_open) {
        run_loop(top);
        erase();
        refresh();
        endwin();
    }
    if (screen != NULL)
        delscreen(screen);
    if (is_open && top->has_ended && is_over == 0)
        error_set(&error, "what reads the reports has ended: try postrider status%s",
                  hint_options());
    return error.message[0] != '\0' ? command_fail(COMMAND_FAILED, &error) : COMMAND_OK;
}

/* What is wrong at the start is said as other commands say it; what is wrong later is shown. */
static int look_once(const char *config_file)
{
    struct database database;
    struct status first;
    struct error error = {0};
    int status = database_open(config_file, &database);

    if (status != COMMAND_OK)
        return status;
    if (!status_read(&database, &first, &error))
        status = database_fail(&database, &error);
    overview_free(&first.overview);
    database_close(&database);
    return status;
}

static int run_top(const struct command *self, int argc, char **argv)
{
    struct top top = {.is_ascii = is_ascii_alone()};
    struct error error = {0};
    int64_t pause_ms = PAUSE_DEFAULT_MS;
    const struct argument options[] = {
        {.name = "every", .duration_ms = &pause_ms, .minimum = PAUSE_MIN_MS}, {0}};
    struct arguments arguments = {.options = options};
    int status = arguments_parse(self, argc, argv, &arguments);

    if (status != ARGUMENTS_OK)
        return status;
    status = look_once(arguments.config_file);
    if (status != COMMAND_OK)
        return status;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1) {
        error_set(&error, "this needs a terminal");
        error_hint(&error, "postrider status --watch%s", hint_options());
        return command_fail(COMMAND_FAILED, &error);
    }
    top.config_file = arguments.config_file;
    if (!top_feed_start(&top.feed, top.config_file, pause_ms)) {
        error_set(&error, "can't start what reads the reports: %s", strerror(errno));
        return command_fail(COMMAND_FAILED, &error);
    }
    status = watch(&top);
    top_feed_stop(&top.feed);
    json_decref(top.report);
    json_decref(top.base);
    return status;
}

const struct command command_top = {
    .name = "top",
    .summary = "watch queue, rates and endpoints on the terminal",
    .help = help_text,
    .run = run_top,
};
