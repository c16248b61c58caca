/* SPDX-License-Identifier: MIT */
/* The names of what survives what. */
#include <lastack/spool.h>

static const struct {
	const char *name, *sentence;
} texts[] = {
#define X(id, name, sentence) {name, sentence},
	LA_DURABILITIES(X)
#undef X
};

const char *la_durability_name(enum la_durability durability)
{
	return (unsigned)durability < LA_DURABILITY_COUNT ? texts[durability].name : "?";
}

const char *la_durability_sentence(enum la_durability durability)
{
	return (unsigned)durability < LA_DURABILITY_COUNT ? texts[durability].sentence : "?";
}
