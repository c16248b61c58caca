/* SPDX-License-Identifier: MIT */
#include "show/html.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static const char *entity_of(unsigned char byte)
{
	switch (byte) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	case '\n':
	case '\t': return NULL;
	default: return byte < ' ' || byte == 0x7f ? REPLACEMENT : NULL;
	}
}

/* C1 controls (U+0080 to U+009F), and U+FFFE and U+FFFF, which XML does not allow. */
static bool is_forbidden(const unsigned char *data, size_t length)
{
	if (length == 2)
		return data[0] == 0xc2 && data[1] < 0xa0;
	return length == 3 && data[0] == 0xef && data[1] == 0xbf && data[2] >= 0xbe;
}

void lai_html_bytes(FILE *file, const char *bytes, size_t size)
{
	const unsigned char *data = (const unsigned char *)bytes;

	while (size > 0) {
		bool valid = true;
		size_t length = lai_utf8_sequence(data, size, &valid);
		const char *instead = length == 1 ? entity_of(*data) : NULL;

		if (!valid || is_forbidden(data, length))
			instead = REPLACEMENT;
		if (instead)
			(void)fputs(instead, file);
		else
			(void)fwrite(data, 1, length, file);
		data += length;
		size -= length;
	}
}

void lai_html_text(FILE *file, const char *string)
{
	lai_html_bytes(file, string, strlen(string));
}

void lai_html_print(FILE *file, const char *format, ...)
{
	char text[LAI_HTML_PRINT_MAX];
	va_list list;

	va_start(list, format);
	(void)vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	lai_html_text(file, text);
}
