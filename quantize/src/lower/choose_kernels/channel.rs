//! What packed kernels need to know of an output channel, and the proofs that they may compute it.

use edgepkg_format::plan::{ChannelParameters, Clamp, PackedRounding, Rounding, Scale};
use edgepkg_kernels::fixed_point;

use super::fused::{Fused, Thresholds};

/// An output channel of a layer with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// In the order of the inputs.
    pub(super) weights: Vec<i8>,
    /// The sum to begin with.
    bias: i32,
    scale: Scale,
    outputs: Outputs,
    /// The least and the greatest sum that any inputs give.
    sums: [i64; 2],
    /// What all of them give, where that is the same.
    constant: Option<i32>,
}

/// How all channels of a layer become outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outputs {
    pub(super) rounding: Rounding,
    pub(super) zero_point: i32,
    pub(super) clamp: Clamp,
}

/// A channel as a kernel computes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values {
    /// Multiplies weights and sums.
    pub(super) sum_scale: i32,
    /// The scaled sum to begin with.
    pub(super) first: i32,
    /// What turns a scaled sum into an output.
    pub(super) parameters: Vec<u32>,
}

impl Values {
    fn fused(channel: &Channel, fused: Fused) -> Self {
        let Fused { sum_scale, offset, multiplier, addend } = fused;
        let first = sum_scale.wrapping_mul(channel.bias).wrapping_add(offset);
        Self { sum_scale, first, parameters: vec![multiplier as u32, addend as u32] }
    }
}

/// Which of two channels in lanes.
#[derive(Clone, Copy)]
pub(super) enum Lane {
    Even,
    Odd,
}

impl Lane {
    /// How large its sums come.
    fn sum_scale(self) -> i32 {
        match self {
            Lane::Even => 1,
            Lane::Odd => 256,
        }
    }

    fn shift(self) -> u32 {
        match self {
            Lane::Even => PackedRounding::EVEN_LANE_SHIFT,
            Lane::Odd => PackedRounding::ODD_LANE_SHIFT,
        }
    }
}

impl Channel {
    /// The channel, where 32 bits hold its sum for any int8 inputs.
    ///
    /// One whose output is the same for all inputs is left without weights.
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
        let sums = [i64::from(bias) + below, i64::from(bias) + above];
        if sums.iter().any(|&sum| i32::try_from(sum).is_err()) {
            return None;
        }
        let channel = Self { weights, bias, scale, outputs, sums, constant: None };
        let [lowest, highest] = sums.map(|sum| channel.output(sum));
        if lowest == highest && scale.shift <= 0 {
            return Some(Self::constant(channel.weights.len(), lowest, outputs));
        }
        Some(channel)
    }

    /// One that gives `value`.
    pub(super) fn constant(inputs: usize, value: i32, outputs: Outputs) -> Self {
        let scale = Scale { multiplier: 0, shift: 0 };
        Self { weights: vec![0; inputs], bias: 0, scale, outputs, sums: [0, 0], constant: Some(value) }
    }

    /// By the defining arithmetic.
    fn output(&self, sum: i64) -> i32 {
        let Outputs { rounding, zero_point, clamp } = self.outputs;
        fixed_point::requantize(sum as i32, self.scale, rounding, zero_point, clamp)
    }

    /// Takes the inputs in another order; those past the end have weights of 0.
    pub(super) fn reorder(&mut self, order: &[usize]) {
        self.weights = order.iter().map(|&input| self.weights.get(input).copied().unwrap_or(0)).collect();
    }

    /// In lanes.
    pub(super) fn in_lane(&self, lane: Lane, rounding: PackedRounding) -> Option<Values> {
        let sum_scale = lane.sum_scale();
        match rounding {
            PackedRounding::Twice => {
                let parameters = self.twice()?;
                let fits = |sum: i64| i32::try_from(sum * i64::from(sum_scale)).is_ok();
                let first = self.bias.wrapping_mul(sum_scale);
                self.sums.into_iter().all(fits).then_some(Values { sum_scale, first, parameters })
            }
            PackedRounding::Fused => match self.constant {
                Some(value) => {
                    let parameters = vec![0, (value << lane.shift()) as u32];
                    Some(Values { sum_scale, first: 0, parameters })
                }
                None => {
                    let scale = [self.scale.multiplier, self.scale.shift];
                    let fused = self.thresholds()?.fit_addend(scale, sum_scale, lane.shift())?;
                    Some(Values::fused(self, fused))
                }
            },
        }
    }

    /// By itself, with weights that may be scaled to 16 bits.
    pub(super) fn depthwise(&self, rounding: PackedRounding) -> Option<Values> {
        const SHIFT: u32 = PackedRounding::DEPTHWISE_SHIFT;
        match rounding {
            PackedRounding::Twice => {
                let parameters = self.twice()?;
                Some(Values { sum_scale: 2, first: self.bias.wrapping_mul(2), parameters })
            }
            PackedRounding::Fused => match self.constant {
                Some(value) => {
                    Some(Values { sum_scale: 1, first: value << (2 + SHIFT), parameters: vec![1 << 30] })
                }
                None => {
                    let scale = [self.scale.multiplier, self.scale.shift];
                    let fused = self.thresholds()?.fit_sum_scale(scale, (8..256).rev(), SHIFT)?;
                    let mut values = Values::fused(self, fused);
                    values.parameters.truncate(1);
                    Some(values)
                }
            },
        }
    }

    fn thresholds(&self) -> Option<Thresholds> {
        let Clamp { min, max } = self.outputs.clamp;
        (self.scale.multiplier > 0 && i32::from(i8::MIN) <= min && min <= max && max <= i8::MAX.into())
            .then(|| Thresholds::new(self.sums, [min, max], |sum| self.output(sum)))
    }

    /// Multiplier, addend and shift, where 32 bits hold every step.
    fn twice(&self) -> Option<Vec<u32>> {
        if let Some(value) = self.constant {
            return Some(vec![0, (value << 1) as u32, 1]);
        }
        if self.outputs.rounding != Rounding::Twice {
            return None;
        }
        let shift = u32::try_from(-self.scale.shift).ok().filter(|shift| (1..=22).contains(shift))?;
        let addend = (1i64 << (shift - 1)) + (i64::from(self.outputs.zero_point) << shift);
        // Twice a sum is a word, and its product's upper word plus the addend is one.
        let magnitude = self.sums[0].abs().max(self.sums[1].abs());
        let fits =
            magnitude < 1 << 30 && magnitude + 1 + addend.abs() < 1 << 31 && self.scale.multiplier >= 0;
        fits.then(|| vec![self.scale.multiplier as u32, addend as u32, shift])
    }
}

/// Two channels whose weights share words: `256 * odd + even` in each half.
///
/// One sum of products of such lanes is `256 * odd + even` of the channels' sums modulo 2^32, and gives
/// the odd one's, times 256, where 32 bits hold it.
pub(super) struct Lanes<'c> {
    even: &'c Channel,
    odd: &'c Channel,
    /// Of the even and the odd one.
    pub(super) values: [Values; 2],
}

impl<'c> Lanes<'c> {
    /// The two, where every lane fits 16 bits.
    pub(super) fn new(even: &'c Channel, odd: &'c Channel, rounding: PackedRounding) -> Option<Self> {
        let values = [even.in_lane(Lane::Even, rounding)?, odd.in_lane(Lane::Odd, rounding)?];
        let lanes = Self { even, odd, values };
        let fit = (0..even.weights.len()).all(|input| i16::try_from(lanes.lane(input)).is_ok());
        fit.then_some(lanes)
    }

    fn lane(&self, input: usize) -> i32 {
        let weight = |channel: &Channel| channel.weights.get(input).copied().unwrap_or(0);
        256 * i32::from(weight(self.odd)) + i32::from(weight(self.even))
    }

    /// The sums to begin with: of the lanes, of the even channel.
    pub(super) fn first_sums(&self) -> [u32; 2] {
        let [even, odd] = [&self.values[0], &self.values[1]].map(|values| values.first);
        [odd.wrapping_add(even) as u32, even as u32]
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
        let constant = |inputs, value| Some(Channel::constant(inputs, value, OUTPUTS));
        assert_eq!(channel(&[0, 0], 64, -4), constant(2, 3 + 2));
        assert_eq!(channel(&[1, -1], -(1 << 20), -4), constant(2, -128));
        let unscaled = Scale { multiplier: 0, shift: 0 };
        let parameters = ChannelParameters { bias: 9, scale: unscaled };
        assert_eq!(Channel::new(vec![7], parameters, OUTPUTS), constant(1, 3));
    }

    /// Many weights of 127, whose least and greatest sums these are.
    static MANY: [i8; 40_000] = [127; 40_000];
    const LEAST: i32 = -650_240_000;
    const GREATEST: i32 = 645_160_000;

    fn twice(weights: &[i8], bias: i32, shift: i32) -> Option<Vec<u32>> {
        channel(weights, bias, shift).unwrap().twice()
    }

    #[test]
    fn a_shift_is_to_the_right_and_leaves_room_for_the_zero_point() {
        assert!(twice(&[127], 0, -1).is_some());
        assert_eq!(twice(&[127], 0, 0), None, "half a step is a bit of the addend");
        assert_eq!(twice(&[127], 0, 1), None);
        assert_eq!(twice(&MANY, 0, -22), Some(vec![1 << 30, (1 << 21) + (3 << 22), 22]));
        assert_eq!(twice(&MANY, 0, -23), None);
    }

    #[test]
    fn twice_a_sum_fits_a_word() {
        let limit = 1 << 30;
        assert!(twice(&MANY, limit - 1 - GREATEST, -22).is_some());
        assert_eq!(twice(&MANY, limit - GREATEST, -22), None);
        assert!(twice(&MANY, 1 - limit - LEAST, -22).is_some());
        assert_eq!(twice(&MANY, -limit - LEAST, -22), None);
        assert_eq!(channel(&[1], i32::MAX, -22), None, "its sum itself passes a word");
    }

    #[test]
    fn lanes_fit_16_bits_and_the_odd_sum_24() {
        let are_lanes =
            |even: &Channel, odd: &Channel| Lanes::new(even, odd, PackedRounding::Twice).is_some();
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
