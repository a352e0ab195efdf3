//! Which system calls are left (seccomp(2)): those that reading, counting, writing and serving take.
//!
//! A table of what is allowed; anything else fails with EPERM, as when systemd filters, so that a call nobody thought of
//! costs an error and not the run. Calls are allowed by their arguments where these decide: threads but no processes,
//! memory that is written or runs but never comes to run, sockets of the kinds that are dialled, signals to ourselves.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter, apply_filter_all_threads,
};

/// What a process may ask of the system beyond files, memory, threads and what is open already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// It answers on sockets that listen already.
    pub serves: bool,
    /// It opens connections and sends datagrams.
    pub dials: bool,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Files, memory, threads, time, and waiting: harmless in themselves, or confined by landlock.
const PLAIN: &[libc::c_long] = &[
    // Open files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_getdents64,
    libc::SYS_copy_file_range,
    libc::SYS_pipe2,
    // Files by name.
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_getcwd,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_brk,
    // Threads and signals.
    libc::SYS_clone3, // Answered by another filter.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Who and where we are, and what time it is.
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    // Sockets that are open.
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
];

/// Older names of the same, which newer machines never had.
#[cfg(target_arch = "x86_64")]
const OLD: &[libc::c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[libc::c_long] = &[];

/// Requests to devices and sockets: what an interface says of itself, what a terminal is asked and told. Others, such as
/// TIOCSTI, which types on a terminal, are none of ours.
const REQUESTS: &[libc::c_ulong] = &[
    libc::SIOCGIFFLAGS as libc::c_ulong,
    libc::FIONBIO as libc::c_ulong,
    libc::FIONREAD as libc::c_ulong,
    libc::FIOCLEX as libc::c_ulong,
    libc::TCGETS as libc::c_ulong,
    libc::TCSETS as libc::c_ulong,
    libc::TCSETSW as libc::c_ulong,
    libc::TCSETSF as libc::c_ulong,
    libc::TCGETS2 as libc::c_ulong,
    libc::TCSETS2 as libc::c_ulong,
    libc::TCSETSW2 as libc::c_ulong,
    libc::TCSETSF2 as libc::c_ulong,
    libc::TIOCGWINSZ as libc::c_ulong,
];

/// Low bits of a socket's type (socket(2)); the others are flags.
const SOCKET_KIND: u64 = 0xf;

impl Calls {
    /// Filters the calls of this thread and those it starts. Tells whether there is a filter for this machine and kernel.
    pub(super) fn filter(self) -> io::Result<bool> {
        self.install(apply_filter)
    }

    /// Filters the calls of all threads.
    pub(super) fn filter_all_threads(self) -> io::Result<bool> {
        self.install(apply_filter_all_threads)
    }

    fn install(self, apply: impl Fn(seccompiler::BpfProgramRef<'_>) -> seccompiler::Result<()>) -> io::Result<bool> {
        let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
        let mut programs = Vec::new();
        for (rules, otherwise, matching) in [
            // Which threads clone3(2) makes lies behind a pointer: the C library takes clone(2) where there is none.
            (no_clone3(), SeccompAction::Allow, errno(libc::ENOSYS)),
            (self.rules().map_err(io::Error::other)?, errno(libc::EPERM), SeccompAction::Allow),
        ] {
            let filter = SeccompFilter::new(rules, otherwise, matching, arch).map_err(io::Error::other)?;
            programs.push(BpfProgram::try_from(filter).map_err(io::Error::other)?);
        }
        // The table last: it does not allow another filter.
        match programs.iter().try_for_each(|program| apply(program)) {
            Ok(()) => Ok(true),
            Err(error) if is_unknown(&error) => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn rules(self) -> Result<Rules, seccompiler::BackendError> {
        let mut rules: Rules = PLAIN.iter().chain(OLD).map(|call| (*call, Vec::new())).collect();
        let exec = wide(libc::PROT_EXEC);
        rules.insert(libc::SYS_mmap, vec![all([masked(2, exec, 0)])?]);
        rules.insert(libc::SYS_mprotect, vec![all([masked(2, exec, 0)])?]);
        let thread = wide(libc::CLONE_THREAD);
        rules.insert(libc::SYS_clone, vec![all([masked(0, thread, thread)])?]);
        rules.insert(libc::SYS_tgkill, vec![all([equal(0, u64::from(std::process::id()))])?]);
        rules.insert(libc::SYS_prctl, vec![all([equal(0, wide(libc::PR_SET_NAME))])?]);
        // Limits are looked up and not set.
        rules.insert(
            libc::SYS_prlimit64,
            vec![all([SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)])?],
        );
        rules.insert(
            libc::SYS_ioctl,
            REQUESTS.iter().map(|request| all([equal(1, *request)])).collect::<Result<_, _>>()?,
        );
        rules.insert(libc::SYS_socket, self.sockets()?);
        if self.serves {
            rules.extend([libc::SYS_accept4, libc::SYS_accept].map(|call| (call, Vec::new())));
        }
        if self.dials {
            let dialling =
                [libc::SYS_connect, libc::SYS_bind, libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg];
            rules.extend(dialling.map(|call| (call, Vec::new())));
        }
        Ok(rules)
    }

    /// Local datagrams, by which the kernel is asked about interfaces; and the two kinds that receivers of alerts take.
    fn sockets(self) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        let mut kinds = vec![(libc::AF_UNIX, libc::SOCK_DGRAM)];
        if self.dials {
            for family in [libc::AF_INET, libc::AF_INET6] {
                kinds.extend([(family, libc::SOCK_STREAM), (family, libc::SOCK_DGRAM)]);
            }
        }
        let rule = |(family, kind)| all([equal(0, wide(family)), masked(1, SOCKET_KIND, wide(kind))]);
        kinds.into_iter().map(rule).collect()
    }
}

/// Tells whether the kernel knows no filters.
fn is_unknown(error: &seccompiler::Error) -> bool {
    let (seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error)) = error else { return false };
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

fn no_clone3() -> Rules {
    Rules::from([(libc::SYS_clone3, Vec::new())])
}

fn errno(number: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

/// Constants of the C headers are positive.
fn wide(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn equal(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// The bits of the mask are those of the value.
fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

fn all<const N: usize>(conditions: [Condition; N]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}
