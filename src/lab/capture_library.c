/* SPDX-License-Identifier: MIT */
/* capture_library.c - loads libpcap when it is first needed. */
#include "lab/capture_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* The name of its binary interface since libpcap 0.8. */
#define LIBRARY "libpcap.so.0.8"

/* Object pointers become function pointers by their bytes, as POSIX has it for dlsym(). */
static bool find(void *library, const char *name, void *function, size_t size)
{
	void *symbol = dlsym(library, name);

	memcpy(function, &symbol, size);
	return symbol != NULL;
}

const struct lai_pcap *lai_pcap(const char **why)
{
	static struct lai_pcap pcap;
	static bool loaded;
	void *library;

	if (loaded)
		return &pcap;
	library = dlopen(LIBRARY, RTLD_NOW);
	loaded = library != NULL;
#define X(name) loaded = loaded && find(library, "pcap_" #name, &pcap.name, sizeof(pcap.name));
	LAI_PCAP_FUNCTIONS(X)
#undef X
	if (!loaded)
		*why = dlerror();
	return loaded ? &pcap : NULL;
}
