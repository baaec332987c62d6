//! How a record, its parts and its choices are written down: once, as fields with their types.

macro_rules! structure {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Field for $name {
            const WORDS: usize = 0 $(+ <$type as Field>::WORDS)*;

            const SOME: Self = Self { $($field: <$type as Field>::SOME,)* };

            #[inline(always)]
            fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
                true $(&& self.$field.fill(words))*
            }

            fn write(&self, words: &mut WordWriter<'_>) {
                $(self.$field.write(words);)*
            }

            fn for_each_tensor(&mut self, visit: &mut dyn FnMut(&mut TensorRef)) {
                $(self.$field.for_each_tensor(visit);)*
            }
        }
    };
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[repr(u32)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $code,)*
        }

        impl Field for $name {
            const WORDS: usize = 1;

            const SOME: Self = [$($name::$variant),*][0];

            #[inline(always)]
            fn fill(&mut self, words: &mut WordReader<'_>) -> bool {
                *self = match words.next() {
                    $($code => $name::$variant,)*
                    _ => return false,
                };
                true
            }

            fn write(&self, words: &mut WordWriter<'_>) {
                (*self as u32).write(words);
            }
        }
    };
}

macro_rules! records {
    (
        $($(#[$doc:meta])* $name:ident = $code:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*
        ; $($(#[$other_doc:meta])* $other:ident($fields:ident) = $other_code:literal,)*
    ) => {
        $(structure! { $(#[$doc])* $name { $($(#[$field_doc])* $field: $type,)* } })*

        /// What an operator of the plan computes. Codes are part of the format and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[cfg_attr(feature = "serde-errors", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum OperatorKind {
            $($(#[$doc])* $name = $code,)*
            $($(#[$other_doc])* $other = $other_code,)*
        }

        impl OperatorKind {
            /// Every kind of this format version.
            pub const ALL: &[OperatorKind] = &[$(OperatorKind::$name,)* $(OperatorKind::$other,)*];

            /// The kind with this code, if the format knows it.
            pub fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(OperatorKind::$name),)*
                    $($other_code => Some(OperatorKind::$other),)*
                    _ => None,
                }
            }

            /// The name used in reports and messages.
            pub fn name(self) -> &'static str {
                match self {
                    $(OperatorKind::$name => stringify!($name),)*
                    $(OperatorKind::$other => stringify!($other),)*
                }
            }
        }

        /// One operator of the plan with its fields.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is documented at its own type")]
        pub enum Record {
            $($name($name),)*
            $($other($fields),)*
        }

        impl Record {
            /// What it computes.
            pub fn kind(&self) -> OperatorKind {
                match self {
                    $(Record::$name(_) => OperatorKind::$name,)*
                    $(Record::$other(_) => OperatorKind::$other,)*
                }
            }

            /// Bytes of the encoded record, header included.
            pub fn encoded_bytes(&self) -> usize {
                RECORD_HEADER_BYTES + 4 * match self {
                    $(Record::$name(_) => <$name as Field>::WORDS,)*
                    $(Record::$other(_) => <$fields as Field>::WORDS,)*
                }
            }

            /// Calls `visit` with every tensor reference, so that a planner can set offsets.
            pub fn for_each_tensor(&mut self, visit: &mut dyn FnMut(&mut TensorRef)) {
                match self {
                    $(Record::$name(fields) => fields.for_each_tensor(visit),)*
                    $(Record::$other(fields) => fields.for_each_tensor(visit),)*
                }
            }

            /// The record, if its operator is linked. What follows in the same function then handles no other
            /// kind, and the compiler knows it.
            #[inline(always)]
            pub fn linked<L: Linked>(&self) -> Option<&Self> {
                if const { OperatorSet::of(OperatorKind::ALL).without(L::OPERATORS).is_empty() } {
                    return Some(self);
                }
                match self {
                    $(Record::$name(_) if !L::OPERATORS.contains(OperatorKind::$name) => None,)*
                    $(Record::$other(_) if !L::OPERATORS.contains(OperatorKind::$other) => None,)*
                    _ => Some(self),
                }
            }

            /// Makes `entry` the record of `layer` with these fields. Says whether they are sound, and the code that of an
            /// operator that is linked.
            #[inline(always)]
            fn read_fields<L: Linked>(
                code: u16,
                fields: &[u8],
                layer: u32,
                entry: &mut Option<PlanEntry>,
            ) -> bool {
                match code {
                    $($code if const { L::OPERATORS.contains(OperatorKind::$name) } => {
                        if fields.len() != 4 * <$name as Field>::WORDS {
                            return false;
                        }
                        let record = Record::$name($name::SOME);
                        match &mut entry.insert(PlanEntry { layer, record }).record {
                            Record::$name(record) => record.fill(&mut WordReader::new(fields)),
                            _ => false,
                        }
                    })*
                    $($other_code if const { L::OPERATORS.contains(OperatorKind::$other) } => {
                        if fields.len() != 4 * <$fields as Field>::WORDS {
                            return false;
                        }
                        let record = Record::$other($fields::SOME);
                        match &mut entry.insert(PlanEntry { layer, record }).record {
                            Record::$other(record) => record.fill(&mut WordReader::new(fields)),
                            _ => false,
                        }
                    })*
                    _ => false,
                }
            }

            fn write_fields(&self, words: &mut WordWriter<'_>) {
                match self {
                    $(Record::$name(fields) => fields.write(words),)*
                    $(Record::$other(fields) => fields.write(words),)*
                }
            }
        }

        $(impl From<$name> for Record {
            fn from(fields: $name) -> Self {
                Record::$name(fields)
            }
        })*
    };
}
