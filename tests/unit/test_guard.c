/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/guard.h"

#define PORT 8443

static struct curl_sockaddr address_of(const char *text)
{
    struct curl_sockaddr address = {.socktype = SOCK_STREAM, .protocol = IPPROTO_TCP};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)(void *)&address.addr;

    address.family = AF_INET;
    address.addrlen = sizeof(*ipv4);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(PORT);
    assert_int_equal(inet_pton(AF_INET, text, &ipv4->sin_addr), 1);
    return address;
}

static void test_allowed_one_is_opened(void **state)
{
    struct curl_sockaddr address = address_of("203.0.114.7");
    struct guard guard = {.has_proxy = false};
    struct guard_record record = {0};
    curl_socket_t fd = guard_open_socket(&guard, &address, &record);

    (void)state;
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(record.opened, 1);
    assert_int_equal(record.refused, 0);
    assert_string_equal(record.peer, "203.0.114.7:8443");
    assert_false(guard_is_refusal(&record));
    close(fd);
}

/* The first one is told of, since that is the one that would have been used. */
static void test_forbidden_ones_are_not(void **state)
{
    struct curl_sockaddr first = address_of("10.0.0.1"), second = address_of("127.0.0.1");
    struct curl_sockaddr third = address_of("203.0.114.7");
    struct guard guard = {.has_proxy = false};
    struct guard_record record = {0};
    curl_socket_t fd;

    (void)state;
    assert_int_equal(guard_open_socket(&guard, &first, &record), CURL_SOCKET_BAD);
    assert_int_equal(guard_open_socket(&guard, &second, &record), CURL_SOCKET_BAD);
    assert_int_equal(record.refused, 2);
    assert_int_equal(record.opened, 0);
    assert_int_equal(strncmp(record.refusal, "10.0.0.1 is in private 10.0.0.0/8; add it to ", 45),
                     0);
    assert_true(guard_is_refusal(&record));
    fd = guard_open_socket(&guard, &third, &record);
    assert_true(fd >= 0);
    assert_false(guard_is_refusal(&record));
    close(fd);
}

/* Behind a proxy it is the proxy that is connected to. */
static void test_proxy_is_not_judged(void **state)
{
    struct curl_sockaddr address = address_of("127.0.0.1");
    struct guard guard = {.has_proxy = true};
    struct guard_record record = {0};
    curl_socket_t fd = guard_open_socket(&guard, &address, &record);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
}

static void test_what_is_not_ip_is_not_opened(void **state)
{
    struct curl_sockaddr address = {.family = AF_UNIX, .socktype = SOCK_STREAM};
    struct guard direct = {.has_proxy = false}, behind = {.has_proxy = true};
    struct guard_record record = {0};

    (void)state;
    address.addr.sa_family = AF_UNIX;
    assert_int_equal(guard_open_socket(&direct, &address, &record), CURL_SOCKET_BAD);
    assert_int_equal(guard_open_socket(&behind, &address, &record), CURL_SOCKET_BAD);
    assert_int_equal(record.opened, 0);
}

static void test_peers(void **state)
{
    char peer[GUARD_PEER_SIZE];

    (void)state;
    guard_format_peer("203.0.113.7", 443, peer);
    assert_string_equal(peer, "203.0.113.7:443");
    guard_format_peer("2001:db8::7", 443, peer);
    assert_string_equal(peer, "[2001:db8::7]:443");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed_one_is_opened),
        cmocka_unit_test(test_forbidden_ones_are_not),
        cmocka_unit_test(test_proxy_is_not_judged),
        cmocka_unit_test(test_what_is_not_ip_is_not_opened),
        cmocka_unit_test(test_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
