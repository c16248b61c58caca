/* SPDX-License-Identifier: MIT */
/* Command lines of lastack send: each NUL or newline ends an argument. */
#include "cli/command.h"
#include "cli/sender.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of sender.c: a command line that was accepted ends here. */
int lai_sender_run(const char *name, const struct lai_sender_config *config)
{
	assert(name && config->link.url_count > 0);
	assert(config->link.proof < LA_PROOF_COUNT && config->link.on_full < LA_FULL_COUNT);
	assert(config->link.tos >= -1 && config->link.tos <= 255);
	assert(config->link.backoff_min_ns <= config->link.backoff_max_ns);
	return LAI_EXIT_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *args[ARGUMENTS_MAX];
	char *copy = malloc(size + 1);
	int count = 0, exit_code;

	memcpy(copy, data, size);
	copy[size] = '\0';
	for (size_t i = 0; i < size; i++)
		if (copy[i] == '\n')
			copy[i] = '\0';
	for (size_t start = 0; start < size && count < ARGUMENTS_MAX;
	     start += strlen(copy + start) + 1)
		args[count++] = copy + start;
	exit_code = lai_cmd_send(count, args);
	assert(exit_code == LAI_EXIT_DONE || exit_code == LAI_EXIT_USAGE);
	free(copy);
	return 0;
}
