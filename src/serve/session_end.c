/* SPDX-License-Identifier: MIT */
/* The names of how a session can end, and of what became of its last words. */
#include <lastack/server.h>

static const struct {
	const char *name, *sentence;
} ends[] = {
#define X(id, name, sentence) {name, sentence},
	LA_SESSION_ENDS(X)
#undef X
};

static const char *const words[] = {
	[LA_WORDS_NONE] = "none",
	[LA_WORDS_ACKED] = "acked",
	[LA_WORDS_CONSUMED] = "consumed",
	[LA_WORDS_UNCONFIRMED] = "unconfirmed",
};

_Static_assert(sizeof(words) / sizeof(words[0]) == LA_WORDS_COUNT, "each has its name");

const char *la_session_end_name(enum la_session_end end)
{
	return (unsigned)end < LA_SESSION_END_COUNT ? ends[end].name : "?";
}

const char *la_session_end_sentence(enum la_session_end end)
{
	return (unsigned)end < LA_SESSION_END_COUNT ? ends[end].sentence : "?";
}

const char *la_words_name(enum la_words word)
{
	return (unsigned)word < LA_WORDS_COUNT ? words[word] : "?";
}
