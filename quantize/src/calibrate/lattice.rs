//! Inputs that are quantized already: pictures of 8 bits, features from an int8 front end.

/// A grid of at most 256 steps, on which all values of an input lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lattice {
    /// Distance of neighbours.
    pub step: f32,
    /// The least value seen, in steps from 0.
    pub first: i32,
    /// The greatest value seen, in steps from 0.
    pub last: i32,
}

/// Codes of int8.
const CODES: i32 = 256;

impl Lattice {
    /// The coarsest grid through 0 that holds `values`; `None` when there is none of at most 256 steps
    /// that holds 0 too.
    pub fn of(values: &[f32]) -> Option<Self> {
        let distinct = distinct(values)?;
        let closest = distinct.windows(2).map(|pair| pair[1] - pair[0]).fold(f32::INFINITY, f32::min);
        if !closest.is_finite() {
            return None;
        }
        let (least, greatest) = (distinct[0], distinct[distinct.len() - 1]);
        // The closest pair has an error of its own: the step is measured again over the whole width.
        let steps = ((greatest - least) / closest).round();
        let step = (greatest - least) / steps;
        let position = |value: f32| value / step;
        let on_grid = |&value: &f32| (position(value) - position(value).round()).abs() < 0.01;
        let (first, last) = (position(least).round(), position(greatest).round());
        let codes = last.max(0.0) - first.min(0.0) + 1.0;
        (codes <= CODES as f32 && distinct.iter().all(on_grid)).then_some(Self {
            step,
            first: first as i32,
            last: last as i32,
        })
    }

    /// The zero point with which int8 covers the values seen, and 0. Where that leaves codes over, they
    /// go to the side that has fewer.
    pub fn zero_point(&self) -> i32 {
        let (below, above) = (-self.first.min(0), self.last.max(0));
        if below == 0 {
            return -128;
        }
        if above == 0 {
            return 127;
        }
        let spare = CODES - 1 - below - above;
        -128 + below + spare / 2
    }
}

/// The distinct values in ascending order; `None` when there are more than 256, or fewer than 2.
fn distinct(values: &[f32]) -> Option<Vec<f32>> {
    let mut distinct: Vec<f32> = Vec::new();
    for &value in values {
        if let Err(position) = distinct.binary_search_by(|probe| probe.total_cmp(&(value + 0.0))) {
            if distinct.len() == CODES as usize {
                return None;
            }
            distinct.insert(position, value + 0.0);
        }
    }
    (distinct.len() >= 2).then_some(distinct)
}

#[cfg(test)]
mod tests {
    use super::Lattice;

    #[test]
    fn finds_the_steps_of_pictures() {
        let values: Vec<f32> = (0..200).map(|q| q as f32 / 255.0).collect();
        let lattice = Lattice::of(&values).unwrap();
        assert_eq!((lattice.first, lattice.last), (0, 199));
        assert!((lattice.step - 1.0 / 255.0).abs() < 1e-8);
        assert_eq!(lattice.zero_point(), -128);
    }

    #[test]
    fn centres_what_it_has_seen() {
        let values: Vec<f32> = (-211..=43).map(|q| q as f32 * 0.584_702_9).collect();
        let lattice = Lattice::of(&values).unwrap();
        assert_eq!((lattice.first, lattice.last, lattice.zero_point()), (-211, 43, 83));
    }

    #[test]
    fn is_none_for_reals_and_for_grids_off_zero() {
        assert_eq!(Lattice::of(&[0.0, 1.0, 1.5, 1.01, 300.0]), None);
        assert_eq!(Lattice::of(&[0.5, 1.5, 2.5]), None);
        assert_eq!(Lattice::of(&[1.0, 1.0]), None);
        assert_eq!(Lattice::of(&[1000.0, 1001.0]), None);
    }
}
