//! A protobuf taken apart without its schema, changed, and put together again.

use super::Random;
use crate::onnx_file::varint;

/// What is longer than this, below the graph's parts, is taken for data.
const MAX_MESSAGE_BYTES: usize = 1 << 10;
/// The greatest field number in ONNX files.
const MAX_FIELD: u64 = 30;

#[derive(Clone)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Number(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// `model` with one to three changes.
pub(super) fn damage(model: &[u8], random: &mut Random) -> Vec<u8> {
    let mut fields = parse(model, 0).expect("an ONNX file is a protobuf");
    for _ in 0..1 + random.below(3) {
        let total = count(&fields);
        if total > 0 {
            let donor = find(&mut fields, &mut random.below(total)).map(|field| field.value.clone());
            change(&mut fields, &mut random.below(total), donor, random);
        }
    }
    encode(&fields)
}

fn parse(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes)?;
        let number = tag >> 3;
        if !(1..=MAX_FIELD).contains(&number) {
            return None;
        }
        let value = match tag & 7 {
            0 => Value::Number(take_varint(&mut bytes)?),
            1 => Value::Fixed(take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                let content = take(&mut bytes, length)?;
                let may_be_message = !content.is_empty() && (depth < 2 || length <= MAX_MESSAGE_BYTES);
                match may_be_message.then(|| parse(&content, depth + 1)).flatten() {
                    Some(fields) => Value::Message(fields),
                    None => Value::Bytes(content),
                }
            }
            5 => Value::Fixed(take(&mut bytes, 4)?),
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn take(bytes: &mut &[u8], length: usize) -> Option<Vec<u8>> {
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(content.to_vec())
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

fn encode(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Field { number, value } in fields {
        let (kind, content) = match value {
            Value::Number(value) => (0, varint(*value)),
            Value::Fixed(content) => (if content.len() == 8 { 1 } else { 5 }, content.clone()),
            Value::Bytes(content) => (2, [varint(content.len() as u64), content.clone()].concat()),
            Value::Message(fields) => {
                let content = encode(fields);
                (2, [varint(content.len() as u64), content].concat())
            }
        };
        bytes.extend(varint(number << 3 | kind));
        bytes.extend(content);
    }
    bytes
}

fn count(fields: &[Field]) -> usize {
    let inside = |field: &Field| if let Value::Message(fields) = &field.value { count(fields) } else { 0 };
    fields.iter().map(|field| 1 + inside(field)).sum()
}

/// The field that is the `index`-th, those in messages counted.
fn find<'a>(fields: &'a mut [Field], index: &mut usize) -> Option<&'a mut Field> {
    for field in fields {
        if *index == 0 {
            return Some(field);
        }
        *index -= 1;
        if let Value::Message(inside) = &mut field.value
            && let Some(found) = find(inside, index)
        {
            return Some(found);
        }
    }
    None
}

/// Changes the `index`-th field, or takes it out, or doubles it.
fn change(fields: &mut Vec<Field>, index: &mut usize, donor: Option<Value>, random: &mut Random) -> bool {
    const NUMBERS: [i64; 18] =
        [0, 1, -1, 2, 3, 4, 7, 8, 11, 16, -2, -99, 64, 40_000, 1 << 31, 1 << 40, i64::MAX, i64::MIN];
    for at in 0..fields.len() {
        if *index > 0 {
            *index -= 1;
            if let Value::Message(inside) = &mut fields[at].value
                && change(inside, index, donor.clone(), random)
            {
                return true;
            }
            continue;
        }
        match (random.below(6), &mut fields[at].value) {
            (0, _) => drop(fields.remove(at)),
            (1, _) => {
                let copy = fields[at].clone();
                fields.insert(at, copy);
            }
            (2, value) => {
                if let Some(donor) = donor {
                    *value = donor;
                }
            }
            (_, Value::Number(number)) => *number = random.pick(&NUMBERS) as u64,
            (_, Value::Fixed(content)) => content.fill(random.pick(&[0, 0xff, 0x7f])),
            (3, Value::Bytes(content)) => content.truncate(content.len() / 2),
            (4, Value::Bytes(content)) => content.extend_from_within(..),
            (_, Value::Bytes(content)) => {
                // Numbers may be packed.
                *content =
                    (0..1 + random.below(6)).flat_map(|_| varint(random.pick(&NUMBERS) as u64)).collect();
            }
            (_, Value::Message(inside)) => inside.reverse(),
        }
        return true;
    }
    false
}
