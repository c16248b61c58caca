/* SPDX-License-Identifier: MIT */
#include "judge/judge.h"

#include <string.h>

static const struct {
	const char *name, *title;
	enum lai_severity severity;
} verdicts[LAI_VERDICT_COUNT] = {
#define X(id, name, severity, title) {name, title, LAI_SEVERITY_##severity},
	LAI_VERDICTS(X)
#undef X
};

static const char *const severities[LAI_SEVERITY_COUNT] = {"leak", "warning", "info"};
static const char *const confidences[LAI_CONFIDENCE_COUNT] = {"certain", "likely", "possible"};
static const char *const age_kinds[LAI_AGE_COUNT] = {"unknown", "lower-bound", "exact"};

const char *lai_verdict_name(enum lai_verdict verdict)
{
	return (unsigned)verdict < LAI_VERDICT_COUNT ? verdicts[verdict].name : "?";
}

const char *lai_verdict_title(enum lai_verdict verdict)
{
	return (unsigned)verdict < LAI_VERDICT_COUNT ? verdicts[verdict].title : "?";
}

enum lai_severity lai_verdict_severity(enum lai_verdict verdict)
{
	return (unsigned)verdict < LAI_VERDICT_COUNT ? verdicts[verdict].severity
						     : LAI_SEVERITY_INFO;
}

const char *lai_severity_name(enum lai_severity severity)
{
	return (unsigned)severity < LAI_SEVERITY_COUNT ? severities[severity] : "?";
}

enum lai_verdict lai_verdict_of_name(const char *name)
{
	unsigned verdict = 0;

	while (verdict < LAI_VERDICT_COUNT && strcmp(name, verdicts[verdict].name) != 0)
		verdict++;
	return (enum lai_verdict)verdict;
}

const char *lai_confidence_name(enum lai_confidence confidence)
{
	return (unsigned)confidence < LAI_CONFIDENCE_COUNT ? confidences[confidence] : "?";
}

const char *lai_age_kind_name(enum lai_age_kind kind)
{
	return (unsigned)kind < LAI_AGE_COUNT ? age_kinds[kind] : "?";
}
