/* What the attacks drop: says that it ran, and exits with 42. A second argument makes it wait. */
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char marker[] = "PAYLOAD-RAN\n";

	if (write(1, marker, sizeof(marker) - 1) < 0)
		return 1;
	if (argc > 1 && !strcmp(argv[1], "wait"))
		pause();
	return 42;
}
