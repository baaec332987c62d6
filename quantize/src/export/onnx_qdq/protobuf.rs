//! Messages of the protobuf encoding, as far as ONNX needs them. Reading has its dependencies; these few
//! lines save them where ONNX is only written.

/// A message's fields, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// How a field's value is laid out.
#[derive(Clone, Copy)]
enum WireType {
    Varint = 0,
    Bytes = 2,
    Word = 5,
}

impl Message {
    pub(super) fn int(&mut self, field: u32, value: i64) {
        self.tag(field, WireType::Varint);
        self.varint(value as u64);
    }

    pub(super) fn float(&mut self, field: u32, value: f32) {
        self.tag(field, WireType::Word);
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, WireType::Bytes);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    pub(super) fn message(&mut self, field: u32, value: &Message) {
        self.bytes(field, &value.0);
    }

    /// A field that is repeated: one value after the other.
    pub(super) fn ints(&mut self, field: u32, values: impl IntoIterator<Item = i64>) {
        values.into_iter().for_each(|value| self.int(field, value));
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn tag(&mut self, field: u32, wire_type: WireType) {
        self.varint(u64::from(field) << 3 | wire_type as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_the_specification_shows() {
        let mut inner = Message::default();
        inner.int(1, 150);
        let mut message = Message::default();
        message.message(3, &inner);
        message.text(2, "testing");
        message.int(1, -1);
        message.float(4, 1.0);
        let expected = [
            &[0x1a, 3, 0x08, 0x96, 0x01, 0x12, 7][..],
            b"testing",
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x25, 0, 0, 0x80, 0x3f],
        ];
        assert_eq!(message.into_bytes(), expected.concat());
    }
}
