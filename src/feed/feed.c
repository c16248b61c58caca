/* SPDX-License-Identifier: MIT */
#include "feed/feed.h"
#include "feed/feed_source.h"

#include "base/error.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int lai_feed_new(struct lai_feed **feed, const struct lai_feed_config *config, char **error)
{
	*error = NULL;
	if (!config->follow)
		return lai_feed_list_new(feed, config, error);
	if (config->file_count > 0)
		return lai_error(error, -EINVAL, "cannot follow %s and read other files as well",
				 config->follow);
	return lai_feed_follow_new(feed, config, error);
}

void lai_feed_free(struct lai_feed *feed)
{
	if (!feed)
		return;
	free(feed->error);
	feed->ops->free(feed);
}

int lai_feed_fd(const struct lai_feed *feed)
{
	return feed->ops->fd(feed);
}

uint64_t lai_feed_deadline(const struct lai_feed *feed)
{
	return feed->ops->deadline(feed);
}

/* What a source returned, made into what the reader gets: counted, and seams closed. */
static ssize_t feed_account(struct lai_feed *feed, const char *room, ssize_t result)
{
	if (result > 0) {
		feed->counts.bytes += (uint64_t)result;
		feed->midline = room[result - 1] != '\n';
	}
	return result;
}

ssize_t lai_feed_read(struct lai_feed *feed, void *room, size_t size)
{
	assert(size > 0);
	for (;;) {
		bool seam = false;
		ssize_t result = feed->ops->read(feed, room, size, &seam);

		if (!seam)
			return feed_account(feed, room, result);
		if (feed->records && feed->midline) {
			*(char *)room = '\n';
			feed->counts.newlines++;
			return feed_account(feed, room, 1);
		}
	}
}

void lai_feed_tend(struct lai_feed *feed)
{
	feed->ops->tend(feed);
}

void lai_feed_reopen(struct lai_feed *feed)
{
	feed->ops->reopen(feed);
}

const char *lai_feed_error(const struct lai_feed *feed)
{
	return feed->error;
}

const char *lai_feed_name(const struct lai_feed *feed)
{
	return feed->ops->name(feed);
}

bool lai_feed_place(const struct lai_feed *feed, size_t left, struct lai_feed_place *place)
{
	return feed->ops->place && feed->ops->place(feed, left, place);
}

#define PLACE_FORMAT "%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%08" PRIx32
#define PLACE_SCAN "%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNx32 "%n"

void lai_feed_place_format(char text[LAI_FEED_PLACE_MAX], const struct lai_feed_place *place)
{
	snprintf(text, LAI_FEED_PLACE_MAX, PLACE_FORMAT, place->device, place->inode, place->offset,
		 place->check);
}

bool lai_feed_place_parse(const char *text, struct lai_feed_place *place)
{
	struct lai_feed_place result;
	int used = 0;

	if (sscanf(text, PLACE_SCAN, &result.device, &result.inode, &result.offset, &result.check,
		   &used) != 4 ||
	    text[used] != '\0')
		return false;
	*place = result;
	return true;
}

bool lai_feed_resumed(const struct lai_feed *feed)
{
	return feed->resumed;
}

void lai_feed_counts(const struct lai_feed *feed, struct lai_feed_counts *counts)
{
	*counts = feed->counts;
}

void lai_feed_unsay(char **error)
{
	free(*error);
	*error = NULL;
}

const char *lai_feed_refusal(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a directory";
	if (S_ISSOCK(mode))
		return "is a socket, which cannot be opened as a file";
	return NULL;
}
