use super::*;

fn path() -> &'static Path {
    Path::new("x.npy")
}

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let text = format!("{header}\n");
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    parse(bytes, path()).unwrap_err().to_string()
}

#[test]
fn every_type_comes_back() {
    for values in [
        Values::Float32(vec![0.5, -1.0]),
        Values::Float64(vec![0.25, 3.0]),
        Values::Uint8(vec![0, 255]),
        Values::Int8(vec![-128, 127]),
        Values::Int16(vec![-300, 300]),
        Values::Int32(vec![-70000, 70000]),
        Values::Int64(vec![1 << 40, -1]),
    ] {
        let tensor = TensorFile { shape: vec![2, 1], values };
        assert_eq!(parse(&tensor.to_bytes(), path()).unwrap(), tensor);
    }
}

#[test]
fn numbers_are_cast() {
    let of = |values| TensorFile { shape: vec![2], values };
    assert_eq!(of(Values::Uint8(vec![0, 255])).to_f32(), [0.0, 255.0]);
    assert_eq!(of(Values::Float64(vec![0.5, -2.0])).to_f32(), [0.5, -2.0]);
    assert_eq!(of(Values::Float32(vec![3.0, -2.0])).to_i64(), Some(vec![3, -2]));
    assert_eq!(of(Values::Float32(vec![3.5, 0.0])).to_i64(), None);
    assert_eq!(of(Values::Float32(vec![f32::NAN, 0.0])).to_i64(), None);
}

#[test]
fn columns_first_and_big_endian() {
    let bytes = file("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", &[0, 1, 0, 3, 0, 2, 0, 4]);
    let tensor = parse(&bytes, path()).unwrap();
    assert_eq!(tensor, TensorFile { shape: vec![2, 2], values: Values::Int16(vec![1, 2, 3, 4]) });
}

#[test]
fn headers_that_promise_too_much_allocate_nothing() {
    let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }";
    assert_eq!(
        refusal(&file(huge, &[0; 4])),
        "`x.npy` should hold 18446744073709551615 bytes of data by its header, and holds 4"
    );
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert_eq!(refusal(&long), "`x.npy` has a header that cannot be read: it is longer than 4096 bytes");
    let nested = "(".repeat(4000);
    assert_eq!(
        refusal(&file(&nested, &[])),
        "`x.npy` has a header that cannot be read: it describes a structured type"
    );
}

#[test]
fn other_files_are_refused() {
    assert_eq!(refusal(b"hello"), "`x.npy` is not a .npy file");
    let complex = "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }";
    assert_eq!(refusal(&file(complex, &[0; 8])), "`x.npy` holds elements of type `'<c8'`");
    let whole = TensorFile::from_f32(vec![2, 2], vec![1.0; 4]).to_bytes();
    for length in 0..whole.len() {
        assert!(parse(&whole[..length], path()).is_err(), "{length} bytes");
    }
}
