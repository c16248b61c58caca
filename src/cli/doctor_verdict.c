/* SPDX-License-Identifier: MIT */
/* doctor_verdict.c - names of verdicts on a command line: the doctor's and close's. */
#include "cli/doctor.h"

#include "cli/command.h"

#include <ctype.h>
#include <string.h>

/* Names are written in small letters, with dashes. NULL: none is near. */
static const char *nearest(const char *given)
{
	const char *names[LAI_VERDICT_COUNT];
	char tidy[LAI_OPTION_NAME_MAX + 1];
	size_t length = strlen(given);

	if (length >= sizeof(tidy))
		return NULL;
	for (size_t i = 0; i <= length; i++)
		tidy[i] = given[i] == '_' || given[i] == ' '
				  ? '-'
				  : (char)tolower((unsigned char)given[i]);
	for (int i = 0; i < LAI_VERDICT_COUNT; i++)
		names[i] = lai_verdict_name((enum lai_verdict)i);
	return lai_option_nearest(tidy, names, LAI_VERDICT_COUNT);
}

int lai_doctor_verdict(const char *name, const char *option, const char *given,
		       enum lai_verdict *verdict)
{
	enum lai_verdict found = lai_verdict_of_name(given);
	struct lai_text sentence = LAI_TEXT_INIT(LAI_OPTION_SENTENCE_MAX);
	const char *near;
	int exit_code;

	if (found != LAI_VERDICT_COUNT) {
		*verdict = found;
		return 0;
	}
	near = nearest(given);
	lai_option_refuse(&sentence, option,
			  "a verdict (lastack doctor --list-verdicts names them)", given);
	if (near)
		lai_text_append(&sentence, "; did you mean '%s'?", near);
	exit_code = lai_command_refuse(name, "%s", lai_text_string(&sentence));
	lai_text_done(&sentence);
	return exit_code;
}
