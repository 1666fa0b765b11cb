/* SPDX-License-Identifier: MIT */
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "listen/accepting.h"
#include "listen/socket.h"

#define FILES_MAX 64
#define ROOM      2

static int accepts;     /* how often a client was asked for */
static int taken[ROOM]; /* clients */
static int taken_count;
static int files[FILES_MAX];
static size_t files_count;

/* The real one, counted. */
int accept4(int socket, struct sockaddr *restrict address, socklen_t *restrict length, int flags)
{
    accepts++;
    return (int)syscall(SYS_accept4, socket, address, length, flags);
}

static bool on_client(void *owner, int socket)
{
    (void)owner;
    taken[taken_count++] = socket;
    return taken_count < ROOM;
}

static int connect_client(const struct listen_socket *listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s",
             listening->address + sizeof("unix:") - 1);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

static void use_all_files(void)
{
    struct rlimit few = {FILES_MAX, FILES_MAX};
    int file;

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((file = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        files[files_count++] = file;
}

static void turns(struct event_base *base, int count)
{
    for (int i = 0; i < count; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static void test_no_file_is_left(void **state)
{
    char path[] = "unix:/tmp/accepting-XXXXXX/socket";
    struct event_base *base = event_base_new();
    struct listen_socket listening;
    struct accepting *accepting;
    struct error error;
    char *directory = path + sizeof("unix:") - 1;
    char *slash = strrchr(path, '/');
    int clients[3];

    (void)state;
    *slash = '\0';
    assert_non_null(mkdtemp(directory));
    *slash = '/';
    assert_true(listen_socket_open(&listening, path, "http.listen", &error));
    accepting = accepting_new(base, &listening, on_client, NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        clients[i] = connect_client(&listening);
    use_all_files();
    turns(base, 1000);
    assert_int_equal(accepts, 1);
    assert_int_equal(taken_count, 0);
    /* Room that comes and goes does not end the pause. */
    accepting_set_room(accepting, false);
    accepting_set_room(accepting, true);
    turns(base, 10);
    assert_int_equal(accepts, 1);
    while (files_count > 0)
        close(files[--files_count]);
    event_base_loop(base, EVLOOP_ONCE); /* the pause is over */
    turns(base, 10);
    assert_int_equal(taken_count, ROOM);
    assert_int_equal(accepts, 1 + ROOM); /* the third one waits */
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        close(clients[i]);
    for (int i = 0; i < taken_count; i++)
        close(taken[i]);
    accepting_free(accepting);
    listen_socket_close(&listening);
    event_base_free(base);
    *slash = '\0';
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_file_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
