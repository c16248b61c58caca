/* SPDX-License-Identifier: MIT */
#include "cli/password.h"
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* Without SA_RESTART, so that a read ends and the terminal gets its echo back before we go. */
static void take_signals(struct sigaction old[SIGNAL_COUNT])
{
	struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &action, &old[i]);
}

static void give_signals_back(const struct sigaction old[SIGNAL_COUNT])
{
	for (size_t i = 0; i < SIGNAL_COUNT; i++)
		(void)sigaction(signals[i], &old[i], NULL);
}

/* Until the end, or a line break if one_line. Bytes, over what fits at most; a negative errno. */
static ssize_t read_bytes(int fd, bool one_line, char *text)
{
	size_t size = 0;

	while (size < LAI_PASSWORD_ROOM - 1) {
		ssize_t got = read(fd, text + size, LAI_PASSWORD_ROOM - 1 - size);

		if (got < 0 && errno == EINTR && !caught)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		size += (size_t)got;
		if (one_line && memchr(text, '\n', size))
			break;
	}
	return (ssize_t)size;
}

static size_t cut_line_break(char *text, size_t size)
{
	if (size > 0 && text[size - 1] == '\n')
		size--;
	if (size > 0 && text[size - 1] == '\r')
		size--;
	text[size] = '\0';
	return size;
}

/* One line that is not shown. Bytes, or a negative errno. */
static ssize_t ask(const char *question, char *text)
{
	struct termios shown, hidden;
	struct sigaction old[SIGNAL_COUNT];
	ssize_t size;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return -errno;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	caught = 0;
	take_signals(old);
	/* In this order: what is typed once the question is there is neither shown nor thrown away. */
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	(void)fputs(question, stderr);
	(void)fflush(stderr);
	size = read_bytes(STDIN_FILENO, true, text);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	(void)fputc('\n', stderr);
	give_signals_back(old);
	if (caught)
		(void)raise(caught);
	return size < 0 ? size : (ssize_t)cut_line_break(text, (size_t)size);
}

static int ask_twice(const char *command, char *text, size_t *size)
{
	char again[LAI_PASSWORD_ROOM];
	ssize_t first = ask("Password: ", text), second;
	bool same;

	if (first < 0) {
		lai_command_complain(command, "the terminal cannot be read: %s",
				     strerror((int)-first));
		return LAI_EXIT_FAILED;
	}
	second = ask("Again: ", again);
	same = second == first && memcmp(text, again, (size_t)first) == 0;
	explicit_bzero(again, sizeof(again));
	if (!same)
		return lai_command_refuse(command, "the two passwords differ; nothing was changed");
	*size = (size_t)first;
	return LAI_EXIT_DONE;
}

int lai_password_read(const char *command, const char *file, char text[LAI_PASSWORD_ROOM],
		      size_t *size)
{
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	const char *name = file ? file : "standard input";
	ssize_t got;

	if (fd >= 0 && !file && isatty(fd))
		return ask_twice(command, text, size);
	got = fd < 0 ? -errno : read_bytes(fd, false, text);
	if (file && fd >= 0)
		(void)close(fd);
	if (got < 0) {
		lai_command_complain(command, "%s cannot be read: %s", name, strerror((int)-got));
		return LAI_EXIT_FAILED;
	}
	*size = cut_line_break(text, (size_t)got);
	return LAI_EXIT_DONE;
}
