//! How much of the kernel's stack the programs take, added up from the object file: kernels before
//! 6.2 refuse what later ones let pass, and this says so without one of them.
//!
//! The rules are those of `check_max_stack_depth` in the kernel's `verifier.c`. A function takes
//! as much as its deepest access below `r10`, at least one byte, rounded up to [`GRAIN`]. All frames
//! from a program to a function that it calls, by whatever way, take [`LIMIT`] together at most, and
//! are [`DEPTH`] at most.

use std::collections::BTreeMap;

use contiv_datapath::program::OBJECT;
use contiv_datapath_abi::programs;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

/// Bytes of one chain of calls (`MAX_BPF_STACK`).
const LIMIT: usize = 512;
/// Frames of one chain of calls (`MAX_CALL_FRAMES`).
const DEPTH: usize = 8;
/// A frame's bytes are a multiple of this.
const GRAIN: usize = 32;

const R10: usize = 10;

/// One instruction, as the kernel's `struct bpf_insn` has it.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u8,
    to: usize,
    from: usize,
    offset: i16,
    number: i32,
}

impl Instruction {
    const CALL: u8 = 0x85;
    const ADD_NUMBER: u8 = 0x07;
    const MOVE: u8 = 0xbf;

    fn of(bytes: &[u8]) -> Instruction {
        Instruction {
            code: bytes[0],
            to: usize::from(bytes[1] & 0xf),
            from: usize::from(bytes[1] >> 4),
            offset: i16::from_le_bytes([bytes[2], bytes[3]]),
            number: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }

    /// Whether it calls another function of the object, not one of the kernel's.
    fn calls_function(self) -> bool {
        self.code == Self::CALL && self.from == 1
    }

    /// The register whose value, with `offset` added, is an address that is read or written.
    fn base(self) -> Option<usize> {
        match self.code & 7 {
            1 => Some(self.from),
            2 | 3 => Some(self.to),
            _ => None,
        }
    }

    /// Whether `to` has another value afterwards.
    fn changes_register(self) -> bool {
        matches!(self.code & 7, 0 | 1 | 4 | 7)
    }
}

/// Bytes that a function takes of the stack, before they are rounded.
fn frame(code: &[Instruction]) -> usize {
    let mut deepest = 0;
    // How far from the top of the frame each register points, where it does.
    let mut points = [None; 16];
    points[R10] = Some(0);
    for one in code {
        if let Some(top) = one.base().and_then(|base| points[base]) {
            deepest = deepest.min(top + i32::from(one.offset));
        }
        if one.code == Instruction::MOVE {
            points[one.to] = points[one.from];
        } else if one.code == Instruction::ADD_NUMBER {
            points[one.to] = points[one.to].map(|top: i32| top + one.number);
            deepest = deepest.min(points[one.to].unwrap_or(0));
        } else if one.code == Instruction::CALL {
            points[..6].fill(None);
        } else if one.changes_register() {
            points[one.to] = None;
        }
    }
    usize::try_from(-deepest).unwrap()
}

#[derive(Debug)]
struct Function {
    name: String,
    /// Rounded.
    bytes: usize,
    /// Where the functions begin that it calls.
    calls: Vec<Place>,
}

/// A section's index, and an offset in it.
type Place = (usize, u64);

type Functions = BTreeMap<Place, Function>;

fn functions(object: &[u8]) -> Functions {
    let file: ElfFile64<'_> = ElfFile64::parse(object).unwrap();
    let symbols = file
        .symbols()
        .filter(|s| s.kind() == SymbolKind::Text && s.size() > 0);
    let function = |symbol: object::read::elf::ElfSymbol64<'_, '_>| {
        let index = symbol.section_index().unwrap();
        let section = file.section_by_index(index).unwrap();
        let range = symbol.address()..symbol.address() + symbol.size();
        let data = section.data().unwrap();
        let bytes = &data[range.start as usize..range.end as usize];
        let code: Vec<_> = bytes.chunks_exact(8).map(Instruction::of).collect();
        let moved: BTreeMap<u64, RelocationTarget> = section
            .relocations()
            .map(|(at, to)| (at, to.target()))
            .collect();
        let calls = (range.start..).step_by(8).zip(&code);
        let calls = calls
            .filter(|(_, one)| one.calls_function())
            .map(|(at, one)| {
                let ahead = 8 * (i64::from(one.number) + 1);
                match moved.get(&at) {
                    Some(RelocationTarget::Symbol(target)) => {
                        let target = file.symbol_by_index(*target).unwrap();
                        let begin = target.address().wrapping_add_signed(ahead);
                        (target.section_index().unwrap().0, begin)
                    }
                    _ => (index.0, at.wrapping_add_signed(ahead)),
                }
            });
        let function = Function {
            name: short(symbol.name().unwrap()),
            bytes: frame(&code).max(1).next_multiple_of(GRAIN),
            calls: calls.collect(),
        };
        ((index.0, range.start), function)
    };
    symbols.map(function).collect()
}

/// What a mangled name says of modules and function: a crate's name leads (`Cs…_8datapath`), and
/// each word is led by its length.
fn short(name: &str) -> String {
    let path = name
        .split_once("Cs")
        .and_then(|(_, rest)| rest.split_once('_'));
    let Some((_, mut rest)) = path.filter(|_| name.starts_with("_R")) else {
        return name.to_owned();
    };
    let mut words = Vec::new();
    while let Some(at) = rest.find(|c: char| !c.is_ascii_digit()) {
        let Some(word) = rest[..at]
            .parse()
            .ok()
            .and_then(|length: usize| rest[at..].get(..length))
        else {
            break;
        };
        words.push(word);
        rest = &rest[at + word.len()..];
    }
    words.split_off(1.min(words.len())).join("::")
}

/// A way from a program to a function that calls no other, or has been too much by then.
#[derive(Debug, Default, Clone)]
struct Chain<'a>(Vec<&'a Function>);

impl Chain<'_> {
    fn bytes(&self) -> usize {
        self.0.iter().map(|function| function.bytes).sum()
    }

    fn is_too_much(&self) -> bool {
        self.bytes() > LIMIT || self.0.len() > DEPTH
    }
}

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes in {} frames:", self.bytes(), self.0.len())?;
        for (number, function) in self.0.iter().enumerate() {
            let arrow = if number == 0 { " " } else { " → " };
            write!(f, "{arrow}{} {}", function.name, function.bytes)?;
        }
        Ok(())
    }
}

/// Adds all chains that begin with `chain` and go on at `place`.
fn walk<'a>(all: &'a Functions, place: Place, chain: &Chain<'a>, found: &mut Vec<Chain<'a>>) {
    let function = all.get(&place);
    let function = function.unwrap_or_else(|| panic!("no function begins at {place:?}"));
    let mut chain = chain.clone();
    chain.0.push(function);
    let mut calls = function.calls.clone();
    calls.sort_unstable();
    calls.dedup();
    if calls.is_empty() || chain.is_too_much() {
        found.push(chain);
        return;
    }
    for call in calls {
        walk(all, call, &chain, found);
    }
}

#[test]
fn every_chain_of_calls_fits_the_stack_of_older_kernels() {
    let all = functions(OBJECT);
    let mut complaints = Vec::new();
    for name in programs::ALL {
        let program = all.iter().find(|(_, function)| function.name == name);
        let (place, _) = program.unwrap_or_else(|| panic!("the object has no program {name}"));
        let mut chains = Vec::new();
        walk(&all, *place, &Chain::default(), &mut chains);
        let deepest = chains.iter().max_by_key(|chain| chain.bytes()).unwrap();
        assert!(
            deepest.0.len() > 1,
            "{name} calls nothing: is this read right?"
        );
        println!("{name}: {} chains, the deepest {deepest}", chains.len());
        complaints.extend(
            chains
                .iter()
                .filter(|c| c.is_too_much())
                .map(Chain::to_string),
        );
    }
    assert!(
        complaints.is_empty(),
        "more than {LIMIT} bytes or {DEPTH} frames, which Linux 6.1 refuses; take a frame's \
         large values elsewhere (the map `scratch`), or let a function be part of its caller:\n{}",
        complaints.join("\n")
    );
}

#[test]
fn a_frame_is_as_large_as_its_deepest_access() {
    let instruction = |code, to, from, offset, number| Instruction {
        code,
        to,
        from,
        offset,
        number,
    };
    let to_r1 = instruction(Instruction::MOVE, 1, R10, 0, 0);
    let down = |by: i32| instruction(Instruction::ADD_NUMBER, 1, 0, 0, -by);
    let store = |base, offset| instruction(0x7b, base, 3, offset, 0);
    let load = |base, offset| instruction(0x79, 3, base, offset, 0);
    for (code, bytes) in [
        (vec![], 0),
        (vec![store(R10, -8), load(R10, -24)], 24),
        // An address that a helper is given, and one that is read through.
        (vec![to_r1, down(40)], 40),
        (vec![to_r1, down(40), load(1, -16)], 56),
        // After a call, and after a load, a register points elsewhere.
        (
            vec![to_r1, instruction(Instruction::CALL, 0, 0, 0, 1), down(99)],
            0,
        ),
        (vec![to_r1, instruction(0x79, 1, 2, 0, 0), down(99)], 0),
    ] {
        assert_eq!(frame(&code), bytes, "{code:?}");
    }
}

#[test]
fn names_are_told_as_they_are_written() {
    for (mangled, short_name) in [
        ("from_endpoint", "from_endpoint"),
        (
            "_RINvNtNtCs24sessO77hQ_19contiv_datapath_abi6packet5reply11seal_icmpv6Kj56_ECs3SE_8datapath",
            "packet::reply::seal_icmpv6",
        ),
        (
            "_RNvNtCs3SEydZp51zw_8datapath6answer12solicitation",
            "answer::solicitation",
        ),
    ] {
        assert_eq!(short(mangled), short_name);
    }
}
