/* SPDX-License-Identifier: MIT */
/* capture_read.c - a capture file becomes a list of segments. */
#include "lab/capture_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* libpcap closes the FILE that it reads; this one passes reads on and leaves the caller's open. */
static ssize_t borrowed_read(void *cookie, char *bytes, size_t size)
{
	FILE *file = cookie;
	size_t got = fread(bytes, 1, size, file);

	return got == 0 && ferror(file) ? -1 : (ssize_t)got;
}

static int link_type_check(const struct lai_pcap *library, pcap_t *pcap, char **error)
{
	int type = library->datalink(pcap);
	const char *name = library->datalink_val_to_name(type);

	if (type == DLT_EN10MB || type == DLT_RAW || type == DLT_IPV4 || type == DLT_IPV6)
		return 0;
	if (asprintf(error, "its link type is %s (%d); only Ethernet and raw IP can be read",
		     name ? name : "unknown", type) < 0)
		return -ENOMEM;
	return -EINVAL;
}

static int packets_read(const struct lai_pcap *library, pcap_t *pcap, struct lai_capture_list *list,
			size_t *malformed, char **error)
{
	int type = library->datalink(pcap), result;
	struct pcap_pkthdr *header;
	const uint8_t *bytes;

	while ((result = library->next_ex(pcap, &header, &bytes)) == 1) {
		int taken = lai_capture_list_take(list, type, header, bytes);

		if (taken == -ENOMEM)
			return -ENOMEM;
		*malformed += taken == -EBADMSG;
	}
	if (result == PCAP_ERROR_BREAK) /* the end of the file */
		return 0;
	*error = strdup(library->geterr(pcap));
	return *error ? -EINVAL : -ENOMEM;
}

int lai_capture_read(FILE *file, struct lai_captured **list, size_t *count, size_t *malformed,
		     char **error)
{
	cookie_io_functions_t functions = {.read = borrowed_read};
	const char *why;
	const struct lai_pcap *library = lai_pcap(&why);
	FILE *borrowed = library ? fopencookie(file, "r", functions) : NULL;
	struct lai_capture_list read = {0};
	char words[PCAP_ERRBUF_SIZE];
	size_t bad = 0;
	pcap_t *pcap;
	int result;

	if (!library)
		return asprintf(error, "reading a capture needs libpcap: %s", why) < 0 ? -ENOMEM
										       : -ENOSYS;
	if (!borrowed)
		return -ENOMEM;
	pcap = library->fopen_offline_with_tstamp_precision(borrowed, PCAP_TSTAMP_PRECISION_NANO,
							    words);
	if (!pcap) {
		(void)fclose(borrowed);
		*error = strdup(words);
		return *error ? -EINVAL : -ENOMEM;
	}
	result = link_type_check(library, pcap, error);
	if (result == 0)
		result = packets_read(library, pcap, &read, &bad, error);
	library->close(pcap);
	if (result != 0) {
		free(read.items);
		return result;
	}
	*list = read.items;
	*count = read.count;
	*malformed = bad;
	return 0;
}
