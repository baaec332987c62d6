//! The instruction set these kernels are built for: chosen here and nowhere else.

use edgepkg_format::{Isa, OperatorKind};

/// Artifacts of this instruction set run here.
pub const ISA: Isa = if cfg!(isa = "armv6m") {
    Isa::Armv6m
} else if cfg!(isa = "armv7m") {
    Isa::Armv7m
} else if cfg!(isa = "armv7em") {
    Isa::Armv7em
} else if cfg!(isa = "armv8m.main") {
    Isa::Armv8mMain
} else if cfg!(isa = "armv8m.main+dsp") {
    Isa::Armv8mMainDsp
} else if cfg!(isa = "aarch64") {
    Isa::Aarch64
} else {
    Isa::Portable
};

/// Whether the kernels for `isa` compute operators of `kind`.
pub const fn computes(isa: Isa, kind: OperatorKind) -> bool {
    match kind {
        OperatorKind::PackedConv2d
        | OperatorKind::PackedDepthwiseConv2d
        | OperatorKind::PackedFullyConnected => isa.has_dsp(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OPERATORS;

    #[test]
    fn packed_kinds_are_for_the_dsp_extension() {
        let is_packed = |kind: OperatorKind| kind.name().starts_with("Packed");
        for isa in Isa::ALL {
            for &kind in OperatorKind::ALL {
                assert_eq!(
                    computes(isa, kind),
                    !is_packed(kind) || matches!(isa, Isa::Armv7em | Isa::Armv8mMainDsp),
                    "{kind:?} on {isa:?}"
                );
            }
        }
        assert_eq!(OperatorKind::ALL.iter().filter(|&&kind| is_packed(kind)).count(), 3);
    }

    #[test]
    fn operators_are_those_that_are_computed_here() {
        for &kind in OperatorKind::ALL {
            assert_eq!(OPERATORS.contains(kind), computes(ISA, kind), "{kind:?}");
        }
    }
}
