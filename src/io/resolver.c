/* SPDX-License-Identifier: MIT */
#include "io/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Shared by the caller and the thread: the last one to let go frees it. */
struct lai_lookup {
	atomic_int holders;
	atomic_bool done; /* result and addresses are written */
	int event;
	int result;
	uint16_t port;
	char *host;
	struct lai_address addresses[LAI_ADDRESSES_MAX];
};

static void let_go(struct lai_lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->holders, 1) > 1)
		return;
	if (lookup->event >= 0)
		(void)close(lookup->event);
	free(lookup->host);
	free(lookup);
}

static int error_of(int gai_error)
{
	switch (gai_error) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY: return -ENOENT;
	case EAI_AGAIN: return -EAGAIN;
	case EAI_MEMORY: return -ENOMEM;
	default: return -EIO;
	}
}

static int look_up(struct lai_lookup *lookup)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int status = getaddrinfo(lookup->host, NULL, &hints, &list);
	int count = 0;

	if (status != 0)
		return error_of(status);
	for (struct addrinfo *item = list; item && count < LAI_ADDRESSES_MAX;
	     item = item->ai_next) {
		struct lai_address *address = &lookup->addresses[count];

		if (item->ai_addrlen > sizeof(address->v6))
			continue;
		memcpy(&address->sa, item->ai_addr, item->ai_addrlen);
		address->length = item->ai_addrlen;
		lai_address_set_port(address, lookup->port);
		count++;
	}
	freeaddrinfo(list);
	return count > 0 ? count : -ENOENT;
}

static void *run(void *arg)
{
	struct lai_lookup *lookup = arg;
	uint64_t one = 1;

	lookup->result = look_up(lookup);
	atomic_store(&lookup->done, true);
	(void)!write(lookup->event, &one, sizeof(one));
	let_go(lookup);
	return NULL;
}

/* Signals are the main thread's business. */
static int start_thread(struct lai_lookup *lookup)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int status;

	status = pthread_attr_init(&attributes);
	if (status != 0)
		return -status;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	status = pthread_create(&thread, &attributes, run, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -status;
}

int lai_lookup_start(struct lai_lookup **lookup, const char *host, uint16_t port)
{
	struct lai_lookup *new_lookup = calloc(1, sizeof(*new_lookup));
	int status = -ENOMEM;

	if (!new_lookup)
		return -ENOMEM;
	atomic_init(&new_lookup->holders, 2);
	new_lookup->port = port;
	new_lookup->host = strdup(host);
	new_lookup->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new_lookup->event < 0)
		status = -errno;
	else if (new_lookup->host)
		status = start_thread(new_lookup);
	if (status != 0) {
		atomic_store(&new_lookup->holders, 1);
		let_go(new_lookup);
		return status;
	}
	*lookup = new_lookup;
	return 0;
}

int lai_lookup_fd(const struct lai_lookup *lookup)
{
	return lookup->event;
}

int lai_lookup_take(struct lai_lookup *lookup, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	if (!atomic_load(&lookup->done))
		return -EINPROGRESS;
	if (lookup->result > 0)
		memcpy(addresses, lookup->addresses, (size_t)lookup->result * sizeof(*addresses));
	return lookup->result;
}

void lai_lookup_free(struct lai_lookup *lookup)
{
	if (lookup)
		let_go(lookup);
}
