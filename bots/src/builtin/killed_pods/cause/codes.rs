//! What exit codes mean, on Linux and on Windows.

/// Signals have the numbers 1 to 64; above 192 a code is the program's own, such as 255 for `exit(-1)`.
const SIGNAL_MAX: i64 = 64;

/// The signal that an exit code of a Linux container stands for.
pub(super) fn signal(exit_code: i64) -> Option<i64> {
    exit_code.checked_sub(128).filter(|signal| (1..=SIGNAL_MAX).contains(signal))
}

/// The name of a signal on Linux.
pub(super) fn signal_name(signal: i64) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        16 => "SIGSTKFLT",
        17 => "SIGCHLD",
        18 => "SIGCONT",
        19 => "SIGSTOP",
        20 => "SIGTSTP",
        21 => "SIGTTIN",
        22 => "SIGTTOU",
        23 => "SIGURG",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        26 => "SIGVTALRM",
        27 => "SIGPROF",
        28 => "SIGWINCH",
        29 => "SIGIO",
        30 => "SIGPWR",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// The number of a signal of that name, as `lifecycle.stopSignal` names them.
pub(super) fn signal_number(name: &str) -> Option<i64> {
    (1..=31).find(|signal| signal_name(*signal) == name)
}

/// What a signal usually means of a program.
pub(super) const fn signal_meaning(signal: i64) -> &'static str {
    match signal {
        4 => "an instruction that this processor does not have, often an image built for another processor",
        5 => "a trap: an assertion of the language's runtime failed",
        6 => "the program gave up by itself: a failed assertion, an uncaught error or a runtime out of heap",
        7 => "a memory mapping that is not backed, often a full /dev/shm",
        8 => "an arithmetic error such as a division by zero",
        11 => "a wrong access to memory, a bug of the program or of a native library",
        13 => "it wrote to a closed pipe",
        15 => "something asked it to stop, although nobody deleted the pod",
        25 => "it wrote a file larger than it may",
        31 => "a system call that its seccomp profile forbids",
        _ => "something sent it the signal",
    }
}

/// What an exit code usually means, where it has a usual meaning.
pub(super) const fn exit_meaning(exit_code: i64) -> Option<&'static str> {
    Some(match exit_code {
        2 => "a panic of Go, or wrong usage of a shell command",
        124 => "ended by `timeout`",
        125 => "the container engine itself failed",
        255 => "an exit with -1, or a fatal log line of Go",
        _ => return None,
    })
}

/// The name of a status code with which programs on Windows end; none for a code of their own.
pub(super) fn windows_name(exit_code: i64) -> Option<&'static str> {
    Some(match windows_status(exit_code)? {
        1067 => "ERROR_PROCESS_ABORTED: ended from outside",
        0x4001_0004 => "DBG_TERMINATE_PROCESS: ended at shutdown",
        0xC000_0005 => "STATUS_ACCESS_VIOLATION",
        0xC000_0017 => "STATUS_NO_MEMORY",
        0xC000_00FD => "STATUS_STACK_OVERFLOW",
        0xC000_012D => "STATUS_COMMITMENT_LIMIT: out of memory",
        0xC000_0135 => "STATUS_DLL_NOT_FOUND",
        0xC000_0139 => "STATUS_ENTRYPOINT_NOT_FOUND",
        0xC000_013A => "STATUS_CONTROL_C_EXIT: asked to stop",
        0xC000_0142 => "STATUS_DLL_INIT_FAILED",
        0xC000_0374 => "STATUS_HEAP_CORRUPTION",
        0xC000_0409 => "STATUS_STACK_BUFFER_OVERRUN: the program gave up by itself",
        0xE043_4352 => "an uncaught exception of .NET",
        _ => return None,
    })
}

/// The code as Windows has it: 32 bits without a sign, whichever way the runtime wrote them.
pub(super) fn windows_status(exit_code: i64) -> Option<u32> {
    u32::try_from(exit_code).ok().or_else(|| i32::try_from(exit_code).ok().map(i32::cast_unsigned))
}

/// Whether a program on Windows ends like this when it is asked to.
pub(super) fn is_windows_stop(exit_code: i64) -> bool {
    matches!(windows_status(exit_code), Some(1067 | 0x4001_0004 | 0xC000_013A))
}
