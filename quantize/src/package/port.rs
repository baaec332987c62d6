//! An input or output of a model.

use crate::graph::{Quantization, QuantizedTensor};
use crate::multiplier::quantize;
use edgepkg_format::DType;
use serde::{Deserialize, Serialize};

/// An input or output: `real = scale * (q - zero_point)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its name in the model file.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Type of its elements.
    pub element: Element,
    /// Real value of one step.
    pub scale: f32,
    /// The value that stands for 0.
    pub zero_point: i32,
    /// Names of the classes; empty where it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What it stands for; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// The unit of its real values; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// What is done to raw data before it is this input; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preprocessing: String,
}

/// The types that inputs and outputs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 8-bit signed.
    Int8,
    /// 16-bit signed, little-endian.
    Int16,
    /// 32-bit signed, little-endian: indices.
    Int32,
}

impl Element {
    /// The type as ports know it; `None` where they cannot have it.
    pub fn from_dtype(dtype: DType) -> Option<Self> {
        match dtype {
            DType::Int8 => Some(Element::Int8),
            DType::Int16 => Some(Element::Int16),
            DType::Int32 => Some(Element::Int32),
            DType::Int64 | DType::Int4 => None,
        }
    }

    /// The name used in manifests and messages.
    pub fn name(self) -> &'static str {
        match self {
            Element::Int8 => "int8",
            Element::Int16 => "int16",
            Element::Int32 => "int32",
        }
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::Int8 => 1,
            Element::Int16 => 2,
            Element::Int32 => 4,
        }
    }
}

impl Port {
    /// The port of `tensor`, which is int8, int16 or int32.
    ///
    /// # Panics
    ///
    /// Where it is of another type; a validated graph's tensors that nodes write are none.
    pub fn of(tensor: &QuantizedTensor) -> Self {
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            element: Element::from_dtype(tensor.dtype)
                .expect("a validated graph's ports are int8, int16 or int32"),
            scale: tensor.quantization.scale(),
            zero_point: tensor.quantization.zero_point(),
            labels: Vec::new(),
            meaning: String::new(),
            unit: String::new(),
            preprocessing: String::new(),
        }
    }

    /// Whether it and `other` take the same values: all but what people say of them.
    pub fn is_compatible(&self, other: &Port) -> bool {
        let bare = |port: &Port| Port {
            meaning: String::new(),
            unit: String::new(),
            preprocessing: String::new(),
            ..port.clone()
        };
        bare(self) == bare(other)
    }

    /// Whether people say anything of it.
    pub(super) fn is_described(&self) -> bool {
        !(self.meaning.is_empty() && self.unit.is_empty() && self.preprocessing.is_empty())
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes.
    pub fn bytes(&self) -> usize {
        self.len() * self.element.bytes()
    }

    /// Whether labels are as many as its last extent, and each is one line.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn check_labels(&self) -> Result<(), String> {
        let classes = self.shape.last().copied().unwrap_or(1);
        if self.labels.is_empty() {
            return Ok(());
        }
        if self.labels.len() != classes {
            return Err(format!(
                "output `{}` has {classes} classes and {} labels",
                self.name,
                self.labels.len()
            ));
        }
        match self.labels.iter().find(|label| label.is_empty() || label.contains(char::is_control)) {
            Some(label) => Err(format!("{label:?} cannot be a label")),
            None => Ok(()),
        }
    }

    /// The tensor's raw bytes for `values` in the model's own units: rounded and saturated.
    pub fn quantize(&self, values: &[f32]) -> Vec<u8> {
        let quantization = Quantization::per_tensor(self.scale, self.zero_point);
        self.to_bytes(values.iter().map(|&value| quantize(value, &quantization)))
    }

    /// The raw bytes of elements, saturated to the tensor's type.
    pub fn to_bytes(&self, elements: impl Iterator<Item = i32>) -> Vec<u8> {
        match self.element {
            Element::Int16 => {
                let clamped = elements.map(|q| q.clamp(i16::MIN.into(), i16::MAX.into()) as i16);
                clamped.flat_map(i16::to_le_bytes).collect()
            }
            Element::Int32 => elements.flat_map(i32::to_le_bytes).collect(),
            Element::Int8 => elements.map(|q| q.clamp(i8::MIN.into(), i8::MAX.into()) as i8 as u8).collect(),
        }
    }

    /// The elements that raw bytes hold.
    pub fn elements<'b>(&self, bytes: &'b [u8]) -> Box<dyn Iterator<Item = i32> + 'b> {
        match self.element {
            Element::Int16 => {
                let words = bytes.chunks_exact(2);
                Box::new(words.map(|word| i16::from_le_bytes([word[0], word[1]]).into()))
            }
            Element::Int32 => {
                let words = bytes.chunks_exact(4);
                Box::new(words.map(|word| i32::from_le_bytes([word[0], word[1], word[2], word[3]])))
            }
            Element::Int8 => Box::new(bytes.iter().map(|&byte| (byte as i8).into())),
        }
    }

    /// The values in the model's own units that raw bytes stand for.
    pub fn dequantize(&self, bytes: &[u8]) -> Vec<f32> {
        self.elements(bytes).map(|q| self.scale * q.wrapping_sub(self.zero_point) as f32).collect()
    }
}
