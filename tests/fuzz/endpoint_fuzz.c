/* SPDX-License-Identifier: MIT */
/* URLs: whatever text comes, an endpoint that makes sense or a sentence. */
#include "link/endpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = malloc(size + 1);

	memcpy(url, data, size);
	url[size] = '\0';
	for (int server = 0; server <= 1; server++) {
		struct lai_endpoint endpoint;
		char *error = NULL;

		if (lai_endpoint_parse(&endpoint, url, server, &error) != 0) {
			assert(error && error[0]);
			free(error);
			continue;
		}
		assert(endpoint.wire && endpoint.host[0] && (server || endpoint.port != 0));
		assert(strlen(endpoint.host) < sizeof(endpoint.host) && endpoint.text[0]);
	}
	free(url);
	return 0;
}
