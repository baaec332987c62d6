//! What the integers of inputs and outputs stand for.

/// `real = scale * (element - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quantization {
    /// Real value of one step.
    pub scale: f32,
    /// The element that stands for 0.
    pub zero_point: i32,
}

impl Quantization {
    /// The real value that `element` stands for.
    pub fn dequantize(self, element: i32) -> f32 {
        self.scale * element.wrapping_sub(self.zero_point) as f32
    }

    /// The int8 element nearest to `value`, halves away from zero: as the host quantizes inputs. NaN is as 0.
    pub fn quantize_i8(self, value: f32) -> i8 {
        self.nearest(value).clamp(i8::MIN.into(), i8::MAX.into()) as i8
    }

    /// The int16 element nearest to `value`.
    pub fn quantize_i16(self, value: f32) -> i16 {
        self.nearest(value).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    fn nearest(self, value: f32) -> i32 {
        let steps = value / self.scale;
        // A cast cuts off; where there is a fraction, the difference is exact.
        let whole = steps as i32;
        let fraction = steps - whole as f32;
        let away = i32::from(fraction >= 0.5) - i32::from(fraction <= -0.5);
        self.zero_point.saturating_add(whole.saturating_add(away))
    }
}

#[cfg(test)]
mod tests {
    use super::Quantization;

    #[test]
    fn rounds_to_the_nearest_and_halves_away_from_zero() {
        let steps = Quantization { scale: 1.0, zero_point: 0 };
        for (value, element) in [
            (0.0, 0),
            (0.499_999_97, 0),
            (0.5, 1),
            (-0.5, -1),
            (-0.499_999_97, 0),
            (2.5, 3),
            (-3.5, -4),
            (126.5, 127),
            (1e9, 127),
            (-1e9, -128),
            (f32::INFINITY, 127),
            (f32::NEG_INFINITY, -128),
            (f32::NAN, 0),
        ] {
            assert_eq!(steps.quantize_i8(value), element, "{value}");
        }
        let shifted = Quantization { scale: 0.5, zero_point: -128 };
        assert_eq!(shifted.quantize_i8(1.0), -126);
        assert_eq!(shifted.quantize_i16(1e6), 32767);
        assert_eq!(shifted.dequantize(-126), 1.0);
    }
}
