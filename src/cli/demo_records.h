/* SPDX-License-Identifier: MIT */
/*
 * demo_records.h - what the demo sends: this host's own counters, as they are at that moment.
 *
 *	SEQUENCE SECONDS /proc/FILE GROUP NAME=VALUE ... ~CHECKSUM\n
 *
 * The sequence number lets the receiving side tell lost from duplicated, the checksum a whole
 * record from two halves of different ones.
 */
#ifndef LAI_CLI_DEMO_RECORDS_H
#define LAI_CLI_DEMO_RECORDS_H

#include <stddef.h>
#include <stdint.h>

/* With its newline. The longest, TcpExt, has about 120 counters and stays below 4 KiB. */
#define LAI_DEMO_RECORD_MAX 8192

/* Sequence numbers are below it: 136 records a second during the minute that a demo may take. */
#define LAI_DEMO_RECORDS_MAX 8192

#define LAI_DEMO_SOURCES_MAX 8

struct lai_demo_records {
	int fds[LAI_DEMO_SOURCES_MAX]; /* by source; -1: this host does not have it */
	uint32_t next;		       /* sequence number of the next record, from 0 */
};

/*
 * Opens the sources; to be called before the demo enters its own network namespace, since an open
 * file of /proc/net goes on showing the namespace in which it was opened: the host's.
 * 0, or the errno of open() if there is none at all.
 */
int lai_demo_records_open(struct lai_demo_records *records);
void lai_demo_records_close(struct lai_demo_records *records);

/* Writes the next record, of what the kernel counts now; returns its length, newline included. */
size_t lai_demo_records_next(struct lai_demo_records *records, double now_s,
			     char record[LAI_DEMO_RECORD_MAX]);

/* Is this a whole record, here without its newline? 0: *sequence is written. -EBADMSG. */
int lai_demo_record_check(const char *record, size_t length, uint32_t *sequence);

#endif
