/* SPDX-License-Identifier: MIT */
#include "http/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static enum stream_result explain(const struct stream *stream, CURLcode code,
                                  const char **ret_reason)
{
    long number = 0;

    if (code == CURLE_AGAIN)
        return STREAM_AGAIN;
    curl_easy_getinfo(stream->easy, CURLINFO_OS_ERRNO, &number);
    *ret_reason = number != 0                 ? strerrordesc_np((int)number)
                  : stream->detail[0] != '\0' ? stream->detail
                                              : curl_easy_strerror(code);
    return STREAM_ERROR;
}

static enum stream_result explain_errno(int number, const char **ret_reason)
{
    if (number == EAGAIN || number == EINTR)
        return STREAM_AGAIN;
    *ret_reason = strerrordesc_np(number);
    return STREAM_ERROR;
}

/* One part at a time: libcurl has no call for more, and TLS would make them records of their own.
 */
static enum stream_result send_encrypted(struct stream *stream, const struct iovec *part,
                                         size_t *ret_sent, const char **ret_reason)
{
    size_t sent = 0;
    CURLcode code = curl_easy_send(stream->easy, part->iov_base, part->iov_len, &sent);

    if (code != CURLE_OK)
        return explain(stream, code, ret_reason);
    *ret_sent = sent;
    return STREAM_OK;
}

enum stream_result stream_send(struct stream *stream, const struct iovec *parts, int count,
                               size_t *ret_sent, const char **ret_reason)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    ssize_t sent;

    if (stream->easy != NULL)
        return send_encrypted(stream, &parts[0], ret_sent, ret_reason);
    sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return explain_errno(errno, ret_reason);
    *ret_sent = (size_t)sent;
    return STREAM_OK;
}

static enum stream_result receive_encrypted(struct stream *stream, char *bytes, size_t size,
                                            size_t *ret_length, const char **ret_reason)
{
    CURLcode code = curl_easy_recv(stream->easy, bytes, size, ret_length);

    if (code != CURLE_OK)
        return explain(stream, code, ret_reason);
    return *ret_length > 0 ? STREAM_OK : STREAM_END;
}

enum stream_result stream_receive(struct stream *stream, char *bytes, size_t size,
                                  size_t *ret_length, const char **ret_reason)
{
    ssize_t got;

    if (stream->easy != NULL)
        return receive_encrypted(stream, bytes, size, ret_length, ret_reason);
    got = recv(stream->fd, bytes, size, 0);
    if (got < 0)
        return explain_errno(errno, ret_reason);
    *ret_length = (size_t)got;
    return got > 0 ? STREAM_OK : STREAM_END;
}
