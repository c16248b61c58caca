/* SPDX-License-Identifier: MIT */
#include "show/explain.h"
#include "show/show_paragraph.h"

#include <stdio.h>

/* The longest label, "Known by", and two blanks. */
#define LABEL_WIDTH 10

static void append(struct lai_text *text, const char *label, const char *paragraph)
{
	if (paragraph) /* a test sees to it that there is one */
		lai_show_paragraph(text, label, LABEL_WIDTH, LAI_EXPLAIN_WIDTH, paragraph);
}

void lai_explain(struct lai_text *text, enum lai_verdict verdict)
{
	const struct lai_explanation *explanation = &lai_explanations[verdict];

	lai_text_append(text, "%s (%s)\n%s\n\n", lai_verdict_name(verdict),
			lai_severity_name(lai_verdict_severity(verdict)),
			lai_verdict_title(verdict));
	append(text, "Means", explanation->means);
	append(text, "Arises", explanation->arises);
	append(text, "Known by", explanation->known_by);
	append(text, "Mend", explanation->mend);
	append(text, "Remedy", explanation->remedy);
}

/* Of the longest name, of "warning", and the blanks after each. */
#define NAME_WIDTH 26
#define SEVERITY_WIDTH 9

static void append_line(struct lai_text *text, enum lai_verdict verdict)
{
	char label[NAME_WIDTH + SEVERITY_WIDTH + 1];

	(void)snprintf(label, sizeof(label), "%-*s%s", NAME_WIDTH, lai_verdict_name(verdict),
		       lai_severity_name(lai_verdict_severity(verdict)));
	lai_show_paragraph(text, label, NAME_WIDTH + SEVERITY_WIDTH, LAI_EXPLAIN_WIDTH,
			   lai_verdict_title(verdict));
}

void lai_explain_list(struct lai_text *text, bool tabs)
{
	for (int i = 0; i < LAI_VERDICT_COUNT; i++) {
		enum lai_verdict verdict = (enum lai_verdict)i;

		if (tabs)
			lai_text_append(text, "%s\t%s\t%s\n", lai_verdict_name(verdict),
					lai_severity_name(lai_verdict_severity(verdict)),
					lai_verdict_title(verdict));
		else
			append_line(text, verdict);
	}
}
