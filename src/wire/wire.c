/* SPDX-License-Identifier: MIT */
#include "wire/wire.h"

#include <string.h>

const struct lai_wire lai_wire_stomp = {
	.scheme = "stomp",
	.what = "STOMP",
	.has_records = true,
	.has_receipts = true,
	.terminator = "",
};

static const struct {
	const char *scheme;
	const struct lai_wire *wire;
	bool tls;
} schemes[] = {
	{"tcp", &lai_wire_raw, false},	   {"tls", &lai_wire_raw, true},
	{"lines", &lai_wire_lines, false}, {"stomp", &lai_wire_stomp, false},
	{"stomps", &lai_wire_stomp, true},
};

const struct lai_wire *lai_wire_find(const char *scheme, bool *tls)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strcmp(schemes[i].scheme, scheme) != 0)
			continue;
		*tls = schemes[i].tls;
		return schemes[i].wire;
	}
	return NULL;
}
