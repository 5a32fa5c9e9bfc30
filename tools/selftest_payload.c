/*
 * What the self-test drops and executes: exits with 42, without a libc, so that an overlay with
 * nothing else in it can run it.
 */
void _start(void);

__attribute__((noreturn)) void _start(void)
{
#if defined(__x86_64__)
	__asm__ volatile("syscall" : : "a"(231 /* exit_group */), "D"(42) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long nr __asm__("x8") = 94; /* exit_group */
	register long code __asm__("x0") = 42;

	__asm__ volatile("svc #0" : : "r"(nr), "r"(code) : "memory");
#else
#error "the self-test has no program for this architecture"
#endif
	__builtin_unreachable();
}
