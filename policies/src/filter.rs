//! From a profile's system calls to the BPF program that the kernel runs at each call.
//!
//! Allowed calls go through inside the kernel, and those that libraries try by themselves are answered there; every other one
//! is held (`SECCOMP_RET_USER_NOTIF`) until the cell's init has named it and answered. A mistake here must fail closed: what
//! is compiled is checked before it is handed out.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use crate::arch::Arch;
use crate::error::PolicyError;
use crate::ranges;
use crate::syscalls::{Check, Condition, Syscalls, Test, Width};

/// seccompiler cannot say "notify": refusals are compiled as "trace" with this mark, then rewritten.
const MARK: u32 = 0x6b0b;
const TRACE: u32 = 0x7ff0_0000; // SECCOMP_RET_TRACE
const NOTIFY: u32 = 0x7fc0_0000; // SECCOMP_RET_USER_NOTIF
const KILL_PROCESS: u32 = 0x8000_0000; // SECCOMP_RET_KILL_PROCESS
const ACTION: u32 = 0xffff_0000; // SECCOMP_RET_ACTION_FULL
const ALLOW: u32 = 0x7fff_0000; // SECCOMP_RET_ALLOW
const ERRNO: u32 = 0x0005_0000; // SECCOMP_RET_ERRNO, with the number below
const EINVAL: u32 = 22; // the same on both architectures
const ENOSYS: u32 = 38;
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS

/// seccompiler begins each filter with: load the architecture, skip one if it is ours, kill the process.
const ARCH_CHECK: usize = 3;
/// The kernel takes no longer program.
const LONGEST: usize = 4096;

/// A compiled profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The program, for `seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, …)`.
    pub program: Vec<sock_filter>,
    /// How to answer a held call, by its number; one that is not here gets [`Refusal::Eperm`].
    pub refusals: BTreeMap<u32, Refusal>,
}

/// How a refused call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// "Operation not permitted"; reported.
    Eperm,
    /// "No such system call"; reported.
    Enosys,
    /// The cell is killed; reported.
    Kill,
}

impl Filter {
    /// How to answer a held call.
    pub fn refusal(&self, nr: u32) -> Refusal {
        self.refusals.get(&nr).copied().unwrap_or(Refusal::Eperm)
    }
}

/// Compiles system calls for one architecture, those that a profile allows to its run, its compiler or its installer;
/// `profile_name` is for the message. Calls that the architecture does not have are left out.
///
/// # Errors
/// When the program would be longer than the kernel takes, or is not what it has to be.
pub fn filter(profile_name: &str, syscalls: &Syscalls, arch: Arch) -> Result<Filter, PolicyError> {
    compile(syscalls, arch).map_err(|problem| PolicyError::Compile {
        profile: profile_name.to_owned(),
        arch,
        problem,
    })
}

/// What a template of warm jobs may call: what these may, and what it takes to jail them.
///
/// Filters add up: the children have this one and their own, and of two answers the kernel takes the stricter. What is
/// refused here is therefore a trace without a tracer, which fails with ENOSYS and is the one refusal that is weaker
/// than asking the job's listener (seccomp(2)): what a job is refused is named by its own filter as ever.
///
/// # Errors
/// As [`filter`].
pub fn template_filter(
    profile_name: &str,
    syscalls: &Syscalls,
    arch: Arch,
) -> Result<Filter, PolicyError> {
    let jailing = JAILING.iter().map(|name| (*name).to_owned());
    compile_with(syscalls, arch, jailing.collect(), TRACE).map_err(|problem| PolicyError::Compile {
        profile: format!("{profile_name}'s template"),
        arch,
        problem,
    })
}

/// What the steps of a cell's own process call.
const JAILING: [&str; 12] = [
    "setns",   // into the cell
    "unshare", // its own cgroup namespace
    "setgroups",
    "setresgid",
    "setresuid",
    "capset",
    "prctl",
    "prlimit64",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    "seccomp",
];

fn compile(syscalls: &Syscalls, arch: Arch) -> Result<Filter, String> {
    compile_with(syscalls, arch, BTreeSet::new(), NOTIFY)
}

fn compile_with(
    syscalls: &Syscalls,
    arch: Arch,
    besides: BTreeSet<String>,
    refusal: u32,
) -> Result<Filter, String> {
    let jailing = numbers(&besides, arch);
    let mut plain = jailing.clone();
    let mut conditional = BTreeMap::new();
    for (name, conditions) in &syscalls.allow {
        let Some(number) = arch.number(name) else {
            continue;
        };
        if plain.contains(&number) {
            continue;
        }
        if conditions.is_empty() {
            plain.insert(number);
        } else {
            conditional.insert(i64::from(number), rules(conditions)?);
        }
    }
    let answered_here = |names: &BTreeSet<String>| -> BTreeSet<u32> {
        let numbers = numbers(names, arch).into_iter();
        numbers.filter(|number| !jailing.contains(number)).collect()
    };
    let answered = [
        (plain, ALLOW),
        (answered_here(&syscalls.fallback), ERRNO | ENOSYS),
        (answered_here(&syscalls.einval), ERRNO | EINVAL),
    ];
    let program = assemble(&answered, refuse_all_but(conditional, arch)?, refusal)?;
    Ok(Filter {
        program,
        refusals: refusals(syscalls, arch),
    })
}

/// seccompiler's part: the architecture, the calls with conditions, and the refusal of everything else.
fn refuse_all_but(
    conditional: BTreeMap<i64, Vec<SeccompRule>>,
    arch: Arch,
) -> Result<BpfProgram, String> {
    let filter = SeccompFilter::new(
        conditional,
        SeccompAction::Trace(MARK),
        SeccompAction::Allow,
        arch.target(),
    );
    let program: Result<BpfProgram, _> = filter.and_then(BpfProgram::try_from);
    program.map_err(|error| error.to_string())
}

fn numbers(names: &BTreeSet<String>, arch: Arch) -> BTreeSet<u32> {
    names.iter().filter_map(|name| arch.number(name)).collect()
}

/// Puts the searches for calls that are answered by their number, the most frequent first, between the architecture check
/// and the rest, and turns refusals into notices.
fn assemble(
    answered: &[(BTreeSet<u32>, u32)],
    checked: BpfProgram,
    refusal: u32,
) -> Result<Vec<sock_filter>, String> {
    let [load, branch, kill, rest @ ..] = checked.as_slice() else {
        return Err("seccompiler's filter is too short to check the architecture".to_owned());
    };
    let check_is_ours = (load.code, load.k) == (LOAD, 4)
        && (branch.jt, branch.jf) == (1, 0)
        && (kill.code, kill.k) == (RETURN, KILL_PROCESS);
    if !check_is_ours {
        return Err("seccompiler's filter does not begin with the architecture".to_owned());
    }
    let mut program = checked[..ARCH_CHECK].to_vec();
    program.push(sock_filter {
        code: LOAD,
        jt: 0,
        jf: 0,
        k: 0,
    }); // the call's number
    for (numbers, answer) in answered {
        program.extend(ranges::search(numbers, *answer)?);
    }
    program.extend_from_slice(rest);

    let mut notices = 0;
    for instruction in program.iter_mut().filter(|one| one.code == RETURN) {
        if instruction.k == TRACE | MARK {
            instruction.k = refusal;
            notices += 1;
        } else if instruction.k & ACTION == TRACE {
            return Err("a refusal was left as a trace".to_owned());
        }
    }
    let refuses_at_the_end = program
        .last()
        .is_some_and(|last| (last.code, last.k) == (RETURN, refusal));
    if notices == 0 || !refuses_at_the_end {
        return Err("the filter refuses nothing".to_owned());
    }
    if program.len() > LONGEST {
        return Err(format!(
            "{} instructions, the kernel takes {LONGEST}",
            program.len()
        ));
    }
    Ok(program)
}

fn rules(conditions: &[Condition]) -> Result<Vec<SeccompRule>, String> {
    let mut rules = Vec::new();
    for condition in conditions {
        for checks in alternatives(condition)? {
            rules.push(SeccompRule::new(checks).map_err(|error| error.to_string())?);
        }
    }
    Ok(rules)
}

/// A rule holds when all its checks do, and a check may list several values: one rule for each way to pick one of each.
fn alternatives(condition: &Condition) -> Result<Vec<Vec<SeccompCondition>>, String> {
    let mut ways = vec![Vec::new()];
    for check in &condition.checks {
        let tests = tests(check)?;
        ways = ways
            .iter()
            .flat_map(|way: &Vec<SeccompCondition>| {
                tests.iter().map(|test| {
                    let mut longer = way.clone();
                    longer.push(test.clone());
                    longer
                })
            })
            .collect();
    }
    Ok(ways)
}

fn tests(check: &Check) -> Result<Vec<SeccompCondition>, String> {
    let width = match check.width {
        Width::Bits32 => SeccompCmpArgLen::Dword,
        Width::Bits64 => SeccompCmpArgLen::Qword,
    };
    let wanted: Vec<(SeccompCmpOp, u64)> = match &check.test {
        Test::Is(values) => values.iter().map(|one| (SeccompCmpOp::Eq, *one)).collect(),
        Test::Masked { mask, equals } => vec![(SeccompCmpOp::MaskedEq(*mask), *equals)],
        Test::Any { .. } | Test::Not(_) => {
            return Err("a test that can only forbid is among the allowed ones".to_owned());
        }
    };
    let made = |(operator, value): (SeccompCmpOp, u64)| {
        SeccompCondition::new(check.arg, width.clone(), operator, value)
    };
    let made: Result<Vec<_>, _> = wanted.into_iter().map(made).collect();
    made.map_err(|error| error.to_string())
}

fn refusals(syscalls: &Syscalls, arch: Arch) -> BTreeMap<u32, Refusal> {
    let lists = [
        (&syscalls.enosys, Refusal::Enosys),
        (&syscalls.kill, Refusal::Kill),
    ];
    let known = |(names, refusal): (&'_ BTreeSet<String>, Refusal)| {
        numbers(names, arch)
            .into_iter()
            .map(move |number| (number, refusal))
    };
    lists.into_iter().flat_map(known).collect()
}
