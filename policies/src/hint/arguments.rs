//! What a refused call's arguments tell: the family of a socket, the number of a request.
//!
//! The values are compared as the kernel reads them, in 32 bits. What they don't tell is left to the call's own sentence.

/// The sentence for a call with these arguments, where they tell more than the call's name.
pub(super) fn told(syscall: &str, args: &[u64; 6]) -> Option<String> {
    let int = |index: usize| args[index] & 0xffff_ffff;
    match syscall {
        "socket" | "socketpair" => Some(socket(int(0), int(1), int(2))),
        "ioctl" => Some(match request(int(1)) {
            Some(name) => format!("{name} types into or reconfigures a terminal; no profile may allow it, read and write the terminal instead"),
            None => format!(
                "the request {:#x} is not in the profile: only terminal queries, FIONREAD, FIONBIO and close-on-exec are; there are no devices in a cell",
                int(1)
            ),
        }),
        "prctl" => Some(match option(int(0)) {
            Some(name) => format!("{name} would change what the cell has set; no profile may allow it, leave it out"),
            None => format!(
                "the option {} is not in the profile; see prctl in policies/groups/base.toml",
                int(0)
            ),
        }),
        "clone" | "unshare" => namespaces(int(0)),
        "fcntl" => command(int(1)).map(|name| {
            format!("{name} tells about other users of a file or sends signals; no profile may allow it, poll instead")
        }),
        "personality" => Some(format!(
            "the personality {:#x} is not in the profile: only asking for the present one is; run the program without setarch",
            int(0)
        )),
        _ => None,
    }
}

fn socket(family: u64, kind: u64, protocol: u64) -> String {
    const RAW: u64 = 3;
    match family {
        2 | 10 if kind & 0xf == RAW => {
            "raw sockets (ping, traceroute, sniffers) are refused in every profile; use TCP or UDP".to_owned()
        }
        2 | 10 if !matches!(protocol, 0 | 6 | 17) => {
            format!("the protocol {protocol} is refused in every profile; use TCP or UDP")
        }
        2 | 10 => "this profile has no network; ask for \"network\": \"proxy\"".to_owned(),
        1 => "this cell has no sockets, not even local ones; add the group sockets_local to its include".to_owned(),
        16 => "netlink (AF_NETLINK) speaks to the host's kernel; leave out listing interfaces, a cell has none (looking up a host's name goes on without)".to_owned(),
        17 => "packet sockets (AF_PACKET) see every packet of an interface; no profile may allow them, use TCP or UDP".to_owned(),
        38 => "the kernel's crypto sockets (AF_ALG) are refused in every profile; use the language's own cryptography".to_owned(),
        40 => "AF_VSOCK reaches the hypervisor; no profile may allow it, ask for \"network\": \"proxy\"".to_owned(),
        _ => {
            let name = NAMES.iter().find(|(number, _)| *number == family);
            let name = name.map_or_else(|| format!("the socket family {family}"), |(_, name)| (*name).to_owned());
            format!("{name} is refused in every profile; use AF_UNIX within the cell, or \"network\": \"proxy\"")
        }
    }
}

const NAMES: [(u64, &str); 14] = [
    (3, "AF_AX25"),
    (4, "AF_IPX"),
    (5, "AF_APPLETALK"),
    (8, "AF_ATMPVC"),
    (15, "AF_KEY"),
    (21, "AF_RDS"),
    (24, "AF_PPPOX"),
    (29, "AF_CAN"),
    (30, "AF_TIPC"),
    (31, "AF_BLUETOOTH"),
    (33, "AF_RXRPC"),
    (41, "AF_KCM"),
    (43, "AF_SMC"),
    (44, "AF_XDP"),
];

fn request(number: u64) -> Option<&'static str> {
    Some(match number {
        0x5412 => "TIOCSTI",
        0x541c => "TIOCLINUX",
        0x5423 => "TIOCSETD",
        _ => return None,
    })
}

fn option(number: u64) -> Option<&'static str> {
    Some(match number {
        8 => "PR_SET_KEEPCAPS",
        22 => "PR_SET_SECCOMP",
        24 => "PR_CAPBSET_DROP",
        26 => "PR_SET_TSC",
        28 => "PR_SET_SECUREBITS",
        35 => "PR_SET_MM",
        47 => "PR_CAP_AMBIENT",
        0x5961_6d61 => "PR_SET_PTRACER",
        _ => return None,
    })
}

fn namespaces(flags: u64) -> Option<String> {
    const FLAGS: [(u64, &str); 7] = [
        (0x0002_0000, "CLONE_NEWNS"),
        (0x0200_0000, "CLONE_NEWCGROUP"),
        (0x0400_0000, "CLONE_NEWUTS"),
        (0x0800_0000, "CLONE_NEWIPC"),
        (0x1000_0000, "CLONE_NEWUSER"),
        (0x2000_0000, "CLONE_NEWPID"),
        (0x4000_0000, "CLONE_NEWNET"),
    ];
    let asked: Vec<&str> = FLAGS
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, name)| *name)
        .collect();
    (!asked.is_empty()).then(|| {
        format!(
            "{}: new namespaces are refused; the cell is one already, start processes and threads without them",
            asked.join(" | ")
        )
    })
}

fn command(number: u64) -> Option<&'static str> {
    Some(match number {
        8 => "F_SETOWN",
        10 => "F_SETSIG",
        15 => "F_SETOWN_EX",
        1024 => "F_SETLEASE",
        1025 => "F_GETLEASE",
        1026 => "F_NOTIFY",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::hint;

    fn said(call: &str, args: &[u64]) -> String {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        hint(call, Some(&all))
    }

    #[test]
    fn the_network_is_asked_for_in_these_words() {
        let wanted = "this profile has no network; ask for \"network\": \"proxy\"";
        for family in [2, 10, 2 | 7 << 32] {
            assert_eq!(said("socket", &[family, 1]), wanted);
        }
    }

    #[test]
    fn arguments_are_named() {
        for (call, args, word) in [
            ("socket", &[16, 3][..], "AF_NETLINK"),
            ("socket", &[17, 3], "AF_PACKET"),
            ("socket", &[38, 5], "AF_ALG"),
            ("socket", &[40, 1], "AF_VSOCK"),
            ("socket", &[30, 1], "AF_TIPC"),
            ("socket", &[63, 1], "family 63"),
            ("socket", &[2, 3], "raw sockets"),
            ("socket", &[10, 0x80803], "raw sockets"),
            ("ioctl", &[0, 0x5412 | 1 << 32], "TIOCSTI"),
            ("ioctl", &[0, 0x1234], "0x1234"),
            ("prctl", &[22], "PR_SET_SECCOMP"),
            ("prctl", &[99], "option 99"),
            ("clone", &[0x1000_0011], "CLONE_NEWUSER"),
            ("clone", &[0x6000_0011], "CLONE_NEWPID | CLONE_NEWNET"),
            ("fcntl", &[0, 1026], "F_NOTIFY"),
            ("personality", &[0x0004_0000], "0x40000"),
        ] {
            let said = said(call, args);
            assert!(said.contains(word), "{call} {args:x?}: {said}");
        }
    }

    #[test]
    fn a_local_socket_and_an_odd_protocol_have_their_own_words() {
        let local = hint("socketpair", Some(&[1, 1, 0, 0, 0, 0]));
        assert!(local.contains("sockets_local"), "{local}");
        let sctp = hint("socket", Some(&[2, 1, 132, 0, 0, 0]));
        assert_eq!(
            sctp,
            "the protocol 132 is refused in every profile; use TCP or UDP"
        );
    }

    #[test]
    fn what_arguments_do_not_tell_the_call_does() {
        for (call, args) in [("clone", [0x11; 6]), ("fcntl", [0; 6]), ("mount", [1; 6])] {
            assert_eq!(hint(call, Some(&args)), hint(call, None), "{call}");
        }
    }
}
