/* SPDX-License-Identifier: MIT */
/* Datagrams of a sock_diag answer, of any content. */
#include "observe/sockdiag.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *arg, const struct lai_socket_fact *fact)
{
	(void)arg;
	assert(fact->state > LAI_TCP_NONE && fact->state < LAI_TCP_COUNT);
	assert(fact->family == AF_INET || fact->family == AF_INET6);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)lai_sockdiag_parse(data, size, 1, 1, check, NULL);
	(void)lai_sockdiag_parse(data, size, 0, 0, check, NULL);
	return 0;
}
