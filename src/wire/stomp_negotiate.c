/* SPDX-License-Identifier: MIT */
/* stomp_negotiate.c - what both sides agree on at login: the version, and heart-beats. */
#include "base/time.h"
#include "wire/stomp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const version_texts[LAI_STOMP_VERSION_COUNT] = {"1.0", "1.1", "1.2"};

const char *lai_stomp_version_text(enum lai_stomp_version version)
{
	assert(version < LAI_STOMP_VERSION_COUNT);
	return version_texts[version];
}

/* Takes what stands before the next comma; *list is what stands behind it, data NULL: no comma. */
static struct lai_slice take_item(struct lai_slice *list)
{
	struct lai_slice all = *list;
	const char *comma = all.size > 0 ? memchr(all.data, ',', all.size) : NULL;
	size_t size = comma ? (size_t)(comma - all.data) : all.size;

	*list = comma ? (struct lai_slice){comma + 1, all.size - size - 1} : (struct lai_slice){0};
	return (struct lai_slice){all.data, size};
}

int lai_stomp_negotiate(struct lai_slice accept_version)
{
	int best = -EPROTO;

	if (!accept_version.data)
		return LAI_STOMP_1_0;
	while (accept_version.data) {
		struct lai_slice item = take_item(&accept_version);

		for (int version = 0; version < LAI_STOMP_VERSION_COUNT; version++) {
			if (lai_slice_is(item, version_texts[version]) && version > best)
				best = version;
		}
	}
	return best;
}

/* Reads decimal digits and nothing else as ms, into ns that saturate; 0 is LA_NEVER. false: something
   else. */
static bool read_ms(struct lai_slice text, uint64_t *time_ns)
{
	uint64_t ms = 0;

	if (text.size == 0)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		if (ms < LA_NEVER / LAI_MS)
			ms = ms * 10 + digit;
	}
	*time_ns = ms == 0 || ms >= LA_NEVER / LAI_MS ? LA_NEVER : ms * LAI_MS;
	return true;
}

bool lai_stomp_put_beat(struct lai_buffer *out, uint64_t ours_ns)
{
	uint64_t ms = ours_ns == LA_NEVER ? 0 : ours_ns < LAI_MS ? 1 : ours_ns / LAI_MS;
	char value[sizeof("18446744073709551615,18446744073709551615")];

	(void)snprintf(value, sizeof(value), "%" PRIu64 ",%" PRIu64, ms, ms);
	return lai_stomp_put(out, LAI_STOMP_1_0, "heart-beat", lai_slice_of(value));
}

int lai_stomp_beat_init(struct lai_stomp_beat *beat, struct lai_slice theirs, uint64_t ours_ns,
			uint64_t now_ns)
{
	uint64_t can_ns = LA_NEVER, want_ns = LA_NEVER;

	if (theirs.data) {
		struct lai_slice can = take_item(&theirs), want = theirs;

		if (!read_ms(can, &can_ns) || !read_ms(want, &want_ns))
			return -EBADMSG;
	}
	*beat = (struct lai_stomp_beat){
		.send_ns = ours_ns > want_ns ? ours_ns : want_ns,
		.expect_ns = can_ns > ours_ns ? can_ns : ours_ns,
		.sent_ns = now_ns,
		.heard_ns = now_ns,
	};
	return 0;
}

void lai_stomp_beat_on_sent(struct lai_stomp_beat *beat, uint64_t now_ns)
{
	beat->sent_ns = now_ns;
}

void lai_stomp_beat_on_heard(struct lai_stomp_beat *beat, uint64_t now_ns)
{
	beat->heard_ns = now_ns;
}

/* A quarter of the interval is for the way and for our own being late. */
static uint64_t due_ns(const struct lai_stomp_beat *beat)
{
	if (beat->send_ns == LA_NEVER)
		return LA_NEVER;
	return lai_time_after(beat->sent_ns, beat->send_ns - beat->send_ns / 4);
}

static uint64_t missed_ns(const struct lai_stomp_beat *beat)
{
	/* Twice: the other side and the way may be as late as one whole interval. */
	return lai_time_after(lai_time_after(beat->heard_ns, beat->expect_ns), beat->expect_ns);
}

bool lai_stomp_beat_due(const struct lai_stomp_beat *beat, uint64_t now_ns)
{
	uint64_t at_ns = due_ns(beat);

	return at_ns != LA_NEVER && now_ns >= at_ns;
}

bool lai_stomp_beat_missed(const struct lai_stomp_beat *beat, uint64_t now_ns)
{
	uint64_t at_ns = missed_ns(beat);

	return at_ns != LA_NEVER && now_ns >= at_ns;
}

uint64_t lai_stomp_beat_deadline(const struct lai_stomp_beat *beat)
{
	return lai_time_min(due_ns(beat), missed_ns(beat));
}
