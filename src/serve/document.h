/* SPDX-License-Identifier: MIT */
/*
 * serve/document.h: what the API is, for programs: OpenAPI 3.1 (src/serve/openapi.json).
 *
 * It says the same as the table of routes (tests/unit/test_routes.c), and each request and answer of
 * the end-to-end tests is checked against it.
 */
#ifndef POSTRIDER_SERVE_DOCUMENT_H
#define POSTRIDER_SERVE_DOCUMENT_H

#include "base/embedded.h"
#include "serve/route.h"

/* The one entry is "openapi". */
extern const struct embedded_text embedded_documents[];

route_handle document_show;

#endif
