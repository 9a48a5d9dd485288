//! As much of a 64-bit little-endian ELF file as tells what machine it runs on. Knows nothing of the worker.

use std::fmt;

/// The processor that a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// Another one, by its number in ELF.
    Other(u16),
}

/// What an ELF file says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elf {
    /// The processor.
    pub(super) machine: Machine,
    /// Path of the dynamic loader; none: the program is static.
    pub(super) loader: Option<String>,
}

/// Type of the program header that names the loader.
const PT_INTERP: u64 = 3;

impl Elf {
    /// Reads the file's headers; none when it is no such file.
    pub(super) fn read(file: &[u8]) -> Option<Self> {
        // Class 2: 64 bits; data 1: little-endian.
        (file.get(..6)? == b"\x7fELF\x02\x01").then_some(())?;
        let machine = match u16::try_from(number(file, 18, 2)?).ok()? {
            62 => Machine::X86_64,
            183 => Machine::Aarch64,
            other => Machine::Other(other),
        };
        let (headers, size, count) = (number(file, 32, 8)?, number(file, 54, 2)?, number(file, 56, 2)?);
        let mut loader = None;
        for header in (0..count).map(|index| headers + index * size) {
            if number(file, header, 4)? == PT_INTERP {
                loader = Some(text(file, number(file, header + 8, 8)?, number(file, header + 32, 8)?)?);
            }
        }
        Some(Self { machine, loader })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X86_64 => formatter.write_str("x86_64"),
            Self::Aarch64 => formatter.write_str("aarch64"),
            Self::Other(number) => write!(formatter, "a processor with ELF's number {number}"),
        }
    }
}

fn bytes(file: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let (from, to) = (usize::try_from(at).ok()?, usize::try_from(at.checked_add(length)?).ok()?);
    file.get(from..to)
}

fn number(file: &[u8], at: u64, length: u64) -> Option<u64> {
    Some(bytes(file, at, length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn text(file: &[u8], at: u64, length: u64) -> Option<String> {
    Some(String::from_utf8_lossy(bytes(file, at, length)?).trim_end_matches('\0').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one program header.
    fn file(machine: u8, kind: u8) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(64 + 56, 0);
        (file[18], file[32], file[54], file[56]) = (machine, 64, 56, 1);
        (file[64], file[64 + 8], file[64 + 32]) = (kind, 120, 4);
        file.extend(b"/ld\0");
        file
    }

    #[test]
    fn processor_and_loader_are_read() {
        assert_eq!(Elf::read(&file(62, 3)), Some(Elf { machine: Machine::X86_64, loader: Some("/ld".to_owned()) }));
        assert_eq!(Elf::read(&file(183, 1)), Some(Elf { machine: Machine::Aarch64, loader: None }));
    }

    #[test]
    fn what_is_no_program_is_none() {
        assert_eq!(Elf::read(b"#!/bin/sh\n"), None);
        let whole = file(62, 3);
        assert!((0..whole.len()).all(|length| Elf::read(&whole[..length]).is_none()));
    }
}
