//! Operators on images: convolutions and pools.

use super::super::geometry::Window;
use super::super::site::{Refusal, Site, unsupported};
use super::Lowering;
use crate::graph::{Activation, Conv, Op, Padding, Pool, TensorId};

/// A window over rows and columns; a single spatial dimension is the columns of a single row.
struct Placed {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    before: [usize; 2],
    after: [usize; 2],
}

impl Placed {
    fn new(site: &Site<'_>, kernel: Vec<usize>) -> Result<Self, Refusal> {
        let image = &site.x().shape[2..];
        let window = Window::of(site, kernel, image)?;
        let (before, after) =
            image.iter().enumerate().map(|(axis, &extent)| window.added(axis, extent)).unzip();
        Ok(Self {
            kernel: plane(&window.kernel, 1),
            stride: plane(&window.strides, 1),
            dilation: plane(&window.dilations, 1),
            before: plane::<Vec<usize>>(&before, 0),
            after: plane::<Vec<usize>>(&after, 0),
        })
    }

    /// The padding that `to` positions in `from` elements need: what stands after the last position is
    /// left out, and what the last position reaches beyond is there.
    fn padding(&self, from: [usize; 2], to: [usize; 2]) -> Padding {
        let after = |axis: usize| {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            ((to[axis] - 1) * self.stride[axis] + reach).saturating_sub(from[axis] + self.before[axis])
        };
        Padding { top: self.before[0], left: self.before[1], bottom: after(0), right: after(1) }
    }
}

/// Rows and columns from one or two spatial values.
fn plane<V: AsRef<[usize]> + ?Sized>(values: &V, missing: usize) -> [usize; 2] {
    match *values.as_ref() {
        [columns] => [missing, columns],
        [rows, columns] => [rows, columns],
        _ => unreachable!("windows have one or two dimensions"),
    }
}

/// The shape of NCHW or NCW as an NHWC image.
pub(super) fn image_shape(shape: &[usize]) -> Vec<usize> {
    let [rows, columns] = plane(&shape[2..], 1);
    vec![shape[0], rows, columns, shape[1]]
}

impl Lowering {
    /// The first operand as an NHWC image.
    pub(super) fn image(&mut self, site: &Site<'_>) -> Result<TensorId, Refusal> {
        let x = self.operand(site, 0)?;
        let shape = image_shape(self.shape(x));
        let perm = if site.rank() == 3 { vec![0, 2, 1] } else { vec![0, 2, 3, 1] };
        let x = self.transposed(site, x, perm);
        Ok(self.reshaped(site, x, &shape))
    }

    /// An NHWC image back in the file's layout.
    pub(super) fn restore(&mut self, site: &Site<'_>, image: TensorId, shape: &[usize]) -> TensorId {
        if shape.len() == 3 {
            let image = self.reshaped(site, image, &[shape[0], shape[2], shape[1]]);
            self.transposed(site, image, vec![0, 2, 1])
        } else {
            self.transposed(site, image, vec![0, 3, 1, 2])
        }
    }

    pub(super) fn convolution(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let Some((weights_shape, weights)) = self.constant_operand(site, 1) else {
            return unsupported("weights that are not constant");
        };
        let placed = Placed::new(site, weights_shape[2..].to_vec())?;
        let [rows, columns] = placed.kernel;
        let (out, depth) = (weights_shape[0], weights_shape[1]);
        let mut rearranged = Vec::with_capacity(weights.len());
        for kernel in weights.chunks_exact(depth * rows * columns) {
            for tap in 0..rows * columns {
                rearranged.extend((0..depth).map(|channel| kernel[channel * rows * columns + tap]));
            }
        }
        let name = site.input_name(1).to_owned();
        let mut inputs = vec![self.image(site)?];
        inputs.push(self.constant(name, vec![out, rows, columns, depth], rearranged));
        if site.input(2).is_some() {
            if self.constant_operand(site, 2).is_none() {
                return unsupported("a bias that is not constant");
            }
            inputs.push(self.operand(site, 2)?);
        }
        let to = image_shape(shape);
        let from = self.shape(inputs[0]);
        let conv = Conv {
            stride: placed.stride,
            dilation: placed.dilation,
            padding: placed.padding([from[1], from[2]], [to[1], to[2]]),
            activation: Activation::NONE,
        };
        let image = self.emit(site, Op::Conv2d(conv), inputs, to);
        Ok(self.restore(site, image, shape))
    }

    pub(super) fn average_pool(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let mut placed = Placed::new(site, site.sizes("kernel_shape").unwrap_or_default())?;
        let mut image = self.image(site)?;
        if site.flag("count_include_pad") && (placed.before, placed.after) != ([0; 2], [0; 2]) {
            // What the file adds counts as zeros; what only the last window reaches does not.
            let before = vec![0, placed.before[0], placed.before[1], 0];
            let after = vec![0, placed.after[0], placed.after[1], 0];
            let extents = self.shape(image).iter().zip(&before).zip(&after);
            let padded = extents.map(|((extent, before), after)| extent + before + after).collect();
            image = self.emit(site, Op::Pad { before, after, value: 0.0 }, vec![image], padded);
            placed.before = [0; 2];
        }
        self.pool(site, placed, image, shape, Op::AveragePool2d)
    }

    pub(super) fn max_pool(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let placed = Placed::new(site, site.sizes("kernel_shape").unwrap_or_default())?;
        let image = self.image(site)?;
        self.pool(site, placed, image, shape, Op::MaxPool2d)
    }

    fn pool(
        &mut self,
        site: &Site<'_>,
        placed: Placed,
        image: TensorId,
        shape: &[usize],
        op: fn(Pool) -> Op,
    ) -> Result<TensorId, Refusal> {
        if (0..2).any(|axis| placed.dilation[axis] > 1 && placed.kernel[axis] > 1) {
            return unsupported("dilations");
        }
        let to = image_shape(shape);
        let from = self.shape(image);
        let (from, positions) = ([from[1], from[2]], [to[1], to[2]]);
        let beyond =
            |axis: usize| (positions[axis] - 1) * placed.stride[axis] >= from[axis] + placed.before[axis];
        if beyond(0) || beyond(1) {
            return unsupported("windows over nothing but padding");
        }
        let pool = Pool {
            window: placed.kernel,
            stride: placed.stride,
            padding: placed.padding(from, positions),
            activation: Activation::NONE,
        };
        let image = self.emit(site, op(pool), vec![image], to);
        Ok(self.restore(site, image, shape))
    }

    pub(super) fn global_max_pool(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        if site.rank() > 4 {
            return unsupported(format!("{} spatial dimensions", site.rank() - 2));
        }
        let image = self.image(site)?;
        let window = [self.shape(image)[1], self.shape(image)[2]];
        let pool = Pool { window, stride: [1, 1], padding: Padding::default(), activation: Activation::NONE };
        let image = self.emit(site, Op::MaxPool2d(pool), vec![image], image_shape(shape));
        Ok(self.restore(site, image, shape))
    }
}
