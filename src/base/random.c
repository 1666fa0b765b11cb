/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <stdlib.h>

double random01(void)
{
    return (double)arc4random() / 4294967296.0;
}
