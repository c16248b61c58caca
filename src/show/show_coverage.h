/* SPDX-License-Identifier: MIT */
/* show_coverage.h - where and when a snapshot was taken, and what it could not see and why. */
#ifndef LAI_SHOW_COVERAGE_H
#define LAI_SHOW_COVERAGE_H

#include "base/json.h"
#include "observe/facts.h"

/* Was all there is to see seen? That the owners came from /proc and not from BPF is no gap. */
bool lai_show_coverage_whole(const struct lai_snapshot *snapshot);

/*
 * Appends sentences for people on one line, without a newline: how the owners were found, then each
 * gap with its reason and what would close it. Never empty.
 */
void lai_show_coverage_text(struct lai_text *text, const struct lai_snapshot *snapshot);

/* Appends when it was taken: "2026-11-22T16:04:05Z" (RFC 3339, UTC). */
void lai_show_taken_at(struct lai_text *text, const struct lai_snapshot *snapshot);

/*
 * Writes the first members of the object that the caller has begun, the same in every command:
 * host, kernel, taken_at and coverage, an object.
 */
void lai_show_snapshot_json(struct lai_json *json, const struct lai_snapshot *snapshot);

#endif
