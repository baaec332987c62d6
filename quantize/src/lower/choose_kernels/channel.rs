//! What packed kernels need to know of an output channel, and the proofs that they may compute it.

use edgepkg_format::plan::{ChannelParameters, Clamp, PackedRounding, Rounding};
use edgepkg_kernels::fixed_point;

/// An output channel of a layer with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// In the order of the inputs.
    pub(super) weights: Vec<i8>,
    /// The sum to begin with.
    pub(super) bias: i32,
    /// Q31.
    pub(super) multiplier: i32,
    /// Half a step of the output, and its zero point.
    pub(super) addend: i32,
    /// To the right.
    pub(super) shift: u32,
    /// The least and the greatest sum that any inputs give.
    least: i64,
    greatest: i64,
}

/// How all channels of a layer become outputs.
#[derive(Clone, Copy)]
pub(super) struct Outputs {
    pub(super) rounding: Rounding,
    pub(super) zero_point: i32,
    pub(super) clamp: Clamp,
}

impl Outputs {
    /// The arithmetic that gives the same with the fewest instructions.
    pub(super) fn packed(self) -> PackedRounding {
        match self.rounding {
            Rounding::Once => PackedRounding::Once,
            // Halves are rounded away from zero, so the sign matters only to products below zero.
            Rounding::Twice if self.clamp.min >= self.zero_point => PackedRounding::TwiceAboveZeroPoint,
            Rounding::Twice => PackedRounding::Twice,
        }
    }
}

impl Channel {
    /// The channel as packed kernels compute it, where 32 bits hold every step for any int8 inputs.
    ///
    /// A channel whose output is the same for all inputs is one without weights.
    pub(super) fn new(weights: Vec<i8>, parameters: ChannelParameters, outputs: Outputs) -> Option<Self> {
        let ChannelParameters { bias, scale } = parameters;
        let reach = |weight: &i8| {
            let ends = [i64::from(*weight) * -128, i64::from(*weight) * 127];
            (ends[0].min(ends[1]), ends[0].max(ends[1]))
        };
        let (below, above) = weights
            .iter()
            .map(reach)
            .fold((0, 0), |sum, (least, greatest)| (sum.0 + least, sum.1 + greatest));
        let (least, greatest) = (i64::from(bias) + below, i64::from(bias) + above);
        let output = |sum: i64| {
            let sum = i32::try_from(sum).ok()?;
            let Outputs { rounding, zero_point, clamp } = outputs;
            Some(fixed_point::requantize(sum, scale, rounding, zero_point, clamp))
        };
        let (lowest, highest) = (output(least)?, output(greatest)?);
        if lowest == highest && scale.shift <= 0 {
            return Some(Self::constant(weights.len(), lowest));
        }
        let shift = u32::try_from(-scale.shift).ok().filter(|shift| (1..=22).contains(shift))?;
        let addend = (1i64 << (shift - 1)) + (i64::from(outputs.zero_point) << shift);
        // Twice a sum is a word, and its product's upper word plus the addend is one.
        let magnitude = least.abs().max(greatest.abs());
        let fits = magnitude < 1 << 30 && magnitude + 1 + addend.abs() < 1 << 31 && scale.multiplier >= 0;
        fits.then_some(Self {
            weights,
            bias,
            multiplier: scale.multiplier,
            addend: addend as i32,
            shift,
            least,
            greatest,
        })
    }

    /// One that gives `value`.
    pub(super) fn constant(inputs: usize, value: i32) -> Self {
        let addend = value << 1;
        Self { weights: vec![0; inputs], bias: 0, multiplier: 0, addend, shift: 1, least: 0, greatest: 0 }
    }

    /// Fills up every `row_inputs` inputs to `padded` ones with weights of 0.
    pub(super) fn pad_rows(&mut self, row_inputs: usize, padded: usize) {
        let rows = self.weights.chunks_exact(row_inputs);
        let zeros = vec![0; padded - row_inputs];
        self.weights = rows.flat_map(|row| [row, &zeros]).flatten().copied().collect();
    }

    /// What the kernels read behind a channel's weights.
    pub(super) fn parameters(&self) -> [u32; 3] {
        [self.multiplier as u32, self.addend as u32, self.shift]
    }
}

/// Two channels whose weights share words: `256 * odd + even` in each half.
///
/// One sum of products of such lanes is `256 * odd + even` of the channels' sums modulo 2^32, and gives
/// the odd one's where 24 bits hold it.
pub(super) struct Lanes<'c> {
    even: &'c Channel,
    odd: &'c Channel,
}

impl<'c> Lanes<'c> {
    /// The two, where every lane fits 16 bits and the odd channel's sum 24.
    pub(super) fn new(even: &'c Channel, odd: &'c Channel) -> Option<Self> {
        let lanes = Self { even, odd };
        let inputs = 0..even.weights.len();
        let fit = inputs.into_iter().all(|input| i16::try_from(lanes.lane(input)).is_ok());
        let range = -(1 << 23)..1 << 23;
        (fit && range.contains(&odd.least) && range.contains(&odd.greatest)).then_some(lanes)
    }

    fn lane(&self, input: usize) -> i32 {
        let weight = |channel: &Channel| channel.weights.get(input).copied().unwrap_or(0);
        256 * i32::from(weight(self.odd)) + i32::from(weight(self.even))
    }

    /// The sums to begin with: of the lanes, of the even channel.
    pub(super) fn first_sums(&self) -> [u32; 2] {
        let lanes = self.odd.bias.wrapping_mul(256).wrapping_add(self.even.bias);
        [lanes as u32, self.even.bias as u32]
    }

    /// The weights of a pair of inputs. Those past the end are 0.
    pub(super) fn pair(&self, [first, second]: [usize; 2]) -> u32 {
        self.lane(first) as u32 & 0xffff | (self.lane(second) as u32) << 16
    }
}

/// The pairs in which `sxtb16` widens the 4 inputs of a unit.
pub(super) fn unit_pairs(unit: usize) -> [[usize; 2]; 2] {
    let first = 4 * unit;
    [[first, first + 2], [first + 1, first + 3]]
}

#[cfg(test)]
mod tests {
    use edgepkg_format::plan::Scale;

    use super::*;

    const OUTPUTS: Outputs =
        Outputs { rounding: Rounding::Twice, zero_point: 3, clamp: Clamp { min: -128, max: 127 } };

    fn channel(weights: &[i8], bias: i32, shift: i32) -> Option<Channel> {
        let scale = Scale { multiplier: 1 << 30, shift };
        Channel::new(weights.to_vec(), ChannelParameters { bias, scale }, OUTPUTS)
    }

    #[test]
    fn a_channel_that_is_the_same_for_all_inputs_is_a_constant() {
        assert_eq!(channel(&[0, 0], 64, -4), Some(Channel::constant(2, 3 + 2)));
        assert_eq!(channel(&[1, -1], -(1 << 20), -4), Some(Channel::constant(2, -128)));
        let unscaled = Scale { multiplier: 0, shift: 0 };
        let parameters = ChannelParameters { bias: 9, scale: unscaled };
        assert_eq!(Channel::new(vec![7], parameters, OUTPUTS), Some(Channel::constant(1, 3)));
    }

    /// Many weights of 127, whose least and greatest sums these are.
    static MANY: [i8; 40_000] = [127; 40_000];
    const LEAST: i32 = -650_240_000;
    const GREATEST: i32 = 645_160_000;

    #[test]
    fn a_shift_is_to_the_right_and_leaves_room_for_the_zero_point() {
        assert!(channel(&[127], 0, -1).is_some());
        assert_eq!(channel(&[127], 0, 0), None, "half a step is a bit of the addend");
        assert_eq!(channel(&[127], 0, 1), None);
        let last = channel(&MANY, 0, -22).expect("it fits");
        assert_eq!((last.shift, last.addend), (22, (1 << 21) + (3 << 22)));
        assert_eq!((last.least, last.greatest), (LEAST.into(), GREATEST.into()));
        assert_eq!(channel(&MANY, 0, -23), None);
    }

    #[test]
    fn twice_a_sum_fits_a_word() {
        let limit = 1 << 30;
        assert!(channel(&MANY, limit - 1 - GREATEST, -22).is_some());
        assert_eq!(channel(&MANY, limit - GREATEST, -22), None);
        assert!(channel(&MANY, 1 - limit - LEAST, -22).is_some());
        assert_eq!(channel(&MANY, -limit - LEAST, -22), None);
        assert_eq!(channel(&[1], i32::MAX, -22), None, "its sum itself passes a word");
    }

    #[test]
    fn lanes_fit_16_bits_and_the_odd_sum_24() {
        let are_lanes = |even: &Channel, odd: &Channel| Lanes::new(even, odd).is_some();
        let of = |weights: &[i8]| channel(weights, 0, -2).unwrap();
        assert!(are_lanes(&of(&[-128, 127]), &of(&[-127, 127])));
        assert!(are_lanes(&of(&[0, 127]), &of(&[-128, -128])));
        assert!(!are_lanes(&of(&[-100, 0]), &of(&[-128, 1])), "256 * -128 - 100");

        let biased = |bias| channel(&MANY[..300], bias, -15).unwrap();
        let (least, greatest) = (300 * 127 * -128, 300 * 127 * 127);
        let limit = 1 << 23;
        let even = biased(limit);
        assert!(are_lanes(&even, &biased(limit - 1 - greatest)));
        assert!(!are_lanes(&even, &biased(limit - greatest)));
        assert!(are_lanes(&even, &biased(-limit - least)));
        assert!(!are_lanes(&even, &biased(-limit - 1 - least)));
    }
}
