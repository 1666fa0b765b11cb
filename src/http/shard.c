#include "http/shard.h"

#include <event2/event.h>
#include <limits.h>

#include "base/compiler.h"

static void must(CURLMcode code, const char *what)
{
    if (code != CURLM_OK)
        bug("%s: %s", what, curl_multi_strerror(code));
}

static void act(struct shard *shard, curl_socket_t fd, int flags)
{
    int running = 0;

    must(curl_multi_socket_action(shard->multi, fd, flags, &running), "curl_multi_socket_action");
    shard->ended = shard->added - (size_t)running;
    if (shard->ended > 0)
        shard->on_ended(shard->owner);
}

void shard_on_ready(struct shard *shard, int fd, int flags)
{
    act(shard, fd, flags);
}

static void on_timer_event(evutil_socket_t fd, short events, void *argument)
{
    (void)fd;
    (void)events;
    act(argument, CURL_SOCKET_TIMEOUT, 0);
}

static int on_multi_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    struct shard *shard = user;

    (void)easy;
    (void)socket_user;
    watch_set(shard->watches, shard, fd, what);
    return 0;
}

/* Never acts by itself, not even at once: libcurl calls this from inside its own functions. */
static int on_multi_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct shard *shard = user;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0)
        event_del(&shard->timer);
    else
        event_add(&shard->timer, &timeout);
    return 0;
}

void shard_init(struct shard *shard, struct event_base *base, struct watch_table *watches,
                shard_ended *on_ended, void *owner)
{
    *shard = (struct shard){
        .multi = curl_multi_init(),
        .watches = watches,
        .on_ended = on_ended,
        .owner = owner,
    };
    if (shard->multi == NULL)
        bug("curl_multi_init() failed");
    event_assign(&shard->timer, base, -1, 0, on_timer_event, shard);
    must(curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_multi_socket), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_multi_timer), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard), "setopt");
    must(curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING), "setopt");
}

void shard_free(struct shard *shard)
{
    must(curl_multi_cleanup(shard->multi), "curl_multi_cleanup");
    event_del(&shard->timer);
}

void shard_add(struct shard *shard, CURL *easy)
{
    must(curl_multi_add_handle(shard->multi, easy), "curl_multi_add_handle");
    shard->added++;
}

void shard_remove(struct shard *shard, CURL *easy)
{
    must(curl_multi_remove_handle(shard->multi, easy), "curl_multi_remove_handle");
    shard->added--;
}

CURL *shard_take_ended(struct shard *shard, CURLcode *ret_code)
{
    while (shard->ended > 0) {
        int left;
        CURLMsg *message = curl_multi_info_read(shard->multi, &left);
        CURL *easy;

        if (message == NULL) {
            shard->ended = 0;
            break;
        }
        if (message->msg != CURLMSG_DONE)
            continue;
        *ret_code = message->data.result;
        easy = message->easy_handle; /* the message is gone with the next call */
        shard->ended--;
        shard_remove(shard, easy);
        return easy;
    }
    return NULL;
}

void shard_limit_connections(struct shard *shard, size_t limit)
{
    long value = limit < 1 ? 1 : limit > INT_MAX ? INT_MAX : (long)limit;

    if (value != shard->max_connections)
        must(curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, value), "setopt");
    shard->max_connections = value;
}
