/* System calls as bare machine code: what an attacker brings along. No C library, so that it runs on any Debian;
 * Python calls these functions through ctypes. Each gives what the kernel gave: below 0 it is -errno.
 *
 *   cc -shared -fPIC -O1 -nostdlib -o machine.so machine.c
 */

long raw(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	result = x0;
#endif
	return result;
}

/* The 32-bit way in, with the 32-bit numbers: a filter that only knows the others would let them pass. */
long old(long number, long a, long b, long c)
{
#if defined(__x86_64__)
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c) : "r8", "r9", "r10", "r11", "memory");
	return (int)result;
#else
	return -38; /* ENOSYS: this architecture has no such way */
#endif
}

/* Two instructions of the machine that give 42: what is put into memory that is then to be run. */
long is_42(long (*code)(void))
{
	return code() == 42 ? 0 : -1;
}
