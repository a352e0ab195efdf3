//! The few system calls that libpcap does not offer: waiting with a bound, fan-out groups, and what an interface says of
//! itself.
//!
//! The only unsafe code of the crate. It knows descriptors and interface names, not frames; every call copies plain
//! integers in and out, and nothing allocated here outlives its call.
#![expect(
    unsafe_code,
    reason = "poll(2), setsockopt(2) and ioctl(2) on libpcap's descriptor have no safe form in std or libpcap"
)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Waits until the descriptor has something to read or to report, at most `bound`. A signal ends the wait early.
pub(super) fn wait_readable(descriptor: BorrowedFd<'_>, bound: Duration) -> io::Result<()> {
    let mut waiting = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = libc::c_int::try_from(bound.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: `waiting` is one valid pollfd for the length of the call, and the count says one.
    let outcome = unsafe { libc::poll(&raw mut waiting, 1, milliseconds) };
    if outcome < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
    }
    Ok(())
}

/// Makes a fan-out group that a classic BPF program rules, and puts the socket into it. Returns the group's number,
/// which the kernel chose so that it is nobody else's.
pub(super) fn found_fanout_group(descriptor: BorrowedFd<'_>) -> io::Result<u16> {
    set_fanout(descriptor, (libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16)?;
    let mut membership: libc::c_uint = 0;
    let mut length = socket_length::<libc::c_uint>();
    // SAFETY: the kernel writes at most `length` bytes to `membership`, which is that long.
    let outcome = unsafe {
        libc::getsockopt(
            descriptor.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_FANOUT,
            (&raw mut membership).cast(),
            &raw mut length,
        )
    };
    checked(outcome)?;
    Ok(u16::try_from(membership & 0xffff).expect("sixteen bits"))
}

/// Puts the socket into a group made by [`found_fanout_group`].
pub(super) fn join_fanout_group(descriptor: BorrowedFd<'_>, group: u16) -> io::Result<()> {
    set_fanout(descriptor, u32::from(group) | libc::PACKET_FANOUT_CBPF << 16)
}

/// Gives the socket's group the program that chooses the member for each frame.
pub(super) fn set_fanout_program(descriptor: BorrowedFd<'_>, program: &mut [libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    set_option(descriptor, libc::PACKET_FANOUT_DATA, &program)
}

fn set_fanout(descriptor: BorrowedFd<'_>, membership: libc::c_uint) -> io::Result<()> {
    set_option(descriptor, libc::PACKET_FANOUT, &membership)
}

fn set_option<T>(descriptor: BorrowedFd<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes at `value`, and what a `sock_fprog` points at lives in the caller.
    let outcome = unsafe {
        libc::setsockopt(
            descriptor.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            std::ptr::from_ref(value).cast(),
            socket_length::<T>(),
        )
    };
    checked(outcome)
}

fn socket_length<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("options are a few bytes")
}

/// Tells whether the interface is administratively up; `None` when there is no such interface.
pub(super) fn is_up(name: &str) -> Option<bool> {
    let request = ask(name, libc::SIOCGIFFLAGS, |_| {})?;
    // SAFETY: SIOCGIFFLAGS filled this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Some(libc::c_int::from(flags) & libc::IFF_UP != 0)
}

/// Returns the interface's maximum transmission unit in bytes.
pub(super) fn mtu(name: &str) -> Option<u32> {
    let request = ask(name, libc::SIOCGIFMTU, |_| {})?;
    // SAFETY: SIOCGIFMTU filled this member of the union.
    u32::try_from(unsafe { request.ifr_ifru.ifru_mtu }).ok()
}

/// Returns the value of one of ethtool's "get" commands that answer with a single number.
pub(super) fn ethtool_value(name: &str, command: u32) -> Option<u32> {
    let mut value = EthtoolValue { command, value: 0 };
    ask(name, libc::SIOCETHTOOL, |request| request.ifr_ifru.ifru_data = (&raw mut value).cast())?;
    Some(value.value)
}

/// The kernel's `struct ethtool_value` (linux/ethtool.h).
#[repr(C)]
struct EthtoolValue {
    command: u32,
    value: u32,
}

/// Makes one interface request on a socket of its own; any kind of socket will do.
fn ask(name: &str, code: libc::c_ulong, prepare: impl FnOnce(&mut libc::ifreq)) -> Option<libc::ifreq> {
    let socket = UnixDatagram::unbound().ok()?;
    // SAFETY: `ifreq` is plain old data for which all zeroes are valid.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero: the name must end with one.
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    prepare(&mut request);
    // SAFETY: the request is a whole `ifreq` with a terminated name, and any buffer it points at lives in the caller.
    // The code's type differs between C libraries, hence the inferred cast.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), code as _, &raw mut request) };
    (outcome >= 0).then_some(request)
}

fn checked(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
