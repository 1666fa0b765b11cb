/* SPDX-License-Identifier: MIT */
/*
 * db/message.h: what libpq or the server says, as it is told to people: on one line, and cut.
 */
#ifndef POSTRIDER_DB_MESSAGE_H
#define POSTRIDER_DB_MESSAGE_H

#define MESSAGE_SIZE 512

/* NULL and "" are "no reason". */
void message_copy(char out[MESSAGE_SIZE], const char *message);

#endif
