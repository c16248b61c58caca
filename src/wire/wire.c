/* SPDX-License-Identifier: MIT */
#include "wire/wire.h"

#include <string.h>

static const struct lai_wire *const wires[] = {&lai_wire_raw, &lai_wire_lines};

const struct lai_wire *lai_wire_find(const char *scheme)
{
	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++)
		if (strcmp(wires[i]->scheme, scheme) == 0)
			return wires[i];
	return NULL;
}
