/* A program that tells which of two contents of it ran: the race writes over the last word. */
#include <unistd.h>

static const volatile char marker[] = "MARKER-GOOD\n";

int main(void)
{
	char copy[sizeof(marker)];

	for (unsigned int i = 0; i < sizeof(marker); i++)
		copy[i] = marker[i];
	return write(1, copy, sizeof(marker) - 1) < 0;
}
