/* SPDX-License-Identifier: MIT */
#include "command/top_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "command/command.h"

/* In the child: what it prints goes to fd alone, and it ends with its parent. */
static void become_child(int fd, bool with_errors, pid_t parent)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(COMMAND_FAILED);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* of the terminal: the parent decides */
    dup2(nowhere, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(with_errors ? fd : nowhere, STDERR_FILENO);
    close(fd);
}

static _Noreturn void run_child(const struct command *command, char **arguments)
{
    int count = 0;
    int status;

    while (arguments[count] != NULL)
        count++;
    status = command->run(command, count, arguments);
    fflush(stdout);
    _exit(status);
}

/* The child's output in *ret_fd; -1: errno says why. */
static pid_t start(const struct command *command, char **arguments, bool with_errors, int *ret_fd)
{
    pid_t parent = getpid();
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        become_child(ends[1], with_errors, parent);
        run_child(command, arguments);
    }
    close(ends[1]);
    if (pid < 0)
        close(ends[0]);
    else
        *ret_fd = ends[0];
    return pid;
}

bool top_feed_start(struct top_feed *feed, const char *config_file, int64_t pause_ms)
{
    char *pause = memory_format("%lldms", (long long)pause_ms);
    char *file = memory_copy_string(config_file);
    char words[][12] = {"status", "--json", "--watch", "-c"};
    char *arguments[] = {words[0], words[1], words[2], pause, words[3], file, NULL};

    feed->pid = start(&command_status, arguments, false, &feed->fd);
    free(pause);
    free(file);
    buffer_init(&feed->line, TOP_LINE_MAX);
    return feed->pid > 0 && fcntl(feed->fd, F_SETFL, O_NONBLOCK) == 0;
}

/* The last whole line; what is behind it stays. */
static json_t *take_line(struct buffer *line)
{
    char *text = buffer_take(line);
    char *end = strrchr(text, '\n');
    json_t *report = NULL;

    buffer_init(line, TOP_LINE_MAX);
    if (end == NULL) {
        buffer_append_string(line, text);
    } else {
        char *begin;

        buffer_append_string(line, end + 1);
        *end = '\0';
        begin = strrchr(text, '\n');
        report = json_loads(begin != NULL ? begin + 1 : text, 0, NULL);
    }
    free(text);
    return report;
}

json_t *top_feed_read(struct top_feed *feed, bool *ret_ended)
{
    char piece[65536];
    ssize_t count;

    *ret_ended = false;
    while ((count = read(feed->fd, piece, sizeof(piece))) > 0)
        buffer_append(&feed->line, piece, (size_t)count);
    if (count == 0 || (errno != EAGAIN && errno != EINTR))
        *ret_ended = true;
    return take_line(&feed->line);
}

void top_feed_stop(struct top_feed *feed)
{
    kill(feed->pid, SIGTERM);
    close(feed->fd);
    waitpid(feed->pid, NULL, 0);
    buffer_free(&feed->line);
}

/* All that comes within TOP_RUN_MS. */
static void read_all(int fd, struct buffer *text)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)TOP_RUN_MS * 1000;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int64_t left_ms;

    while ((left_ms = (until_us - clock_monotonic_us()) / 1000) > 0 &&
           poll(&wait, 1, (int)left_ms) > 0) {
        char piece[4096];
        ssize_t count = read(fd, piece, sizeof(piece));

        if (count <= 0)
            return;
        buffer_append(text, piece, (size_t)count);
    }
}

char *top_explain(const char *id, const char *config_file)
{
    char *file = memory_copy_string(config_file);
    char *value = memory_copy_string(id);
    char words[][12] = {"explain", "-c", "--"};
    char *arguments[] = {words[0], words[1], file, words[2], value, NULL};
    struct buffer text;
    int fd;
    pid_t pid = start(&command_explain, arguments, true, &fd);

    free(file);
    free(value);
    buffer_init(&text, TOP_TEXT_MAX);
    if (pid < 0) {
        buffer_append_format(&text, "can't start: %s", strerror(errno));
        return buffer_take(&text);
    }
    read_all(fd, &text);
    close(fd);
    kill(pid, SIGKILL); /* nothing of it is worth waiting for */
    waitpid(pid, NULL, 0);
    return buffer_take(&text);
}
