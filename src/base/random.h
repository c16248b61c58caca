/* SPDX-License-Identifier: MIT */
/* random.h - a small deterministic generator (splitmix64): the same seed, the same numbers. */
#ifndef LAI_BASE_RANDOM_H
#define LAI_BASE_RANDOM_H

#include <stdint.h>

struct lai_random {
	uint64_t state; /* any value is a seed */
};

/* Constants of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014). */
static inline uint64_t lai_random_next(struct lai_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Uniform in [0, bound), 0 for bound 0. The bias of the multiplication is below 2^-64 * bound. */
static inline uint64_t lai_random_below(struct lai_random *random, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)lai_random_next(random) * bound) >> 64);
}

#endif
