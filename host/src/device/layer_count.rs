//! What layers cost, where several operators may compute one.

use edgepkg_format::OperatorKind;

use super::{Count, OperatorCount};

/// What one layer cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerCount {
    /// The layer.
    pub layer: u32,
    /// The first operator that computes it.
    pub kind: OperatorKind,
    /// The cost of all of them.
    pub count: Count,
}

impl LayerCount {
    /// The costs of neighbouring operators of one layer, added up.
    pub fn of_operators(operators: &[OperatorCount]) -> Vec<Self> {
        let of_one_layer = operators.chunk_by(|a, b| a.layer == b.layer);
        let sum = |operators: &[OperatorCount]| {
            let counts = operators.iter().map(|operator| operator.count);
            let count = counts.reduce(|sum, count| Count {
                value: sum.value + count.value,
                unit: sum.unit,
                modelled_cycles: sum.modelled_cycles.zip(count.modelled_cycles).map(|(a, b)| a + b),
            });
            Some(LayerCount { layer: operators[0].layer, kind: operators[0].kind, count: count? })
        };
        of_one_layer.filter_map(sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::CountUnit;

    #[test]
    fn neighbours_of_one_layer_are_added_up() {
        let count = |value, modelled_cycles| Count { value, unit: CountUnit::Instructions, modelled_cycles };
        let operator =
            |record, layer, count| OperatorCount { record, layer, kind: OperatorKind::Conv2d, count };
        let operators = [
            operator(0, 0, count(1, Some(2))),
            operator(1, 2, count(10, Some(20))),
            operator(2, 2, count(100, Some(200))),
            operator(3, 3, count(5, None)),
        ];
        let layers: Vec<_> =
            LayerCount::of_operators(&operators).iter().map(|layer| (layer.layer, layer.count)).collect();
        assert_eq!(layers, [(0, count(1, Some(2))), (2, count(110, Some(220))), (3, count(5, None))]);
    }
}
