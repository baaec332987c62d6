//! What TensorFlow Lite files say of themselves: descriptions, and labels in an archive behind the model.

use edgepkg_quantize::import::{Imported, Metadata, tflite};
use edgepkg_tests::tflite_reference::References;

fn imported(name: &str) -> Imported {
    tflite::read(References::load().model(name)).expect("a model file")
}

#[test]
fn labels_of_the_output() {
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let labels = vec![names.map(str::to_owned).to_vec()];
    let expected = Metadata { description: "Tells digits apart.".into(), labels };
    for file in ["labels_deflated", "labels_stored"] {
        let imported = imported(file);
        assert_eq!(imported.metadata, expected, "{file}");
        assert_eq!(imported.notes, Vec::<String>::new(), "{file}");
    }
}

#[test]
fn labels_that_do_not_fit() {
    let imported = imported("too_few_labels");
    assert_eq!(imported.metadata.labels, [Vec::<String>::new()]);
    insta::assert_snapshot!(
        imported.notes.join("\n"),
        @"the file's labels are left out: `labels.txt` has 9 lines for 10 classes"
    );
}

#[test]
fn an_archive_that_is_cut_off() {
    let references = References::load();
    let file = references.model("labels_deflated");
    let cut = tflite::read(&file[..file.len() - 8]).expect("the model is whole");
    insta::assert_snapshot!(
        cut.notes.join("\n"),
        @"the file's labels are left out: `labels.txt` is in an archive that is not there"
    );
}

#[test]
fn converters_do_not_describe_models() {
    assert_eq!(imported("digits_cnn").metadata, Metadata::default());
    assert_eq!(
        imported("digits_cnn_float32_weights").metadata.description,
        "made of the int8 model, with float32 weights"
    );
}
