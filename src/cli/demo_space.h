/* SPDX-License-Identifier: MIT */
/* demo_space.h - where the demo takes place: a network of its own, if it can have one. */
#ifndef LAI_CLI_DEMO_SPACE_H
#define LAI_CLI_DEMO_SPACE_H

enum lai_demo_space {
	LAI_DEMO_SPACE_OWN,	 /* a network namespace of its own, by privilege */
	LAI_DEMO_SPACE_OWN_USER, /* the same inside a user namespace of its own, without privilege
				  */
	LAI_DEMO_SPACE_DENIED,	 /* neither is allowed here: the present one */
	LAI_DEMO_SPACE_PRESENT,	 /* the present one, as asked for */
	LAI_DEMO_SPACE_COUNT
};

/*
 * Moves this process, which must have one thread, into a new network namespace with a loopback
 * device that is up. Never fails: the present namespace is the last resort.
 */
enum lai_demo_space lai_demo_space_enter(void);

/* For JSON: "own", "own-user", or "present" whatever the reason. */
const char *lai_demo_space_name(enum lai_demo_space space);

/* For people: "in a network namespace of its own". */
const char *lai_demo_space_sentence(enum lai_demo_space space);

#endif
