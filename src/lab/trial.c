/* SPDX-License-Identifier: MIT */
/*
 * trial.c - what a claim says, written into the shared result. Every array is bounded: what does
 * not fit is counted and not kept. Counts move after what they count, so that the reader of a
 * trial that was killed finds nothing half written.
 */
#include "lab/trial.h"

#include "lab/capture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A line of evidence: a sentence about a segment with all its options, and room to spare. */
#define LINE_BYTES 1024

static const char cut[] = "...";

/* As vsnprintf(); what was too long ends with dots. The result is one line. */
static size_t sentence_write(char *text, size_t size, const char *format, va_list list)
	__attribute__((format(printf, 3, 0)));
static size_t sentence_write(char *text, size_t size, const char *format, va_list list)
{
	int wanted = vsnprintf(text, size, format, list);
	size_t length = strlen(text);

	if (wanted >= 0 && (size_t)wanted >= size)
		memcpy(text + size - sizeof(cut), cut, sizeof(cut));
	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	for (char *at = strchr(text, '\n'); at; at = strchr(at, '\n'))
		*at = ' ';
	return length;
}

static void evidence_add(struct lai_result *result, const char *line)
{
	double since_s =
		(double)lai_time_since(result->began_ns, lai_clock_read(CLOCK_REALTIME)) / LAI_S;
	size_t room = sizeof(result->evidence) - result->evidence_bytes;
	int length = snprintf(result->evidence + result->evidence_bytes, room, "%9.6f  %s\n",
			      since_s, line);

	if (length < 0 || (size_t)length >= room) {
		result->evidence[result->evidence_bytes] = '\0';
		result->dropped++;
		return;
	}
	result->evidence_bytes += (uint32_t)length;
}

void lai_trial_say(struct lai_trial *trial, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list list;

	va_start(list, format);
	(void)sentence_write(line, sizeof(line), format, list);
	va_end(list);
	evidence_add(trial->result, line);
}

void lai_trial_say_segment(struct lai_trial *trial, const char *what,
			   const struct lai_segment *segment)
{
	struct lai_text text = LAI_TEXT_INIT(LINE_BYTES);

	lai_segment_describe(segment, &text);
	lai_trial_say(trial, "%s: %s", what, lai_text_string(&text));
	lai_text_done(&text);
}

void lai_trial_number(struct lai_trial *trial, const char *name, const char *unit, double value)
{
	struct lai_result *result = trial->result;
	struct lai_result_number *number;

	for (uint32_t i = 0; i < result->number_count; i++)
		if (!strncmp(result->numbers[i].name, name, sizeof(number->name) - 1))
			lai_trial_fail(trial, "the number \"%s\" was said twice", name);
	if (result->number_count == LAI_RESULT_NUMBERS_MAX) {
		result->dropped++;
		return;
	}
	number = &result->numbers[result->number_count];
	(void)snprintf(number->name, sizeof(number->name), "%s", name);
	(void)snprintf(number->unit, sizeof(number->unit), "%s", unit);
	number->value = value;
	result->number_count++;
}

uint32_t lai_trial_series(struct lai_trial *trial, const char *name, const char *x, const char *y)
{
	struct lai_result *result = trial->result;
	struct lai_result_series *series;

	if (result->series_count == LAI_RESULT_SERIES_MAX) {
		result->dropped++;
		return LAI_RESULT_SERIES_MAX; /* whose points are dropped as well */
	}
	series = &result->series[result->series_count];
	(void)snprintf(series->name, sizeof(series->name), "%s", name);
	(void)snprintf(series->x, sizeof(series->x), "%s", x);
	(void)snprintf(series->y, sizeof(series->y), "%s", y);
	return result->series_count++;
}

void lai_trial_point(struct lai_trial *trial, uint32_t series, double x, double y)
{
	struct lai_result *result = trial->result;

	if (series >= result->series_count || result->point_count == LAI_RESULT_POINTS_MAX) {
		result->dropped++;
		return;
	}
	result->points[result->point_count] = (struct lai_result_point){series, x, y};
	result->point_count++;
}

/* The sentences of controls that held are joined; the first one that failed takes their place,
   and only failures follow it. */
void lai_trial_control(struct lai_trial *trial, bool held, const char *format, ...)
{
	struct lai_result *result = trial->result;
	char *words = result->control_words;
	char sentence[LAI_RESULT_WORDS_MAX];
	size_t length = strlen(words);
	va_list list;

	va_start(list, format);
	(void)sentence_write(sentence, sizeof(sentence), format, list);
	va_end(list);
	lai_trial_say(trial, "control %s: %s", held ? "held" : "FAILED", sentence);
	if (held && result->control == LAI_CONTROL_FAILED)
		return;
	if (!held && result->control == LAI_CONTROL_HELD)
		length = 0;
	(void)snprintf(words + length, sizeof(result->control_words) - length, "%s%s",
		       length > 0 ? "; " : "", sentence);
	result->control = held ? LAI_CONTROL_HELD : LAI_CONTROL_FAILED;
}

static void verdict_set(struct lai_result *result, enum lai_lab_verdict verdict, const char *format,
			va_list list) __attribute__((format(printf, 3, 0)));
static void verdict_set(struct lai_result *result, enum lai_lab_verdict verdict, const char *format,
			va_list list)
{
	char line[LINE_BYTES];

	(void)sentence_write(result->words, sizeof(result->words), format, list);
	result->said = verdict;
	(void)snprintf(line, sizeof(line), "%s: %s", lai_lab_verdict_name(verdict), result->words);
	evidence_add(result, line);
}

/* With what the captures have by now: of a trial that failed one wants to see the packets most. */
static void __attribute__((noreturn)) end(struct lai_trial *trial)
{
	for (size_t i = 0; i < LAI_TRIAL_WIRES_MAX; i++) {
		struct lai_capture *capture = trial->captures[i];

		/* A capture that fails to stop comes here as well. */
		trial->captures[i] = NULL;
		if (capture)
			lai_capture_stop(capture);
	}
	trial->result->ended_ns = lai_clock_read(CLOCK_REALTIME);
	/* The parent reads the result, not the status. */
	_exit(0);
}

void lai_trial_conclude(struct lai_trial *trial, enum lai_lab_verdict verdict, const char *format,
			...)
{
	va_list list;

	if (trial->result->said != LAI_LAB_NONE)
		lai_trial_fail(trial, "the experiment concluded twice");
	va_start(list, format);
	verdict_set(trial->result, verdict, format, list);
	va_end(list);
}

void lai_trial_fail(struct lai_trial *trial, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	verdict_set(trial->result, LAI_LAB_INCONCLUSIVE, format, list);
	va_end(list);
	end(trial);
}

void lai_trial_lacks(struct lai_trial *trial, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	verdict_set(trial->result, LAI_LAB_LACKS, format, list);
	va_end(list);
	end(trial);
}

/* ---- what it chooses and waits for ---------------------------------------------------------- */

uint16_t lai_trial_port(struct lai_trial *trial, uint16_t min, uint16_t max)
{
	return (uint16_t)(min + lai_random_below(&trial->random, (uint64_t)max - min + 1));
}

size_t lai_trial_descriptors(struct lai_trial *trial)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		lai_trial_fail(trial, "the limit of descriptors: %s", strerror(errno));
	return limit.rlim_cur;
}

void lai_trial_pass(struct lai_trial *trial, uint64_t ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), ns);
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / LAI_S),
		.tv_nsec = (long)(deadline_ns % LAI_S),
	};

	(void)trial; /* it is the trial that waits, and nothing else may */
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}
