/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli/option.h"

#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ARGS_MAX 16

enum colour { RED, GREEN, BLUE };

struct settings {
	bool verbose;
	bool quiet;
	const char *file;
	uint32_t tries;
	uint32_t tos;
	uint16_t port;
	uint64_t buffer_bytes;
	uint64_t dead_ns;
	enum colour colour;
	struct lai_option_range backoff;
	struct lai_option_list headers;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

#define AT(field) .offset = offsetof(struct settings, field)

static const struct lai_option options[] = {
	{.help = "Talk"},
	{"verbose", 'v', LAI_OPTION_FLAG, AT(verbose), .help = "Say more."},
	{"quiet", 'q', LAI_OPTION_FLAG, AT(quiet), .help = "Say nothing."},
	{.help = "Data"},
	{"follow", 'F', LAI_OPTION_TEXT, AT(file), "FILE", .help = "Read FILE for ever."},
	{"tries", 'n', LAI_OPTION_U32, AT(tries), "N", .help = "Give up after N tries."},
	{"tos", 0, LAI_OPTION_U32, AT(tos), "N", .help = "Type of service.", .max = 255},
	{"local-port", 0, LAI_OPTION_PORT, AT(port), "PORT",
	 .help = "Leave from this port; a sentence that is so long that it has to be broken "
		 "somewhere before the eightieth column."},
	{"buffer", 'b', LAI_OPTION_SIZE, AT(buffer_bytes), "SIZE", .help = "Keep SIZE."},
	{"dead", 0, LAI_OPTION_TIME, AT(dead_ns), "TIME", .help = "Dead after TIME."},
	{"colour", 'c', LAI_OPTION_ENUM, AT(colour), .help = "In colour.", .names = colours},
	{"backoff", 0, LAI_OPTION_RANGE, AT(backoff), "MIN..MAX", .help = "Wait so long."},
	{"header", 'H', LAI_OPTION_LIST, AT(headers), "TEXT", .help = "Add a header."},
};

static const struct lai_option_hint hints[] = {
	{"-u", "no such thing"}, {"--user", "it is always you"}, {"state", "write --state"}};

static const struct lai_option_command command = {
	.name = "lastack test",
	.operands = "URL...",
	.summary = "Does nothing.",
	.epilog = "Examples:\n  lastack test x\n",
	.options = options,
	.option_count = COUNT(options),
	.settings_bytes = sizeof(struct settings),
	.operands_max = SIZE_MAX,
	.hints = hints,
	.hint_count = COUNT(hints),
};

struct outcome {
	struct settings settings;
	struct lai_option_list operands;
	int result;
	char *error;
};

static const struct settings defaults = {.file = "default", .tries = 3, .tos = 7, .colour = BLUE};

static void parse(struct outcome *outcome, const struct lai_option_command *how,
		  const char *const *args)
{
	char *copies[ARGS_MAX];
	int count = 0;

	while (args[count]) {
		assert_true(count < ARGS_MAX);
		copies[count] = (char *)args[count];
		count++;
	}
	*outcome = (struct outcome){0};
	memcpy(&outcome->settings, &defaults,
	       sizeof(defaults)); /* with its padding: it is compared */
	outcome->result = lai_option_parse(how, count, copies, &outcome->settings,
					   &outcome->operands, &outcome->error);
}

#define PARSE(outcome, ...) parse(outcome, &command, (const char *const[]){__VA_ARGS__, NULL})

static void done(struct outcome *outcome)
{
	lai_option_done(&command, &outcome->settings, &outcome->operands);
	free(outcome->error);
}

/* One wrong argument list: the sentence, and nothing else was touched. */
static void assert_refused(const struct lai_option_command *how, const char *const *args,
			   const char *sentence)
{
	struct outcome outcome;

	parse(&outcome, how, args);
	assert_int_equal(outcome.result, -EINVAL);
	assert_string_equal(outcome.error, sentence);
	assert_memory_equal(&outcome.settings, &defaults, sizeof(defaults));
	assert_null(outcome.operands.texts);
	done(&outcome);
}

#define REFUSED(sentence, ...)                                                                     \
	assert_refused(&command, (const char *const[]){__VA_ARGS__, NULL}, sentence)

static void test_all_types(void **state)
{
	struct outcome o;

	(void)state;
	PARSE(&o, "--verbose", "--follow=a=b", "--tries", "7", "--tos=0x10", "--local-port=65535",
	      "--buffer=8M", "--dead", "1.5s", "--colour=green", "--backoff=500ms..1m",
	      "--header=x", "-Hy");
	assert_int_equal(o.result, 0);
	assert_true(o.settings.verbose);
	assert_false(o.settings.quiet);
	assert_string_equal(o.settings.file, "a=b");
	assert_int_equal(o.settings.tries, 7);
	assert_int_equal(o.settings.tos, 16);
	assert_int_equal(o.settings.port, 65535);
	assert_int_equal(o.settings.buffer_bytes, 8 << 20);
	assert_int_equal(o.settings.dead_ns, 1500 * LAI_MS);
	assert_int_equal(o.settings.colour, GREEN);
	assert_int_equal(o.settings.backoff.min_ns, 500 * LAI_MS);
	assert_int_equal(o.settings.backoff.max_ns, 60 * LAI_S);
	assert_int_equal(o.settings.headers.count, 2);
	assert_string_equal(o.settings.headers.texts[0], "x");
	assert_string_equal(o.settings.headers.texts[1], "y");
	done(&o);
}

static void test_nothing(void **state)
{
	struct outcome o = {0};

	(void)state;
	memcpy(&o.settings, &defaults, sizeof(defaults));
	o.result = lai_option_parse(&command, 0, NULL, &o.settings, &o.operands, &o.error);
	assert_int_equal(o.result, 0);
	assert_memory_equal(&o.settings, &defaults, sizeof(defaults));
	assert_int_equal(o.operands.count, 0);
	done(&o);
}

static void test_order(void **state)
{
	struct outcome o;

	(void)state;
	PARSE(&o, "one", "-v", "-", "-n", "5", "two", "--", "-q", "--", "--help");
	assert_int_equal(o.result, 0);
	assert_true(o.settings.verbose);
	assert_false(o.settings.quiet);
	assert_int_equal(o.settings.tries, 5);
	assert_int_equal(o.operands.count, 6);
	assert_string_equal(o.operands.texts[0], "one");
	assert_string_equal(o.operands.texts[1], "-");
	assert_string_equal(o.operands.texts[2], "two");
	assert_string_equal(o.operands.texts[3], "-q");
	assert_string_equal(o.operands.texts[4], "--");
	assert_string_equal(o.operands.texts[5], "--help");
	done(&o);
}

static void test_letters(void **state)
{
	struct outcome o;

	(void)state;
	PARSE(&o, "-vqn12", "-F", "-", "-cred");
	assert_int_equal(o.result, 0);
	assert_true(o.settings.verbose && o.settings.quiet);
	assert_int_equal(o.settings.tries, 12);
	assert_string_equal(o.settings.file, "-");
	assert_int_equal(o.settings.colour, RED);
	done(&o);
}

static void test_last_wins(void **state)
{
	struct outcome o;

	(void)state;
	PARSE(&o, "--tries=1", "--tries=2", "-n", "4");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.settings.tries, 4);
	done(&o);
}

static void test_value_with_dashes(void **state)
{
	struct outcome o;

	(void)state;
	PARSE(&o, "--follow=--verbose", "-H", "-x");
	assert_int_equal(o.result, 0);
	assert_string_equal(o.settings.file, "--verbose");
	assert_string_equal(o.settings.headers.texts[0], "-x");
	done(&o);
	REFUSED("--follow needs a value: --follow FILE (--follow='--verbose' if this is meant to be "
		"one)",
		"--follow", "--verbose");
	REFUSED("-F needs a value: -F FILE", "-F", "--", "x");
}

static void test_help_version(void **state)
{
	static const struct {
		const char *argument;
		int result;
	} cases[] = {{"--help", LAI_OPTION_HELP},
		     {"-h", LAI_OPTION_HELP},
		     {"--version", LAI_OPTION_VERSION},
		     {"-V", LAI_OPTION_VERSION},
		     {"-vh", LAI_OPTION_HELP}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct outcome o;

		PARSE(&o, "url", "-Hx", cases[i].argument, "--nonsense");
		assert_int_equal(o.result, cases[i].result);
		assert_null(o.error);
		assert_memory_equal(&o.settings, &defaults, sizeof(defaults));
		assert_null(o.operands.texts);
		done(&o);
	}
	REFUSED("--help takes no value, but was given 'x'", "--help=x");
}

static void test_unknown(void **state)
{
	(void)state;
	REFUSED("there is no option '--folow'; did you mean --follow?", "--folow");
	REFUSED("there is no option '--folow'; did you mean --follow?", "--folow=x");
	REFUSED("there is no option '--fololw'; did you mean --follow?", "--fololw");
	REFUSED("there is no option '--verbsoe'; did you mean --verbose?", "--verbsoe");
	REFUSED("there is no option '--hlep'; did you mean --help?", "--hlep");
	REFUSED("there is no option '--verb'; did you mean --verbose?", "--verb");
	REFUSED("there is no option '--local'; did you mean --local-port?", "--local");
	REFUSED("there is no option '-follow'; did you mean --follow?", "-follow", "x");
	REFUSED("there is no option '-tries'; did you mean --tries?", "-tries=5");
	REFUSED("there is no option '--zzz'", "--zzz");
	REFUSED("there is no option '--'", "--=x");
	REFUSED("there is no option '-x'", "-x");
	REFUSED("there is no option '-x'", "-vx");
	REFUSED("there is no option '-\xc3\xbc'", "-\xc3\xbc");
}

static void test_hints(void **state)
{
	struct lai_option_command none = command;

	(void)state;
	none.operands = NULL;
	REFUSED("there is no option '-u': no such thing", "-u");
	REFUSED("there is no option '-u': no such thing", "-vuq");
	REFUSED("there is no option '-u': no such thing", "-uq");
	REFUSED("there is no option '--user': it is always you", "--user=x");
	assert_refused(&none, (const char *const[]){"state", "x", NULL},
		       "only options are taken, so 'state' is one too many: write --state");
	assert_refused(&none, (const char *const[]){"state = x", NULL},
		       "only options are taken, so 'state = x' is one too many: write --state");
	assert_refused(&none, (const char *const[]){"states", NULL},
		       "only options are taken, so 'states' is one too many");
}

/* Up to the part "stop". */
static int append_part(void *arg, const char *part)
{
	char *all = arg;

	strcat(strcat(all, part), "|");
	return strcmp(part, "stop") == 0 ? 7 : 0;
}

static void test_list_each(void **state)
{
	const char *texts[] = {"a,b", "", ",c", "d,stop,e", "f"};
	char all[64] = "";

	(void)state;
	assert_int_equal(
		lai_option_list_each(&(struct lai_option_list){texts, 3}, append_part, all), 0);
	assert_string_equal(all, "a|b|||c|");
	all[0] = '\0';
	assert_int_equal(
		lai_option_list_each(&(struct lai_option_list){texts, 5}, append_part, all), 7);
	assert_string_equal(all, "a|b|||c|d|stop|");
}

static void test_refuse_name(void **state)
{
	static const struct {
		const char *given, *sentence;
	} cases[] = {
		{"mauve", "--x needs red, green or blue, not 'mauve'"},
		{"BLUE", "--x needs red, green or blue, not 'BLUE'; did you mean 'blue'?"},
		{"", "--x needs red, green or blue"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lai_text text = LAI_TEXT_INIT(LAI_OPTION_SENTENCE_MAX);

		lai_option_refuse_name(&text, "--x", colours, 3, cases[i].given);
		assert_string_equal(lai_text_string(&text), cases[i].sentence);
		lai_text_done(&text);
	}
}

static void test_bad_flag(void **state)
{
	(void)state;
	REFUSED("--verbose takes no value, but was given 'yes'", "--verbose=yes");
	REFUSED("--verbose takes no value, but was given ''", "--verbose=");
}

static void test_bad_text(void **state)
{
	(void)state;
	REFUSED("--follow needs a value: --follow FILE", "--follow");
	REFUSED("--follow needs a value that is not empty", "--follow=");
	REFUSED("-F needs a value that is not empty", "-F", "");
	REFUSED("--header needs a value that is not empty", "--header=ok", "--header=");
}

static void test_bad_u32(void **state)
{
	static const char *const bad[] = {
		"x",  "-1",  "+1", "1.5", "4294967296", "99999999999999999999",
		"0x", "0xg", " 1", "1 ",  "0x-1",	"0x100000000"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char argument[64] = "--tries=", sentence[128];

		strcat(argument, bad[i]);
		strcpy(sentence, "--tries needs a whole number from 0 to 4294967295, not '");
		strcat(strcat(sentence, bad[i]), "'");
		REFUSED(sentence, argument);
	}
	REFUSED("--tos needs a whole number from 0 to 255, not '256'", "--tos=256");
	REFUSED("--tries needs a whole number from 0 to 4294967295", "--tries=");
}

static void test_bad_port(void **state)
{
	static const char *const bad[] = {"0", "65536", "70000", "0x50", "http", "-1", "80 "};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char sentence[128] = "--local-port needs a port number from 1 to 65535, not '";

		strcat(strcat(sentence, bad[i]), "'");
		REFUSED(sentence, "--local-port", bad[i]);
	}
}

static void test_bad_size(void **state)
{
	(void)state;
	REFUSED("--buffer needs a size in bytes such as 4096, 64k, 8M or 1G, not '1.5M'",
		"--buffer=1.5M");
	REFUSED("-b needs a size in bytes such as 4096, 64k, 8M or 1G, not '-5'", "-b", "-5");
	REFUSED("--buffer: '9000000T' is too large; the most is 2^63 - 1 bytes",
		"--buffer=9000000T");
}

static void test_bad_time(void **state)
{
	(void)state;
	REFUSED("--dead needs a time such as 500ms, 30s, 5m, 2h, 1d or never, not '5x'",
		"--dead=5x");
	REFUSED("--dead: '40000d' is too large; the most is 100 years, or never", "--dead=40000d");
}

static void test_bad_enum(void **state)
{
	(void)state;
	REFUSED("--colour needs red, green or blue, not 'mauve'", "--colour=mauve");
	REFUSED("-c needs red, green or blue, not 'grene'; did you mean 'green'?", "-c", "grene");
	REFUSED("--colour needs red, green or blue", "--colour=");
	REFUSED("--colour needs a value: --colour NAME", "--colour");
}

static void test_bad_range(void **state)
{
	static const char *const bad[] = {"5s",	    "..",    "1s..",	   "..1s", "1s...2s",
					  "2s..1s", "1s..x", "1s..2s..3s", "1s-2s"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char sentence[160] =
			"--backoff needs two times MIN..MAX such as 500ms..60s, the smaller "
			"first, not '";

		strcat(strcat(sentence, bad[i]), "'");
		REFUSED(sentence, "--backoff", bad[i]);
	}
	REFUSED("--backoff: '1s..40000d' is too large; the most is 100 years, or never",
		"--backoff=1s..40000d");
}

static void test_good_range(void **state)
{
	struct outcome o;

	(void)state;
	PARSE(&o, "--backoff=1.5..never");
	assert_int_equal(o.result, 0);
	assert_int_equal(o.settings.backoff.min_ns, 1500 * LAI_MS);
	assert_true(o.settings.backoff.max_ns == LA_NEVER);
	done(&o);
	PARSE(&o, "--backoff=1s..1s");
	assert_int_equal(o.result, 0);
	assert_true(o.settings.backoff.max_ns == LAI_S);
	done(&o);
}

static void test_all_or_nothing(void **state)
{
	(void)state;
	REFUSED("--dead needs a time such as 500ms, 30s, 5m, 2h, 1d or never, not 'x'", "url", "-v",
		"--follow=f", "--header=a", "--header=b", "--dead=x");
}

static void test_echo(void **state)
{
	char argument[128] = "--local-port=";

	(void)state;
	memset(argument + strlen(argument), 'x', 100);
	REFUSED("--local-port needs a port number from 1 to 65535, not 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'",
		argument);
	REFUSED("--colour needs red, green or blue, not '?[2J?'", "--colour=\x1b[2J\n");
}

static void test_operands(void **state)
{
	struct lai_option_command one = command, none = command;
	struct outcome o;

	(void)state;
	one.operands_min = one.operands_max = 1;
	one.operands = "URL";
	none.operands = NULL;
	assert_refused(&one, (const char *const[]){"-v", NULL},
		       "URL is missing; usage: lastack test [OPTION]... URL");
	assert_refused(&one, (const char *const[]){"a", "b", "c", NULL},
		       "no more operands are taken, so 'b' is one too many");
	assert_refused(&none, (const char *const[]){"a", NULL},
		       "only options are taken, so 'a' is one too many");
	parse(&o, &one, (const char *const[]){"a", NULL});
	assert_int_equal(o.result, 0);
	assert_int_equal(o.operands.count, 1);
	done(&o);
}

static void test_help_text(void **state)
{
	static const char expected[] =
		"Usage: lastack test [OPTION]... URL...\n"
		"\n"
		"Does nothing.\n"
		"\n"
		"Talk:\n"
		"  -v, --verbose               Say more.\n"
		"  -q, --quiet                 Say nothing.\n"
		"\n"
		"Data:\n"
		"  -F, --follow=FILE           Read FILE for ever.\n"
		"  -n, --tries=N               Give up after N tries.\n"
		"      --tos=N                 Type of service.\n"
		"      --local-port=PORT       Leave from this port; a sentence that is so long\n"
		"                              that it has to be broken somewhere before the\n"
		"                              eightieth column.\n"
		"  -b, --buffer=SIZE           Keep SIZE.\n"
		"      --dead=TIME             Dead after TIME.\n"
		"  -c, --colour=red|green|blue\n"
		"                              In colour.\n"
		"      --backoff=MIN..MAX      Wait so long.\n"
		"  -H, --header=TEXT           Add a header.\n"
		"\n"
		"  -h, --help                  Print this help and exit.\n"
		"  -V, --version               Print the version and exit.\n"
		"\n"
		"Examples:\n"
		"  lastack test x\n";
	char *help = NULL;

	(void)state;
	assert_int_equal(lai_option_help(&command, &help), 0);
	assert_string_equal(help, expected);
	free(help);
}

static void test_help_letter_taken(void **state)
{
	static const struct lai_option taken[] = {
		{"hops", 'h', LAI_OPTION_U32, AT(tries), "N", .help = "Count."},
	};
	struct lai_option_command plain = {.name = "x",
					   .options = taken,
					   .option_count = COUNT(taken),
					   .settings_bytes = sizeof(struct settings)};
	struct outcome o;
	char *help = NULL;

	(void)state;
	assert_int_equal(lai_option_help(&plain, &help), 0);
	assert_string_equal(help, "Usage: x [OPTION]...\n"
				  "\n"
				  "Options:\n"
				  "  -h, --hops=N                Count.\n"
				  "      --help                  Print this help and exit.\n"
				  "  -V, --version               Print the version and exit.\n");
	free(help);
	parse(&o, &plain, (const char *const[]){"-h", "9", NULL});
	assert_int_equal(o.result, 0);
	assert_int_equal(o.settings.tries, 9);
	done(&o);
}

static void test_help_width(void **state)
{
	char sentence[600] = "", *help = NULL;
	struct lai_option_command wide = command;

	(void)state;
	for (size_t i = 0; i < 70; i++) /* words of every length from 1 to 7 */
		snprintf(sentence + strlen(sentence), 9, " %.*s", (int)(i % 7 + 1), "abcdefg");
	wide.summary = sentence;
	assert_int_equal(lai_option_help(&wide, &help), 0);
	for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) < 80);
		assert_true(line[strlen(line) - 1] != ' ');
	}
	free(help);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"send", "receive", "list", "doctor"};

	(void)state;
	assert_string_equal(lai_option_nearest("sedn", names, COUNT(names)), "send");
	assert_string_equal(lai_option_nearest("recieve", names, COUNT(names)), "receive");
	assert_string_equal(lai_option_nearest("doc", names, COUNT(names)), "doctor");
	assert_null(lai_option_nearest("balance", names, COUNT(names)));
	assert_null(lai_option_nearest("", names, COUNT(names)));
	assert_null(lai_option_nearest("a-name-that-is-longer-than-any-option-has", names,
				       COUNT(names)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "every type is read into its field", .test_func = test_all_types},
		{.name = "without arguments the defaults stay", .test_func = test_nothing},
		{.name = "options stand anywhere before --, operands keep their order",
		 .test_func = test_order},
		{.name = "letters may be joined, the last one with its value",
		 .test_func = test_letters},
		{.name = "of an option given twice the last counts", .test_func = test_last_wins},
		{.name = "a forgotten value is noticed", .test_func = test_value_with_dashes},
		{.name = "help and version are left to the caller", .test_func = test_help_version},
		{.name = "unknown options are refused, near misses named",
		 .test_func = test_unknown},
		{.name = "what is known from elsewhere gets a hint", .test_func = test_hints},
		{.name = "lists are taken apart at commas", .test_func = test_list_each},
		{.name = "a name is refused with those that there are, and the nearest",
		 .test_func = test_refuse_name},
		{.name = "a flag takes no value", .test_func = test_bad_flag},
		{.name = "a text must not be empty", .test_func = test_bad_text},
		{.name = "numbers out of form or range are refused", .test_func = test_bad_u32},
		{.name = "ports are 1 to 65535, decimal", .test_func = test_bad_port},
		{.name = "wrong sizes are refused", .test_func = test_bad_size},
		{.name = "wrong times are refused", .test_func = test_bad_time},
		{.name = "wrong names of an enum are refused", .test_func = test_bad_enum},
		{.name = "wrong ranges are refused", .test_func = test_bad_range},
		{.name = "a range may have fractions, never, and equal ends",
		 .test_func = test_good_range},
		{.name = "after a mistake no setting has changed",
		 .test_func = test_all_or_nothing},
		{.name = "errors repeat arguments short and harmless", .test_func = test_echo},
		{.name = "the number of operands is checked", .test_func = test_operands},
		{.name = "the help text comes from the table", .test_func = test_help_text},
		{.name = "a row may take the letter h", .test_func = test_help_letter_taken},
		{.name = "no line of the help text reaches column 80",
		 .test_func = test_help_width},
		{.name = "the nearest name is found, or none", .test_func = test_nearest},
	};

	return cmocka_run_group_tests_name("cli.option", tests, NULL, NULL);
}
