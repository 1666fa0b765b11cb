#include "core/standing.h"

int standing_part(enum standing standing, int whole)
{
    static const int parts[STANDINGS] = {1, 2, 8, 8};
    int part = whole / parts[standing];

    if (standing == STANDING_UNKNOWN && part < STANDING_FEW)
        part = whole < STANDING_FEW ? whole : STANDING_FEW;
    return part > 0 ? part : 1;
}
