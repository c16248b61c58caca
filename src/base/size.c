/* SPDX-License-Identifier: MIT */
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char factors[] = "kMGT";

/* How many powers of 1024 the suffix stands for; -1: it is none. */
static int power_of(const char *suffix)
{
	const char *found;

	if (*suffix == '\0' || strcasecmp(suffix, "B") == 0)
		return 0;
	found = strchr(factors, *suffix == 'K' ? 'k' : *suffix);
	if (!found)
		return -1;
	suffix++;
	if (*suffix == '\0' || strcasecmp(suffix, "B") == 0 || strcasecmp(suffix, "iB") == 0)
		return (int)(found - factors) + 1;
	return -1;
}

int lai_size_parse(const char *text, uint64_t *bytes)
{
	char *end = NULL;
	unsigned long long value;
	int power;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	power = power_of(end);
	if (power < 0)
		return -EINVAL;
	if (errno == ERANGE || value > ((uint64_t)INT64_MAX >> (10 * power)))
		return -ERANGE;
	*bytes = (uint64_t)value << (10 * power);
	return 0;
}

const char *lai_size_format(char text[LAI_SIZE_TEXT_MAX], uint64_t bytes)
{
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(text, LAI_SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
		return text;
	}
	for (; value >= 1024 && factors[i + 1]; i++)
		value /= 1024;
	/* Beyond the last factor four digits would bring an exponent. */
	snprintf(text, LAI_SIZE_TEXT_MAX, value < 1024 ? "%.4g %ciB" : "%.0f %ciB", value,
		 i == 0 ? 'K' : factors[i]);
	return text;
}
