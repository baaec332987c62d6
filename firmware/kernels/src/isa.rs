//! The instruction set these kernels are built for: chosen here and nowhere else.

use edgepkg_format::Isa;

/// Artifacts of this instruction set run here.
pub const ISA: Isa = if cfg!(isa = "armv6m") {
    Isa::Armv6m
} else if cfg!(isa = "armv7m") {
    Isa::Armv7m
} else if cfg!(isa = "armv7em") {
    Isa::Armv7em
} else if cfg!(isa = "armv8m.main") {
    Isa::Armv8mMain
} else if cfg!(isa = "aarch64") {
    Isa::Aarch64
} else {
    Isa::Portable
};
