//! Kinds whose weights are packed for an instruction set.

use edgepkg_format::plan::{
    PackedConv2d, PackedDepthwiseConv2d, PackedFullyConnected, PackedRounding, Traversal,
};

use crate::numbered::{Choice, check_with_choices, clamp, image, tensor, window};

#[test]
fn packed_conv2d() {
    let record = PackedConv2d {
        input: tensor(0),
        output: tensor(2),
        stream: tensor(4),
        scratch: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        rounding: PackedRounding::Fused,
        clamp: clamp(26),
    };
    let rounding = Choice { at: 25, value: 1, count: 2 };
    check_with_choices(record, 14, 28, &[0, 2, 4, 6], &[rounding]);
}

#[test]
fn packed_depthwise_conv2d() {
    let record = PackedDepthwiseConv2d {
        input: tensor(0),
        output: tensor(2),
        stream: tensor(4),
        scratch: tensor(6),
        input_image: image(8),
        output_image: image(12),
        window: window(16),
        input_zero_point: 24,
        rounding: PackedRounding::Fused,
        traversal: Traversal::Columns,
        strip: 27,
        clamp: clamp(28),
    };
    let rounding = Choice { at: 25, value: 1, count: 2 };
    let traversal = Choice { at: 26, value: 1, count: 2 };
    check_with_choices(record, 15, 30, &[0, 2, 4, 6], &[rounding, traversal]);
}

#[test]
fn packed_fully_connected() {
    let record = PackedFullyConnected {
        input: tensor(0),
        output: tensor(2),
        stream: tensor(4),
        rows: 6,
        input_depth: 7,
        output_depth: 8,
        rounding: PackedRounding::Fused,
        clamp: clamp(10),
    };
    check_with_choices(record, 16, 12, &[0, 2, 4], &[Choice { at: 9, value: 1, count: 2 }]);
}
