/* SPDX-License-Identifier: MIT */
/*
 * core/table_pass.h: a pass through a table as it lies on the disk, a few blocks at a time.
 *
 * The first pass begins somewhere in the table and comes round to there: who makes it may be started
 * more often than a pass is done, and each block is to have its turn. Later ones begin at the first
 * block. The table may grow and shrink meanwhile. worker/retaining.h makes such passes.
 */
#ifndef POSTRIDER_CORE_TABLE_PASS_H
#define POSTRIDER_CORE_TABLE_PASS_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing is known of the table, and its first blocks are to be looked at. */
struct table_pass {
    int64_t block; /* that is next */
    int64_t start; /* it ends here when it has come round */
    bool has_come_round;
    bool is_sized;
};

/*
 * What was asked for was looked at up to block, of a table that has so many blocks; start, from 0
 * to 1, is where the first pass begins. True: it goes on at pass->block; false: the pass is over, and
 * pass->block is where the next one begins.
 */
bool table_pass_go_on(struct table_pass *pass, int64_t block, int64_t blocks, double start);

#endif
