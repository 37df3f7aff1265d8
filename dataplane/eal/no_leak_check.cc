// Of sanitized builds of the program only. To look for leaks at the end all threads are stopped by
// ptrace, and once in forty times on a busy machine one of EAL's never is: the process hangs. The
// unit tests, which link the same code, look for them.
extern "C" int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() { return 1; }
