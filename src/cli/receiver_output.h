/* SPDX-License-Identifier: MIT */
/*
 * receiver_output.h - where received bytes are written to, without ever blocking on a full pipe.
 *
 * Standard output is shared with other processes: O_NONBLOCK on it would be theirs too. A pipe is
 * opened again through /proc, which gives a description of our own; a socket is told with each
 * send.
 */
#ifndef LAI_CLI_RECEIVER_OUTPUT_H
#define LAI_CLI_RECEIVER_OUTPUT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum lai_output_kind {
	LAI_OUTPUT_PLAIN,  /* files and the like, and what does not block: write() */
	LAI_OUTPUT_PIECES, /* might block: write() of small pieces once it polls writable */
	LAI_OUTPUT_SOCKET, /* send() with MSG_DONTWAIT */
};

struct lai_output {
	char *path; /* NULL: standard output */
	int fd;
	bool owns_fd;
	enum lai_output_kind kind;
};

/*
 * Opens path for appending ("-": standard output). ends_in_newline: if a regular file does not, its
 * last line was cut off, and it is given a newline so that the next record is not glued to it.
 * 0, or a negative errno: -ENXIO for a FIFO that nobody reads.
 */
int lai_output_open(struct lai_output *output, const char *path, bool ends_in_newline);

/* Bytes written; -EAGAIN: poll fd for writing; any other negative errno: it is lost. */
ssize_t lai_output_write(const struct lai_output *output, const struct iovec *iov, int count);

/* Opens the file anew after a rotation; keeps the old one if that fails. 0, or a negative errno. */
int lai_output_reopen(struct lai_output *output, bool ends_in_newline);

/* 0, or the negative errno of the last write, as file systems over a network say it. Then
   as new. */
int lai_output_close(struct lai_output *output);

#endif
