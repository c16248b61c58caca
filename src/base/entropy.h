/* SPDX-License-Identifier: MIT */
/* entropy.h - the system's random numbers, for the rooms that may ask for them (as clock.h). */
#ifndef LAI_BASE_ENTROPY_H
#define LAI_BASE_ENTROPY_H

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

/* 64 bits that no other host has drawn: right after boot it waits until the kernel has gathered
   some. 0; or a negative errno, where system calls are filtered. */
static inline int lai_entropy(uint64_t *bits)
{
	ssize_t size;

	do
		size = getrandom(bits, sizeof(*bits), 0);
	while (size < 0 && errno == EINTR);
	return size == sizeof(*bits) ? 0 : -errno;
}

#endif
