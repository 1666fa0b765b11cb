/* SPDX-License-Identifier: MIT */
#include "core/table_pass.h"

bool table_pass_go_on(struct table_pass *pass, int64_t block, int64_t blocks, double start)
{
    pass->block = block;
    /* The first answer says how large the table is. What it has looked at is looked at again when the
     * pass comes round. */
    if (!pass->is_sized) {
        pass->is_sized = true;
        pass->block = pass->start = (int64_t)(start * (double)blocks);
        return blocks > 0;
    }
    if (!pass->has_come_round && block >= blocks && pass->start > 0) {
        pass->has_come_round = true;
        pass->block = 0;
        return true;
    }
    if (block < (pass->has_come_round ? pass->start : blocks))
        return true;
    pass->block = pass->start = 0;
    pass->has_come_round = false;
    return false;
}
