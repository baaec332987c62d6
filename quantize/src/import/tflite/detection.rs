//! TFLite_Detection_PostProcess, a custom operator: boxes are decoded from anchors, and the best of those that overlap no
//! better one are put out.
//!
//! A box without extents and scores stands before all others: the index of no box, -1, chooses it, so that what is put out where
//! there are no more boxes is 0.

use std::sync::Arc;

use super::schema::{Operator, Options};
use super::{Element, Importer};
use crate::graph::{
    Activation, BinaryFunction, BoxForm, Comparison, Extreme, FloatTensor, Op, Padding, Pool, Precision,
    Suppression, TensorId, UnaryFunction,
};
use crate::import::ImportError;

/// What the operator's options say.
struct Detection {
    most: usize,
    classes: usize,
    overlap: f32,
    score: f32,
    /// What offsets of centres are multiples of, the inverse of: rows and columns.
    center_scales: [f32; 2],
    /// Likewise, of the logarithms of extents.
    extent_scales: [f32; 2],
}

impl Detection {
    fn of(operator: &Operator) -> Result<Self, &'static str> {
        let Options::Custom(options) = &operator.options else { return Err("lacks its options") };
        let number = |name: &str| options.iter().find(|(key, _)| key == name).map(|&(_, value)| value);
        let given = |name: &str| number(name).ok_or("lacks one of its options");
        let count = |name: &str| {
            let count = given(name)?;
            if (1.0..=65536.0).contains(&count) {
                Ok(count as usize)
            } else {
                Err("has a count below 1 or above 2^16")
            }
        };
        let scale = |name: &str| {
            let scale = given(name)? as f32;
            if scale.is_finite() && scale > 0.0 { Ok(scale) } else { Err("has a scale that is not positive") }
        };
        if number("use_regular_nms").is_some_and(|flag| flag != 0.0) {
            return Err("suppresses boxes for each class apart, which is not supported");
        }
        if count("max_classes_per_detection")? > 1 {
            return Err("gives a box several classes, which is not supported");
        }
        let (overlap, score) = (given("nms_iou_threshold")? as f32, given("nms_score_threshold")? as f32);
        if !(0.0..=1.0).contains(&overlap) || !score.is_finite() {
            return Err("has a threshold out of its range");
        }
        Ok(Self {
            most: count("max_detections")?,
            classes: count("num_classes")?,
            overlap,
            score,
            center_scales: [scale("y_scale")?, scale("x_scale")?],
            extent_scales: [scale("h_scale")?, scale("w_scale")?],
        })
    }
}

impl Importer<'_, FloatTensor> {
    pub(super) fn detection(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (&[offsets, scores, anchors], &[boxes, classes, best, count]) =
            (&operator.inputs[..], &operator.outputs[..])
        else {
            return Err(self.file.problem(operator, "has not three inputs and four outputs"));
        };
        let op = Detection::of(operator).map_err(|problem| self.file.problem(operator, problem))?;
        let [offsets, scores, anchors] = [self.tensor(offsets)?, self.tensor(scores)?, self.tensor(anchors)?];
        let shape = |id: TensorId| self.graph.tensor(id).shape.clone();
        let (&[1, boxes_there, 4], &[1, scored, all_classes]) = (&shape(offsets)[..], &shape(scores)[..])
        else {
            return Err(self.file.problem(operator, "has not one list of boxes and one of scores"));
        };
        let anchors = self.graph.tensor(anchors).data.clone().filter(|data| data.len() == 4 * boxes_there);
        let Some(anchors) = anchors.filter(|_| scored == boxes_there) else {
            return Err(self.file.problem(operator, "has not a constant anchor and scores for each box"));
        };
        if op.most > boxes_there || op.classes > all_classes {
            return Err(self.file.problem(operator, "gives more boxes or classes than there are"));
        }
        let steps = &mut Steps { importer: self, operator };
        let corners = steps.decoded(offsets, &anchors, &op)?;
        let count_all = boxes_there + 1;
        let none = steps.constant("no box", vec![1, 1, 4], vec![0.0; 4])?;
        let corners = steps.made(Op::Concat { axis: 1 }, vec![none, corners], vec![1, count_all, 4])?;
        // What stands before the classes is the background.
        let begin = vec![0, 0, all_classes - op.classes];
        let rows = steps.made(Op::Slice { begin }, vec![scores], vec![1, boxes_there, op.classes])?;
        let none = steps.constant("no score", vec![1, 1, op.classes], vec![0.0; op.classes])?;
        let rows = steps.made(Op::Concat { axis: 1 }, vec![none, rows], vec![1, count_all, op.classes])?;
        let greatest = steps.greatest(rows, [count_all, op.classes], vec![1, 1, count_all])?;
        let suppression = Op::NonMaxSuppression(Suppression {
            form: BoxForm::Corners,
            most: op.most,
            overlap: op.overlap,
            // Scores that are just this are taken, too.
            score: Some(op.score.next_down()),
        });
        let chosen = steps.made(suppression, vec![corners, greatest], vec![op.most, 3])?;
        let chosen = steps.made(Op::Slice { begin: vec![0, 2] }, vec![chosen], vec![op.most, 1])?;
        let chosen = steps.made(Op::Reshape, vec![chosen], vec![op.most])?;
        let gather = Op::Gather { axis: 1, batch_dimensions: 0 };
        let taken = steps.made(gather.clone(), vec![rows, chosen], vec![1, op.most, op.classes])?;
        let taken_best = steps.greatest(taken, [op.most, op.classes], vec![1, op.most])?;
        let first = Op::TopIndices { extreme: Extreme::Greatest };
        let class = steps.made(first, vec![taken], vec![1, op.most, 1])?;
        let zero = FloatTensor::no_truth(steps.name("zero"));
        let zero = steps.importer.graph.add_tensor(zero);
        let above = Op::Compare { comparison: Comparison::Greater, precision: Precision::Exact };
        let are_there = steps.made(above, vec![taken_best, zero], vec![1, op.most])?;
        steps.put_out(boxes, gather, vec![corners, chosen], vec![1, op.most, 4])?;
        steps.put_out(classes, Op::Reshape, vec![class], vec![1, op.most])?;
        steps.put_out(best, Op::Reshape, vec![taken_best], vec![1, op.most])?;
        steps.put_out(count, Op::Sum { axes: vec![1] }, vec![are_there], vec![1])
    }
}

/// The operator's nodes, one after the other.
struct Steps<'i, 'f> {
    importer: &'i mut Importer<'f, FloatTensor>,
    operator: &'i Operator,
}

impl Steps<'_, '_> {
    fn name(&self, part: &str) -> String {
        format!("{}/{part}", self.importer.file.node_name(self.operator))
    }

    fn constant(&mut self, part: &str, shape: Vec<usize>, data: Vec<f32>) -> Result<TensorId, ImportError> {
        let constant = FloatTensor { name: self.name(part), shape, data: Some(Arc::from(data)) };
        self.importer.count_constant(constant.constant_bytes())?;
        Ok(self.importer.graph.add_tensor(constant))
    }

    fn made(&mut self, op: Op, inputs: Vec<TensorId>, shape: Vec<usize>) -> Result<TensorId, ImportError> {
        let name = self.name(op.name());
        let output = self.importer.graph.add_tensor(FloatTensor { name, shape, data: None });
        self.importer.push(self.operator, op, inputs, output)?;
        Ok(output)
    }

    /// The file's tensor `output`, whose shape files often leave open.
    fn put_out(
        &mut self,
        output: i32,
        op: Op,
        inputs: Vec<TensorId>,
        shape: Vec<usize>,
    ) -> Result<(), ImportError> {
        let output = self.importer.tensor(output)?;
        self.importer.graph.tensors[output.0].shape = shape;
        self.importer.push(self.operator, op, inputs, output)
    }

    /// Two opposite corners of each box: its centre is the anchor's, moved by shares of the anchor's extents; its extents are
    /// the anchor's times exponentials.
    fn decoded(
        &mut self,
        offsets: TensorId,
        anchors: &[f32],
        op: &Detection,
    ) -> Result<TensorId, ImportError> {
        let count = anchors.len() / 4;
        let pairs = || vec![1, count, 2];
        let of_anchors = |first: usize, factors: [f32; 2]| -> Vec<f32> {
            anchors
                .chunks_exact(4)
                .flat_map(|anchor| [0, 1].map(|axis| anchor[first + axis] * factors[axis]))
                .collect()
        };
        let places = self.made(Op::Slice { begin: vec![0, 0, 0] }, vec![offsets], pairs())?;
        let logarithms = self.made(Op::Slice { begin: vec![0, 0, 2] }, vec![offsets], pairs())?;
        let multiply = Op::Mul { activation: Activation::NONE };
        let add = Op::Add { activation: Activation::NONE };
        let subtract = Op::Binary { function: BinaryFunction::Subtract, activation: Activation::NONE };
        let shares = self.constant("shares", pairs(), of_anchors(2, op.center_scales.map(f32::recip)))?;
        let moved = self.made(multiply.clone(), vec![places, shares], pairs())?;
        let anchored = self.constant("centers", pairs(), of_anchors(0, [1.0; 2]))?;
        let centers = self.made(add.clone(), vec![moved, anchored], pairs())?;
        let scales = op.extent_scales.map(f32::recip).to_vec();
        let scales = self.constant("scales", vec![1, 1, 2], scales)?;
        let scaled = self.made(multiply.clone(), vec![logarithms, scales], pairs())?;
        let grown = self.made(Op::Unary(UnaryFunction::Exp), vec![scaled], pairs())?;
        let halves = self.constant("halves", pairs(), of_anchors(2, [0.5; 2]))?;
        let halves = self.made(multiply, vec![grown, halves], pairs())?;
        let low = self.made(subtract, vec![centers, halves], pairs())?;
        let high = self.made(add, vec![centers, halves], pairs())?;
        self.made(Op::Concat { axis: 2 }, vec![low, high], vec![1, count, 4])
    }

    /// The greatest of each of `rows` of `depth` elements.
    fn greatest(
        &mut self,
        x: TensorId,
        [rows, depth]: [usize; 2],
        shape: Vec<usize>,
    ) -> Result<TensorId, ImportError> {
        let image = self.made(Op::Reshape, vec![x], vec![rows, depth, 1, 1])?;
        let pool = Pool {
            window: [depth, 1],
            stride: [1, 1],
            padding: Padding::default(),
            activation: Activation::NONE,
        };
        let greatest = self.made(Op::MaxPool2d(pool), vec![image], vec![rows, 1, 1, 1])?;
        self.made(Op::Reshape, vec![greatest], shape)
    }
}
