#include "core/standing.h"

#define UNKNOWN_MIN 8

int standing_part(enum standing standing, int whole)
{
    static const int parts[STANDINGS] = {1, 2, 8, 8};
    int part = whole / parts[standing];

    if (standing == STANDING_UNKNOWN && part < UNKNOWN_MIN)
        part = whole < UNKNOWN_MIN ? whole : UNKNOWN_MIN;
    return part > 0 ? part : 1;
}
