/*
 * core/standing.h: what an endpoint has shown of itself, and the part of what all share that those
 * of one standing may have together.
 *
 *   proven     it has answered, and doesn't fail
 *   unknown    it has neither answered nor failed yet
 *   faltering  it has answered before, and fails now
 *   dead       it has never answered and has failed, or a breaker keeps it from being asked
 *
 * The proven may have everything: nothing that others do can take their last quarter of it. What is
 * divided like this is the slots (core/scheduler.h); for rows that wait see core/crowds.h. Pure.
 */
#ifndef POSTRIDER_CORE_STANDING_H
#define POSTRIDER_CORE_STANDING_H

enum standing { STANDING_PROVEN, STANDING_UNKNOWN, STANDING_FALTERING, STANDING_DEAD };

#define STANDINGS (STANDING_DEAD + 1)

/* So few slots can't be divided: the unknown may have all of them. */
#define STANDING_FEW 8

/* At least one. */
int standing_part(enum standing standing, int whole);

#endif
