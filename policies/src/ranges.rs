//! The calls that are answered by their number alone, as a binary search over ranges of numbers.
//!
//! seccompiler asks for one call after the other, which is right and slow: when a filter is installed the kernel walks it once
//! for each call it knows. A search is a third of the length and a tenth of the walk. It must give its answer to
//! exactly the numbers it is given, and let everything else run off its end.

use std::collections::BTreeSet;

use seccompiler::sock_filter;

const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA | BPF_K
const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Stands for "past the end" until the end is known; no jump of the tree itself is that long.
const TO_THE_END: u32 = u32::MAX;

/// Instructions that return `answer` when the accumulator is one of `numbers`, and otherwise fall off the end with the
/// accumulator as it was.
pub(crate) fn search(numbers: &BTreeSet<u32>, answer: u32) -> Result<Vec<sock_filter>, String> {
    let mut program = tree(&boundaries(numbers), false, answer)?;
    let length = program.len();
    for (index, instruction) in program.iter_mut().enumerate() {
        if instruction.code == JUMP && instruction.k == TO_THE_END {
            instruction.k = narrow(length - index - 1)?;
        }
    }
    Ok(program)
}

/// The numbers at which the answer changes, the first of them to "found".
fn boundaries(numbers: &BTreeSet<u32>) -> Vec<u32> {
    let mut boundaries: Vec<u32> = Vec::new();
    for &number in numbers {
        if boundaries.last() == Some(&number) {
            boundaries.pop();
        } else {
            boundaries.push(number);
        }
        boundaries.push(number + 1);
    }
    boundaries
}

/// `found` tells whether numbers below the first boundary get the answer.
fn tree(boundaries: &[u32], found: bool, answer: u32) -> Result<Vec<sock_filter>, String> {
    let middle = boundaries.len() / 2;
    let Some(&boundary) = boundaries.get(middle) else {
        return Ok(vec![if found {
            plain(RETURN, answer)
        } else {
            plain(JUMP, TO_THE_END)
        }]);
    };
    let below = tree(&boundaries[..middle], found, answer)?;
    // Each boundary turns the answer: after an even number of them (and the one in the middle) it is turned once.
    let above = tree(
        &boundaries[middle + 1..],
        found ^ middle.is_multiple_of(2),
        answer,
    )?;
    let mut program = Vec::with_capacity(below.len() + above.len() + 2);
    match u8::try_from(below.len()) {
        Ok(jt) => program.push(branch(boundary, jt, 0)),
        // Conditional jumps reach 255 instructions, unconditional ones any number.
        Err(_) => program.extend([branch(boundary, 0, 1), plain(JUMP, narrow(below.len())?)]),
    }
    program.extend(below);
    program.extend(above);
    Ok(program)
}

fn branch(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: JUMP_IF_AT_LEAST,
        jt,
        jf,
        k,
    }
}

fn plain(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn narrow(length: usize) -> Result<u32, String> {
    u32::try_from(length)
        .map_err(|_| format!("{length} instructions are more than a jump can pass"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_range() {
        assert_eq!(
            boundaries(&BTreeSet::from([0, 1, 2, 5, 7, 8])),
            [0, 3, 5, 6, 7, 9]
        );
        assert!(boundaries(&BTreeSet::new()).is_empty());
    }
}
