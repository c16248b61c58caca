/* SPDX-License-Identifier: MIT */
#include "base/sender_id.h"

#include "base/entropy.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>

/* The C library's isalnum() asks the locale. */
static bool is_allowed(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

bool lai_sender_id_is(struct lai_slice text)
{
	for (size_t i = 0; i < text.size; i++)
		if (!is_allowed(text.data[i]))
			return false;
	return text.size > 0 && text.size < LA_SENDER_MAX;
}

int lai_sender_id_make(char *id, uint64_t seed)
{
	struct lai_random random = {.state = seed};
	uint64_t number = lai_random_next(&random);
	int error = seed ? 0 : lai_entropy(&number);

	if (!error)
		(void)snprintf(id, LA_SENDER_MAX, "%016" PRIx64, number);
	return error;
}
