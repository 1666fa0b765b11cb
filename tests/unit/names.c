/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

#include "base/compiler.h"

sem_t slow_names;
atomic_int slow_ended;
atomic_int asked_family;

static const struct {
    const char *name;
    const char *addresses[4];
} names[] = {
    {"private.test", {"10.0.0.1", "192.168.1.1"}},
    {"mixed.test", {"10.0.0.1", "127.0.0.1"}},
    {"mixed6.test", {"::1", "127.0.0.1"}},
    {"hidden.test", {"::ffff:10.0.0.1"}},
    {"loopback.test", {"127.0.0.1"}},
    {"slow.test", {"127.0.0.1"}},
    {"dropped.test", {"127.0.0.2", "127.0.0.1"}},
    {"dropped-twice.test", {"127.0.0.2", "127.0.0.3", "127.0.0.1"}},
    {"refused-dropped.test", {"127.0.0.9", "127.0.0.2", "127.0.0.1"}},
    {"dropped-refused.test", {"127.0.0.2", "127.0.0.9", "127.0.0.1"}},
    {"alive-dropped.test", {"127.0.0.1", "127.0.0.2", "127.0.0.3"}},
    {"dropped6.test", {"::1", "127.0.0.2", "127.0.0.1"}},
    {"all-dropped.test", {"127.0.0.2", "127.0.0.3"}},
    {"metadata.test", {"169.254.169.254"}},
};

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int resolve_listed(resolve *real, const char *const *addresses, const char *service,
                          const struct addrinfo *hints, struct addrinfo **ret_list)
{
    int result = EAI_NONAME;

    *ret_list = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(names[0].addresses) && addresses[i] != NULL; i++) {
        struct addrinfo *one;
        struct addrinfo **end = ret_list;

        result = real(addresses[i], service, hints, &one);
        if (result != 0)
            break;
        while (*end != NULL)
            end = &(*end)->ai_next;
        *end = one;
    }
    return result;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    resolve *real = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");

    if (strcmp(name, "loopback.test") == 0)
        asked_family = hints->ai_family;
    if (strcmp(name, "slow.test") == 0) {
        sem_wait(&slow_names);
        slow_ended++;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i].name) == 0)
            return resolve_listed(real, names[i].addresses, service, hints, ret_list);
    }
    if (strstr(name, ".test") != NULL)
        return EAI_NONAME;
    return real(name, service, hints, ret_list);
}

void names_begin(void)
{
    sem_init(&slow_names, 0, 0);
}
