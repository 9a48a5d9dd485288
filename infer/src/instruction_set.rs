//! Which vector instructions the kernels are made of. Knows what this CPU offers; must not know what is computed.

/// Vector instructions that kernels exist for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// AVX-512 Foundation: 16 lanes, 32 registers.
    Avx512,
    /// AVX2 with fused multiply-add: 8 lanes, 16 registers.
    Avx2,
}

impl InstructionSet {
    /// All that kernels exist for, the best first.
    pub const ALL: [Self; 2] = [Self::Avx512, Self::Avx2];

    /// The best that this CPU offers; `None` where it offers none, which is so on every other architecture than `x86_64`.
    #[must_use]
    pub fn detect() -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.is_supported())
    }

    /// Whether this CPU, and the operating system on it, offers these instructions.
    #[must_use]
    #[cfg(target_arch = "x86_64")]
    pub fn is_supported(self) -> bool {
        match self {
            Self::Avx512 => std::arch::is_x86_feature_detected!("avx512f"),
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"),
        }
    }

    /// Whether this CPU offers these instructions: it does not.
    #[must_use]
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_supported(self) -> bool {
        false
    }

    /// Number of `f32` in a vector.
    pub(crate) const fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 => 8,
        }
    }
}

impl std::fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
        })
    }
}
