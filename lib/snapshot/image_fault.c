/* Foreign text goes into the sentence as it is: who shows it makes it printable. */
#include "snapshot/image_fault.h"

#include <stdarg.h>
#include <stdio.h>

int image_fail(struct image_fault *fault, int outcome, const char *format, ...)
{
	va_list arguments;

	if (fault->outcome != 0)
		return outcome;
	fault->outcome = outcome;
	va_start(arguments, format);
	if (vasprintf(&fault->message, format, arguments) < 0)
		fault->message = NULL;
	va_end(arguments);
	return outcome;
}
