//! Models in the program itself.

/// Embeds an artifact in the program as a type: its bytes, the arena it takes, and the operators that are linked
/// for it, which are its own and no others.
///
/// ```
/// use edgepkg_runtime::{Arena, embed_model};
///
/// embed_model!(
///     /// Says which of 12 words is spoken.
///     pub Keywords = "../tests/data/kws.epa"
/// );
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let mut arena = Arena::<{ Keywords::ARENA_BYTES }>::new();
/// let mut session = Keywords::MODEL.session(&mut arena)?;
/// session.input(0)?.copy_from_i8(&[0; 490])?;
/// session.run()?;
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! embed_model {
    ($(#[$attribute:meta])* $visibility:vis $name:ident = $path:expr) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility enum $name {}

        #[allow(dead_code, reason = "programs take of it what they need")]
        impl $name {
            /// The artifact, aligned so that it runs where it lies.
            pub const ARTIFACT: &'static [u8] = $crate::include_model!($path);
            /// Bytes of arena a session needs.
            pub const ARENA_BYTES: usize = Self::NEEDS.arena_bytes as usize;
            const NEEDS: $crate::format::needs::Needs = $crate::format::needs::Needs::of(Self::ARTIFACT);

            /// The model. That its artifact is whole, of this version and for this instruction set is checked by the compiler,
            /// so that no code for it is in the program; its records are taken as the build step that checked them left them.
            pub const MODEL: &'static $crate::Model<'static, Self> = &$crate::Model::compiled_in(Self::ARTIFACT);

            /// The model, every record of it checked anew: for programs whose flash may lose bits.
            ///
            /// # Errors
            ///
            /// The first thing found wrong.
            pub fn parse() -> Result<$crate::Model<'static, Self>, $crate::ModelError> {
                $crate::Model::parse_linked(Self::ARTIFACT)
            }
        }

        impl $crate::format::linked::Linked for $name {
            const OPERATORS: $crate::format::info::OperatorSet = Self::NEEDS.operators;
            const FORMS: $crate::format::plan::Forms = Self::NEEDS.forms;
        }
    };
}

/// Embeds an artifact in the program, aligned so that it runs where it lies:
/// `static KWS: &[u8] = include_model!("kws.epa");`
#[macro_export]
macro_rules! include_model {
    ($path:expr) => {{
        #[repr(C, align(16))]
        struct Aligned<Bytes: ?Sized>(Bytes);
        static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
        &MODEL.0
    }};
}

/// Takes in the module that `edgepkg_quantize::build` made in the program's build script: `built_model!(pub mod kws);` is
/// a module `kws` with the model as a type (`kws::Network`), an arena for it (`kws::Arena`), and shapes, scales, zero
/// points and labels of its inputs and outputs (`kws::input`, `kws::output`) as constants.
#[macro_export]
macro_rules! built_model {
    ($(#[$attribute:meta])* $visibility:vis mod $name:ident) => {
        $(#[$attribute])*
        #[allow(dead_code, reason = "programs take of it what they need")]
        $visibility mod $name {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
        }
    };
}
