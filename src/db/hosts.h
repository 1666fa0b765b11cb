/* SPDX-License-Identifier: MIT */
/*
 * db/hosts.h: which of a URL's hosts a link tries first.
 *
 * libpq begins with the first host of a list each time and goes on to the next one only when it is
 * refused there. A host that does not answer (its machine is gone, or a pooler waits for a server
 * that is gone) would be waited for again and again, and one that only believes to take writes (a
 * pooler that remembers what its server was) would be taken again and again. So an attempt that
 * came to nothing is followed by one that begins with the next host.
 *
 * Lists that come from PGHOST or a service file are left as they are.
 */
#ifndef POSTRIDER_DB_HOSTS_H
#define POSTRIDER_DB_HOSTS_H

/* Values of libpq's keywords, owned; NULL = what the URL says. */
struct hosts {
    char *host, *hostaddr, *port;
};

/* The lists of the URL, begun with the entry turn (counted round), or all NULL when there is
 * nothing to choose, or libpq has to say what is wrong with the URL. */
void hosts_rotate(const char *url, unsigned turn, struct hosts *ret);

void hosts_free(struct hosts *hosts);

#endif
