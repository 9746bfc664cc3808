//! The system-call filter: seccomp in classic BPF, as bubblewrap's `--seccomp` reads it.
//!
//! A deny list. What a media program needs differs between versions and C libraries, so an allow list would fail on an
//! upgrade; what it never needs is stable: sockets, namespaces, mounts, tracing, keys, BPF, io_uring, modules, clocks. These
//! are where kernel escapes came from. Denied calls answer EPERM.

use nix::libc;

/// Instructions of `linux/bpf_common.h`.
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Answers of `linux/seccomp.h`.
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const ALLOW: u32 = 0x7fff_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT_LOW: u32 = 16;

/// The 32-bit ABI of x86-64 uses the same architecture value with this bit in the number.
const X32_BIT: u32 = 0x4000_0000;

#[cfg(all(target_arch = "x86_64", target_endian = "little"))]
const AUDIT_ARCHITECTURE: Option<u32> = Some(0xc000_003e);
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
const AUDIT_ARCHITECTURE: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const AUDIT_ARCHITECTURE: Option<u32> = None;

const DENIED: [libc::c_long; 56] = [
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_personality,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
];

const NEW_NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// The filter as bytes of `struct sock_filter`, or `None` on a processor whose numbers we do not know.
pub(super) fn program() -> Option<Vec<u8>> {
    let mut code = Vec::new();
    push(&mut code, LOAD_WORD, 0, 0, ARCHITECTURE);
    push(&mut code, JUMP_IF_EQUAL, 1, 0, AUDIT_ARCHITECTURE?);
    answer(&mut code, KILL_PROCESS);
    push(&mut code, LOAD_WORD, 0, 0, NUMBER);
    push(&mut code, JUMP_IF_AT_LEAST, 0, 1, X32_BIT);
    answer(&mut code, errno(libc::EPERM)?);
    for call in DENIED {
        push(&mut code, JUMP_IF_EQUAL, 0, 1, u32::try_from(call).ok()?);
        answer(&mut code, errno(libc::EPERM)?);
    }
    // Its flags lie in memory, out of the filter's sight. The C library falls back to clone.
    push(&mut code, JUMP_IF_EQUAL, 0, 1, u32::try_from(libc::SYS_clone3).ok()?);
    answer(&mut code, errno(libc::ENOSYS)?);
    push(&mut code, JUMP_IF_EQUAL, 0, 3, u32::try_from(libc::SYS_clone).ok()?);
    push(&mut code, LOAD_WORD, 0, 0, FIRST_ARGUMENT_LOW);
    push(&mut code, JUMP_IF_ANY_BIT, 0, 1, u32::try_from(NEW_NAMESPACES).ok()?);
    answer(&mut code, errno(libc::EPERM)?);
    answer(&mut code, ALLOW);
    Some(code)
}

fn errno(number: libc::c_int) -> Option<u32> {
    Some(ERRNO | u32::try_from(number).ok()?)
}

fn answer(code: &mut Vec<u8>, value: u32) {
    push(code, RETURN, 0, 0, value);
}

fn push(code: &mut Vec<u8>, instruction: u16, if_true: u8, if_false: u8, operand: u32) {
    code.extend(instruction.to_ne_bytes());
    code.extend([if_true, if_false]);
    code.extend(operand.to_ne_bytes());
}
