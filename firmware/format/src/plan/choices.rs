//! Fields that name one of a few things.

use serde::{Deserialize, Serialize};

use super::field::{Field, WordReader, WordWriter};

choice! {
    /// How packed records turn a sum into an output. FORMAT.md has the arithmetic of both.
    PackedRounding {
        /// Multiplied and rounded, then shifted with halves away from zero: parameters are a multiplier, an
        /// addend, which holds the output's zero point and half a step, and a shift.
        Twice = 0,
        /// Multiplied, added to and shifted by a fixed number of bits, with parameters that give the same output
        /// for every sum there can be.
        Fused = 1,
    }
}

choice! {
    /// What [`Binary`](super::Binary) makes of two elements, `x` and `y` in steps of a common scale.
    BinaryFunction {
        /// `x - y`.
        Subtract = 0,
        /// `(x - y)^2`.
        SquaredDifference = 1,
        /// The greater one.
        Maximum = 2,
        /// The lesser one.
        Minimum = 3,
        /// `x`, times `y` where `x` is less than 0.
        ParametricRelu = 4,
        /// 1 where they are the same, else 0.
        Equal = 5,
        /// 0 where they are the same, else 1.
        NotEqual = 6,
        /// 1 where `x` is above `y`, else 0.
        Greater = 7,
        /// 1 where `x` is not below `y`, else 0.
        GreaterOrEqual = 8,
    }
}

choice! {
    /// Which end of an order, and which of equal elements there.
    Extreme {
        /// The first of the greatest.
        Greatest = 0,
        /// The first of the least.
        Least = 1,
        /// The last of the greatest.
        LastGreatest = 2,
        /// The last of the least.
        LastLeast = 3,
    }
}

choice! {
    /// What a box is given by.
    BoxForm {
        /// Two opposite corners, each as a place along the first axis and one along the second.
        Corners = 0,
        /// Its centre, then its extents, along the first axis and the second.
        Center = 1,
    }
}

choice! {
    /// Which way along a dimension.
    Direction {
        /// From the first element on.
        Forward = 0,
        /// From the last element on.
        Backward = 1,
    }
}

choice! {
    /// What a running sum is the sum of.
    Running {
        /// The element and those before it.
        Including = 0,
        /// Those before the element.
        Excluding = 1,
    }
}

choice! {
    /// Which pixels of a plane are neighbours in memory.
    Traversal {
        /// Those of a row.
        Rows = 0,
        /// Those of a column.
        Columns = 1,
    }
}

choice! {
    /// What a layer of int16 activations sums up in, and how that becomes an output.
    Accumulation {
        /// 32 bits; scaled as int8 layers are, rounded twice.
        Narrow = 0,
        /// 64 bits; scaled by the multiplier's upper 16 bits, rounded once.
        Wide = 1,
    }
}

choice! {
    /// Which function a sigmoid's table is read for.
    Sigmoid {
        /// `1 / (1 + exp(-x))`.
        Logistic = 0,
        /// The hyperbolic tangent.
        Tanh = 1,
    }
}

choice! {
    /// Which rows of sequences are neighbours in memory.
    SequenceOrder {
        /// Those of a sequence.
        BatchMajor = 0,
        /// Those of a time.
        TimeMajor = 1,
    }
}

choice! {
    /// What a unit of a recurrent layer computes of its gates.
    RecurrentCell {
        /// Long short-term memory. Gates: input, forget, cell, output.
        Lstm = 0,
        /// Gated recurrent unit whose reset gate comes after the product with the hidden state. Gates: update, reset,
        /// candidate.
        GruResetAfter = 1,
        /// Gated recurrent unit whose reset gate comes before it.
        GruResetBefore = 2,
        /// The hyperbolic tangent of its only sum.
        Tanh = 3,
        /// Its only sum, or 0.
        Relu = 4,
    }
}

choice! {
    /// What a recurrent layer puts out.
    Shown {
        /// The hidden state after every step.
        EveryStep = 0,
        /// The hidden state after the last step.
        LastStep = 1,
        /// The cells after the last step.
        LastCells = 2,
    }
}

impl RecurrentCell {
    /// How many sums of its own a unit has.
    pub const fn gates(self) -> u32 {
        match self {
            Self::Lstm => 4,
            Self::GruResetAfter | Self::GruResetBefore => 3,
            Self::Tanh | Self::Relu => 1,
        }
    }

    /// Whether a unit has a cell beside its hidden state.
    pub const fn has_cells(self) -> bool {
        matches!(self, Self::Lstm)
    }
}
