/* SPDX-License-Identifier: MIT */
#include "serve/document.h"

#include "serve/api.h"

void document_show(struct call *call)
{
    api_answer(call->client, embedded_documents[0].text);
}
