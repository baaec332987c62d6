//! Transposed convolutions: zeros between the elements, and a convolution with the kernel turned around.

use super::super::site::{Refusal, Site, unsupported};
use super::super::spreading::{Dimension, dimensions};
use super::Lowering;
use super::image::image_shape;
use crate::graph::{Activation, Conv, Op, Padding, TensorId};

impl Lowering {
    pub(super) fn transposed_convolution(
        &mut self,
        site: &Site<'_>,
        shape: &[usize],
    ) -> Result<TensorId, Refusal> {
        let Some((weights_shape, weights)) = self.constant_operand(site, 1) else {
            return unsupported("weights that are not constant");
        };
        if site.input(2).is_some() && self.constant_operand(site, 2).is_none() {
            return unsupported("a bias that is not constant");
        }
        let mut both = dimensions(site)?;
        if both.len() == 1 {
            both.insert(0, Dimension { stride: 1, dilation: 1, kernel: 1, before: 0, after: 0, to: 1 });
        }
        let mut image = self.image(site)?;
        let mut after = [0; 2];
        for (axis, dimension) in both.iter().enumerate() {
            (image, after[axis]) = self.spread(site, image, axis + 1, dimension);
        }
        let groups = site.int("group").unwrap_or(1) as usize;
        let (depth, outputs) = (weights_shape[0] / groups, weights_shape[1]);
        let taps = both[0].kernel * both[1].kernel;
        let mut turned = Vec::with_capacity(weights.len());
        for channel in 0..groups * outputs {
            let (group, output) = (channel / outputs, channel % outputs);
            for tap in (0..taps).rev() {
                let input = |input: usize| ((group * depth + input) * outputs + output) * taps + tap;
                turned.extend((0..depth).map(|of| weights[input(of)]));
            }
        }
        let kernel = vec![groups * outputs, both[0].kernel, both[1].kernel, depth];
        let mut inputs = vec![image, self.constant(site.input_name(1).to_owned(), kernel, turned)];
        if site.input(2).is_some() {
            inputs.push(self.operand(site, 2)?);
        }
        let conv = Conv {
            stride: [1, 1],
            dilation: [both[0].dilation, both[1].dilation],
            padding: Padding { top: both[0].before, left: both[1].before, bottom: after[0], right: after[1] },
            activation: Activation::NONE,
        };
        let image = self.emit(site, Op::Conv2d(conv), inputs, image_shape(shape));
        Ok(self.restore(site, image, shape))
    }

    /// `image` with zeros between its elements along `axis`, and as many after the last as it needs, up to
    /// those that come with it; how many more it needs.
    fn spread(
        &mut self,
        site: &Site<'_>,
        image: TensorId,
        axis: usize,
        dimension: &Dimension,
    ) -> (TensorId, usize) {
        let Dimension { stride, after, .. } = *dimension;
        if stride == 1 {
            return (image, after);
        }
        let mut shape = self.shape(image).to_vec();
        let rows = shape[..=axis].iter().product();
        let inner = shape[axis + 1..].iter().product();
        let single = self.reshaped(site, image, &[rows, 1, inner]);
        let zeros = Op::Pad { before: vec![0; 3], after: vec![0, stride - 1, 0], value: 0.0 };
        let padded = self.emit(site, zeros, vec![single], vec![rows, stride, inner]);
        let extent = shape[axis];
        shape[axis] = extent * stride;
        let spread = self.reshaped(site, padded, &shape);
        let kept = after.min(stride - 1);
        shape[axis] = (extent - 1) * stride + 1 + kept;
        (self.emit(site, Op::Slice { begin: vec![0; 4] }, vec![spread], shape), after - kept)
    }
}
