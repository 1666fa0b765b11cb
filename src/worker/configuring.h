/*
 * worker/configuring.h: puts a configuration in force, at the start and at every reload alike.
 *
 * Parts read worker->config where they need it. What a part must keep of it for itself, as a limit
 * of a module of core, is set by its _reconfigure(), which is called here, and nowhere else: an
 * option can't take effect at the start alone. The HTTP engine is the exception, since it can fail:
 * it is made of a configuration before that is put in force (worker/sending.h).
 */
#ifndef POSTRIDER_WORKER_CONFIGURING_H
#define POSTRIDER_WORKER_CONFIGURING_H

#include "worker/context.h"

/* config belongs to the engine that was made of it. Endpoints' settings are loaded anew. */
void configuring_apply(struct worker *worker, struct config *config);

#endif
